package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	. "github.com/onsi/gomega"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// toMove has Karmada move an application out of a cluster where it was Unhealthy for three seconds. It is asked for once the rollout is
// paused: pods that start, and a rollout that nobody has looked at yet, may well need longer.
const toMove = `{"spec":{"failover":{"application":{"decisionConditions":{"tolerationSeconds":3},"purgeMode":"Gracefully"}}}}`

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
	g.Eventually(health, slow, "200ms").Should(Equal("Healthy Healthy"), "two members run it")
	rollOutPaused(t, p, ns)
	g.Eventually(updated(t, p, ns), slow, "200ms").Should(Equal("0 of 6 updated, generation observed"), "paused before the first pod")
	g.Eventually(health, slow, "200ms").Should(Equal("Healthy Healthy"), "and seen to be well")
	policy := &policyv1alpha1.PropagationPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "web-cloneset"}}
	g.Expect(p.karmada.Patch(t.Context(), policy, client.RawPatch(types.MergePatchType, []byte(toMove)))).To(Succeed())
	g.Eventually(func() (bool, error) {
		rb, err := binding()
		return rb.Spec.Failover != nil && rb.Spec.Failover.Application != nil, err
	}, slow, "200ms").Should(BeTrue(), "Karmada is to move what is Unhealthy")
	g.Consistently(answered(t, func() (string, error) {
		now, err := health()
		n, evictErr := evictions()
		// Of a member whose health Karmada could not ask in time it says Unknown, and asks again.
		return fmt.Sprintf("%s, %d evictions", strings.ReplaceAll(now, "Unknown", "Healthy"), n), errors.Join(err, evictErr)
	}), "12s", "300ms").Should(Equal("Healthy Healthy, 0 evictions"), "with argosy-webhook a paused rollout is well")
	g.Eventually(health, slow, "200ms").Should(Equal("Healthy Healthy"), "and said to be")

	t.Cleanup(func() {
		if err := p.lab.UseArgosy(context.Background()); err != nil {
			t.Errorf("registering argosy-webhook again: %v", err)
		}
	})
	g.Expect(p.lab.UseStock(t.Context())).To(Succeed())
	touches := 0
	g.Eventually(func() (int, error) {
		// Karmada asks about health on the next event of the members' objects.
		touches++
		if err := touchMembers(t, p, ns, touches); err != nil {
			return 0, err
		}
		return evictions()
	}, slow, "1s").Should(BeNumerically(">", 0), "stock Karmada evicts it: does this test still see what it is about?")
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
func touchMembers(t *testing.T, p planes, ns string, times int) error {
	t.Helper()
	for name, member := range p.members {
		cs := &kruisev1alpha1.CloneSet{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "web"}}
		patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"annotations":{"e2e.argosy.dev/touched":"%d"}}}`, times))
		if err := client.IgnoreNotFound(member.Patch(t.Context(), cs, patch)); err != nil {
			return fmt.Errorf("touching the CloneSet of %s: %w", name, err)
		}
	}
	return nil
}
