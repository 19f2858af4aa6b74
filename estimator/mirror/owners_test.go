package mirror

import (
	"context"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	testclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
)

// installing is a mapper that learns a kind when it is reset.
type installing struct {
	*meta.DefaultRESTMapper
	later schema.GroupVersionKind
}

func (m *installing) Reset() {
	if !m.later.Empty() {
		m.Add(m.later, meta.RESTScopeNamespace)
	}
}

// A kind that is installed, or an owner that comes, after it was first asked for is found a minute later at the latest.
func TestOwnersThatComeLater(t *testing.T) {
	rollout := schema.GroupVersionKind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout"}
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(rollout)
	object.SetNamespace("shop")
	object.SetName("web")
	object.SetOwnerReferences([]metav1.OwnerReference{
		{APIVersion: "shop.example.com/v1", Kind: "App", Name: "shop", UID: "app", Controller: ptr.To(true)},
	})
	client := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{rollout.GroupVersion().WithResource("rollouts"): "RolloutList"}, object)
	clock, mapper := testclock.NewFakePassiveClock(time.Unix(0, 0)), &installing{DefaultRESTMapper: meta.NewDefaultRESTMapper(nil)}
	o := newOwners(client, mapper, clock)
	ask := func() *metav1.OwnerReference {
		t.Helper()
		owner, err := o.of(context.Background(), "shop", &metav1.OwnerReference{
			APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", Name: "web", UID: "web",
		})
		if err != nil {
			t.Fatal(err)
		}
		return owner
	}
	if owner := ask(); owner != nil {
		t.Fatalf("%v of a kind that nobody serves", owner)
	}
	mapper.later = rollout
	if owner := ask(); owner != nil {
		t.Fatal("asked of every pod anew")
	}
	clock.SetTime(time.Unix(0, 0).Add(doubtFor))
	if owner := ask(); owner == nil || owner.Name != "shop" {
		t.Errorf("%v, want the owner: its kind is served by now", owner)
	}
}
