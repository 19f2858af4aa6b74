package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"

	. "github.com/onsi/gomega"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/test/lab/machine"
)

// Pods use 90 m of the 100 m they ask for and the autoscaler wants 50 %: it goes to its maximum and
// stays there, unless somebody takes the replicas back.
const hpaManifests = `
apiVersion: apps.kruise.io/v1alpha1
kind: CloneSet
metadata:
  namespace: $NS
  name: web
  labels: {resourcetemplate.karmada.io/retain-replicas: "true"}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {kwok.x-k8s.io/usage-cpu: 90m, kwok.x-k8s.io/usage-memory: 50Mi}
    spec:
      containers:
      - name: web
        image: registry.example/web:v1
        resources: {requests: {cpu: 100m, memory: 64Mi}}
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
      weightPreference:
        staticWeightList:
        - {targetCluster: {clusterNames: [member1]}, weight: 1}
        - {targetCluster: {clusterNames: [member2]}, weight: 1}
`

const (
	memberReplicas = 2
	hpaMaximum     = 5
	// watched is how long each side is looked at, for ten touches of the template.
	watched, touchEvery = 20 * time.Second, 2 * time.Second
	// enoughWrites by Karmada, the state it began with among them, make a count mean something.
	enoughWrites = 2
)

// TestMemberHPAKeepsItsReplicas shows both sides on one federation: with argosy-webhook a member's
// autoscaler keeps what it raised, with the rules Karmada ships the two fight.
func TestMemberHPAKeepsItsReplicas(t *testing.T) {
	g := NewWithT(t)
	p := federation(t)
	ns := newNamespace(t, p)
	member := p.members["member1"]
	key := client.ObjectKey{Namespace: ns, Name: "web"}
	replicas := func() (int32, error) {
		var cs kruisev1alpha1.CloneSet
		err := member.Get(t.Context(), key, &cs)
		return ptr.Deref(cs.Spec.Replicas, -1), err
	}

	p.apply(t, ns, hpaManifests)
	g.Eventually(replicas, slow, "200ms").Should(BeEquivalentTo(memberReplicas), "Karmada divides 4 replicas over two members")
	g.Expect(member.Create(t.Context(), autoscaler(ns))).To(Succeed())
	g.Eventually(replicas, slow, "500ms").Should(BeEquivalentTo(hpaMaximum), "the member's autoscaler raises the replicas")

	ours := countReverts(t, p, key, 0)
	t.Logf("with argosy-webhook: replicas taken back %d times in %s", ours, watched)
	if ours != 0 {
		t.Errorf("replicas were taken back %d times with argosy-webhook, want 0", ours)
	}
	g.Expect(answered(t, replicas)()).To(BeEquivalentTo(hpaMaximum))

	t.Cleanup(func() {
		if err := p.lab.UseArgosy(context.Background()); err != nil {
			t.Errorf("registering argosy-webhook again: %v", err)
		}
	})
	g.Expect(p.lab.UseStock(t.Context())).To(Succeed())
	const enough = 2
	stock := countReverts(t, p, key, enough)
	t.Logf("with stock Karmada: replicas taken back %d times", stock)
	if stock < enough {
		t.Errorf("stock Karmada took the replicas back %d times, want at least %d: does this test still see what it is about?", stock, enough)
	}
}

func autoscaler(ns string) *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "web"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Name: "web"},
			MinReplicas:    ptr.To[int32](memberReplicas),
			MaxReplicas:    hpaMaximum,
			Metrics: []autoscalingv2.MetricSpec{{
				Type: autoscalingv2.ResourceMetricSourceType,
				Resource: &autoscalingv2.ResourceMetricSource{
					Name:   corev1.ResourceCPU,
					Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: ptr.To[int32](50)},
				},
			}},
		},
	}
}

// countReverts watches the member's CloneSet and counts how often its replicas go down. The
// template is touched every two seconds meanwhile: Karmada has a reason to write to the member, so
// that no revert is not merely no write. It looks on for at least the time of watched, and, on a machine that is slow, until
// Karmada has written and as many reverts as expected have been seen.
func countReverts(t *testing.T, p planes, key client.ObjectKey, expected int) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), machine.Patience)
	defer cancel()
	events := follow(t, ctx, p, "member1", key.Namespace, &kruisev1alpha1.CloneSetList{})
	over, due := time.After(watched), false
	touch := time.NewTicker(touchEvery)
	defer touch.Stop()
	var last int32 = -1
	reverts, touches, writes := 0, 0, map[string]bool{}
	for !due || len(writes) < enoughWrites || reverts < expected {
		select {
		case <-over:
			due = true
		case <-ctx.Done():
			if len(writes) < enoughWrites {
				t.Errorf("Karmada wrote %d of %d changes of the template to the member: the count means nothing", len(writes), touches)
			}
			return reverts
		case <-touch.C:
			touches++
			annotate(t, p, key, fmt.Sprint(touches))
		case event, open := <-events:
			if !open && ctx.Err() == nil {
				t.Errorf("the watch of member1 ended after %d touches", touches)
				return reverts
			}
			cs, ok := event.Object.(*kruisev1alpha1.CloneSet)
			if !ok {
				continue
			}
			now := ptr.Deref(cs.Spec.Replicas, -1)
			if last > now {
				reverts++
			}
			last = now
			writes[cs.Annotations["e2e.argosy.dev/touched"]] = true
		}
	}
	return reverts
}

func annotate(t *testing.T, p planes, key client.ObjectKey, value string) {
	t.Helper()
	cs := &kruisev1alpha1.CloneSet{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"annotations":{"e2e.argosy.dev/touched":%q}}}`, value))
	if err := p.karmada.Patch(t.Context(), cs, patch); err != nil {
		t.Errorf("touching the template: %v", err)
	}
}
