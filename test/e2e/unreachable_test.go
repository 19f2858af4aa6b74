package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
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
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: $NS, name: web-cloneset}
spec:
  resourceSelectors:
  - {apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, name: web}
  placement:
    clusterAffinity: {clusterNames: [member1, member2]}
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference: {staticWeightList: [
        {targetCluster: {clusterNames: [member1]}, weight: 1}, {targetCluster: {clusterNames: [member2]}, weight: 1}]}
`

// TestReplicasOfAnUnreachableMember do not count as ready, and do again when it is back; nothing else of the template changes.
func TestReplicasOfAnUnreachableMember(t *testing.T) {
	g := NewWithT(t)
	p := federation(t)
	ns := newNamespace(t, p)
	status := func() (string, error) {
		var cs kruisev1alpha1.CloneSet
		err := p.karmada.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "web"}, &cs)
		said := ""
		for _, c := range cs.Status.Conditions {
			if c.Type == "MembersReported" {
				head, _, _ := strings.Cut(c.Message, " (")
				said = fmt.Sprintf(", %s: %s", c.Reason, head)
			}
		}
		return fmt.Sprintf("%d replicas, %d ready%s", cs.Status.Replicas, cs.Status.ReadyReplicas, said), err
	}
	p.apply(t, ns, unreachableManifests)
	g.Eventually(status, slow, "200ms").Should(Equal("4 replicas, 4 ready"))
	g.Expect(p.lab.Stop(t.Context(), "member2")).To(Succeed())
	t.Cleanup(func() {
		if err := p.lab.Start(context.Background(), "member2"); err != nil {
			t.Errorf("starting member2: %v", err)
		}
	})
	g.Eventually(status, slow, "200ms").Should(Equal("4 replicas, 2 ready, MemberUnreachable: member2 cannot be asked"))
	g.Expect(p.lab.Start(t.Context(), "member2")).To(Succeed())
	g.Eventually(status, slow, "200ms").Should(Equal("4 replicas, 4 ready"))
}
