package scalein

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

// conditionRoom is what the schema of a condition gives its message.
const conditionRoom = 32768

// TestAStatusOfManyMembers: what 400 members lack fits into the status. One that the API server refuses is written by no later try either.
func TestAStatusOfManyMembers(t *testing.T) {
	f := newFederation(map[string]int32{"member1": 9}, "member1-pod-0")
	f.order.Status.RequestID = "order"
	seen := f.facts()
	seen.now = seen.now.Add(time.Minute)
	seen.order.Status.Clusters = nil
	for i := range 400 {
		name := fmt.Sprintf("member-of-a-long-name-%03d", i)
		seen.order.Status.Clusters = append(seen.order.Status.Clusters, v1alpha1.ClusterScaleIn{
			Name: name, ReplicasBefore: 2, ReplicasAfter: 1, Pods: []string{"web-abcde"},
		})
		seen.members[name] = member{unreachable: `Get "https://10.0.0.1:6443/apis/apps.kruise.io": dial tcp 10.0.0.1:6443: i/o timeout`}
	}
	seen.template.request = pending(seen, seen.order.Status.Clusters)
	status := settle(seen, follow(seen))
	said := meta.FindStatusCondition(status.Conditions, v1alpha1.PodScaleInComplete)
	if said == nil || len(said.Message) > conditionRoom {
		t.Fatalf("the condition is %d bytes long, and there is room for %d", len(said.Message), conditionRoom)
	}
	if !strings.HasPrefix(said.Message, "member-of-a-long-name-000 cannot be asked") || !strings.HasSuffix(said.Message, "...") {
		t.Errorf("it begins %.60q and ends %q", said.Message, said.Message[len(said.Message)-20:])
	}
}

// TestAnAdopterReadsNoPods: for numbers the CloneSets of the members suffice, every ten seconds as long as a template asks to be followed.
func TestAnAdopterReadsNoPods(t *testing.T) {
	set := &unstructured.Unstructured{}
	set.SetGroupVersionKind(cloneSetKind)
	set.SetNamespace("default")
	set.SetName("web")
	set.SetUID("there")
	listed := 0
	at := fake.NewClientBuilder().WithObjects(set).WithInterceptorFuncs(interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			listed++
			return nil
		},
	}).Build()
	a := adopter{Reconciler: &Reconciler{members: clients{"member1": at}}, followed: cloneSets()}
	order := &v1alpha1.PodScaleIn{}
	order.Namespace, order.Spec.TargetRef = corev1.NamespaceDefault, v1alpha1.ScaleInTarget{
		APIVersion: cloneSetKind.GroupVersion().String(), Kind: cloneSetKind.Kind, Name: "web",
	}
	got := a.followed.read(a, t.Context(), gathered{facts: facts{order: order}}, "member1")
	if got.unreachable != "" || got.uid != "there" || got.replicas != 1 {
		t.Errorf("read %+v", got)
	}
	if listed != 0 {
		t.Errorf("it listed %d times", listed)
	}
}
