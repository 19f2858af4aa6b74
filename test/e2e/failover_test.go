package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	. "github.com/onsi/gomega"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Karmada moves an application out of a cluster where it was Unhealthy for toleration.
const pausedManifests = `
apiVersion: apps.kruise.io/v1alpha1
kind: CloneSet
metadata: {namespace: $NS, name: web}
spec:
  replicas: 6
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "registry.example/web:v1", resources: {requests: {cpu: 100m, memory: 64Mi}}}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: $NS, name: web-cloneset}
spec:
  resourceSelectors:
  - {apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, name: web}
  propagateDeps: true
  failover:
    application:
      decisionConditions: {tolerationSeconds: 3}
      purgeMode: Gracefully
  placement:
    clusterAffinity: {clusterNames: [member1, member2, member3]}
    spreadConstraints: [{spreadByField: cluster, minGroups: 2, maxGroups: 2}]
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference: {dynamicWeight: AvailableReplicas}
`

// TestPausedRolloutIsNoReasonToMove shows both sides on one federation: a rollout paused halfway stays where it is by
// our rules, and by those Karmada ships it is Unhealthy and evicted from the very clusters it serves from.
func TestPausedRolloutIsNoReasonToMove(t *testing.T) {
	g := NewWithT(t)
	p := federation(t)
	ns := newNamespace(t, p)
	binding := func() (*workv1alpha2.ResourceBinding, error) {
		rb := &workv1alpha2.ResourceBinding{}
		return rb, p.karmada.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "web-cloneset"}, rb)
	}
	health := func() (string, error) {
		rb, err := binding()
		var out []string
		for _, item := range rb.Status.AggregatedStatus {
			out = append(out, string(item.Health))
		}
		return strings.Join(out, " "), err
	}
	evictions := func() (int, error) {
		rb, err := binding()
		return len(rb.Spec.GracefulEvictionTasks), err
	}

	p.apply(t, ns, pausedManifests)
	g.Eventually(health, "2m", "200ms").Should(Equal("Healthy Healthy"), "two members run it")
	rollOutPaused(t, p, ns)
	g.Eventually(updated(t, p, ns), "2m", "200ms").Should(Equal("0 of 6 updated, generation observed"), "paused before the first pod")
	g.Consistently(func() (string, error) {
		now, err := health()
		n, evictErr := evictions()
		if err == nil {
			err = evictErr
		}
		return fmt.Sprintf("%s, %d evictions", now, n), err
	}, "12s", "300ms").Should(Equal("Healthy Healthy, 0 evictions"), "with argosy-webhook a paused rollout is well")

	t.Cleanup(func() {
		if err := p.lab.UseArgosy(context.Background()); err != nil {
			t.Errorf("registering argosy-webhook again: %v", err)
		}
	})
	g.Expect(p.lab.UseStock(t.Context())).To(Succeed())
	// Karmada asks about health on the next event of the members' objects.
	touchMembers(t, p, ns)
	g.Eventually(evictions, "2m", "200ms").Should(BeNumerically(">", 0), "stock Karmada evicts it: does this test still see what it is about?")
}

// rollOutPaused changes the image of a CloneSet that is paused.
func rollOutPaused(t *testing.T, p planes, ns string) {
	t.Helper()
	var cs kruisev1alpha1.CloneSet
	if err := p.karmada.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "web"}, &cs); err != nil {
		t.Fatalf("reading the template: %v", err)
	}
	next := cs.DeepCopy()
	next.Spec.UpdateStrategy.Paused = true
	next.Spec.Template.Spec.Containers[0].Image = "registry.example/web:v2"
	if err := p.karmada.Patch(t.Context(), next, client.MergeFrom(&cs)); err != nil {
		t.Fatalf("releasing while paused: %v", err)
	}
}

// updated reads from the template's status that the new generation has come to every member.
func updated(t *testing.T, p planes, ns string) func() (string, error) {
	return func() (string, error) {
		var cs kruisev1alpha1.CloneSet
		err := p.karmada.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "web"}, &cs)
		observed := "not observed"
		if cs.Status.ObservedGeneration == cs.Generation {
			observed = "observed"
		}
		return fmt.Sprintf("%d of %d updated, generation %s", cs.Status.UpdatedReplicas, cs.Status.Replicas, observed), err
	}
}

// touchMembers makes an event of each member's CloneSet.
func touchMembers(t *testing.T, p planes, ns string) {
	t.Helper()
	for name, member := range p.members {
		cs := &kruisev1alpha1.CloneSet{}
		err := member.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "web"}, cs)
		if client.IgnoreNotFound(err) != nil {
			t.Fatalf("reading the CloneSet of %s: %v", name, err)
		}
		if err != nil {
			continue
		}
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"e2e.argosy.dev/touched":"1"}}}`))
		if err := member.Patch(t.Context(), cs, patch); err != nil {
			t.Fatalf("touching the CloneSet of %s: %v", name, err)
		}
	}
}
