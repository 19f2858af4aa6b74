package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const unreachableManifests = `
apiVersion: apps.kruise.io/v1alpha1
kind: CloneSet
metadata: {namespace: $NS, name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "registry.example/web:v1", resources: {requests: {cpu: 10m, memory: 16Mi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: $NS, name: api}
spec:
  replicas: 4
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      containers:
      - {name: api, image: "registry.example/api:v1", resources: {requests: {cpu: 10m, memory: 16Mi}}}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: $NS, name: web-cloneset}
spec:
  resourceSelectors:
  - {apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, name: web}
  - {apiVersion: apps/v1, kind: Deployment, name: api}
  placement:
    clusterAffinity: {clusterNames: [member1, member2]}
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference: {staticWeightList: [
        {targetCluster: {clusterNames: [member1]}, weight: 1}, {targetCluster: {clusterNames: [member2]}, weight: 1}]}
`

// TestReplicasOfAnUnreachableMember do not count as ready, and do again when it is back; nothing else of the template changes. So it is
// of a kind that we interpret whole, and of one of whose questions Karmada answers most itself.
func TestReplicasOfAnUnreachableMember(t *testing.T) {
	g := NewWithT(t)
	p := federation(t)
	ns := newNamespace(t, p)
	status := func() (string, error) {
		said := ""
		for _, object := range []client.Object{
			&kruisev1alpha1.CloneSet{ObjectMeta: metav1.ObjectMeta{Name: "web"}}, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "api"}},
		} {
			if err := p.karmada.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: object.GetName()}, object); err != nil {
				return "", err
			}
			var now struct {
				Status struct {
					Replicas      int32              `json:"replicas"`
					ReadyReplicas int32              `json:"readyReplicas"`
					Conditions    []metav1.Condition `json:"conditions"`
				} `json:"status"`
			}
			content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
			if err == nil {
				err = runtime.DefaultUnstructuredConverter.FromUnstructured(content, &now)
			}
			if err != nil {
				return "", err
			}
			said += fmt.Sprintf("%s: %d replicas, %d ready", object.GetName(), now.Status.Replicas, now.Status.ReadyReplicas)
			for _, c := range now.Status.Conditions {
				if c.Type == "MembersReported" {
					head, _, _ := strings.Cut(c.Message, " (")
					said += fmt.Sprintf(", %s: %s", c.Reason, head)
				}
			}
			said += ". "
		}
		return said, nil
	}
	const all = "web: 4 replicas, 4 ready. api: 4 replicas, 4 ready. "
	p.apply(t, ns, unreachableManifests)
	g.Eventually(status, slow, "200ms").Should(Equal(all))
	g.Expect(p.lab.Stop(t.Context(), "member2")).To(Succeed())
	t.Cleanup(func() {
		if err := p.lab.Start(context.Background(), "member2"); err != nil {
			t.Errorf("starting member2: %v", err)
		}
	})
	g.Eventually(status, slow, "200ms").Should(Equal(
		"web: 4 replicas, 2 ready, MemberUnreachable: member2 cannot be asked. " +
			"api: 4 replicas, 2 ready, MemberUnreachable: member2 cannot be asked. "))
	g.Expect(p.lab.Start(t.Context(), "member2")).To(Succeed())
	g.Eventually(status, slow, "200ms").Should(Equal(all))
}
