package e2e

import (
	"fmt"
	"strings"
	"testing"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	. "github.com/onsi/gomega"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	componentv1alpha1 "github.com/argosy-dev/argosy/api/component/v1alpha1"
)

const autoscaledComponent = `
apiVersion: component.luojilab.com/v1alpha1
kind: Component
metadata: {namespace: $NS, name: web}
spec:
  workloadType: Deployment
  developLanguage: python
  runType: server
  image: web:1
  port: 8080
  replicas: 4
  resources: {requests: {cpu: 10m}}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: $NS, name: web}
spec:
  resourceSelectors: [{apiVersion: component.luojilab.com/v1alpha1, kind: Component, name: web}]
  placement:
    clusterAffinity: {clusterNames: [member1, member2]}
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference:
        staticWeightList:
        - {targetCluster: {clusterNames: [member1]}, weight: 1}
        - {targetCluster: {clusterNames: [member2]}, weight: 1}
`

// TestFedHPAOverComponent: in each member an autoscaler scales the Component, and the Component its Deployment; the books follow.
func TestFedHPAOverComponent(t *testing.T) {
	t.Parallel()
	a := deployed(t, autoscaledComponent)
	a.takeOver(strings.NewReplacer("{apiVersion: apps/v1, kind: Deployment,", "{apiVersion: component.luojilab.com/v1alpha1, kind: Component,",
		"minReplicas: 4", "minReplicas: 6").Replace(fedhpaObject))
	a.g.Eventually(a.members, slow, "200ms").Should(Equal("member1=3 member2=3"), "the bounds raised them in each member")
	books := func() (string, error) {
		rb := &workv1alpha2.ResourceBinding{}
		if err := a.karmada.Get(t.Context(), client.ObjectKey{Namespace: a.ns, Name: "web-component"}, rb); err != nil {
			return "", err
		}
		c := &componentv1alpha1.Component{}
		if err := a.karmada.Get(t.Context(), client.ObjectKey{Namespace: a.ns, Name: "web"}, c); err != nil {
			return "", err
		}
		counts := map[string]int32{}
		for _, cluster := range rb.Spec.Clusters {
			counts[cluster.Name] = cluster.Replicas
		}
		return fmt.Sprintf("%s of %d, %d serve", words(counts), ptr.Deref(c.Spec.Replicas, 1), c.Status.AvailableReplicas), nil
	}
	a.g.Eventually(books, slow, "500ms").Should(Equal("member1=3 member2=3 of 6, 6 serve"))
	a.g.Eventually(a.conditions, slow, "500ms").Should(Equal(allTrue))
}
