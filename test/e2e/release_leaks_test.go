package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// pushes of TestReleaseLeaksNothing; with as many as the design names the peer is measured too.
var pushes = flag.Int("pushes", 8, "changes pushed to an application whose clusters are held; 100 measures the peer too")

// pushesMeasured is what the design asks to be measured.
const pushesMeasured = 100

const leakApplication = `
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: $NS, name: NAME}
spec:
  replicas: 6
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: "registry.example/NAME:v1", resources: {requests: {cpu: 1m, memory: 1Mi}}}]
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: $NS, name: NAME}
spec:
  resourceSelectors: [{apiVersion: apps/v1, kind: Deployment, name: NAME}]
  placement:
    clusterAffinity: {clusterNames: [member1, member2, member3]}
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference: {staticWeightList: [{targetCluster: {clusterNames: [member1, member2, member3]}, weight: 1}]}
---
`

const leakRelease = `
apiVersion: release.argosy.dev/v1alpha1
kind: Release
metadata: {namespace: $NS, name: web}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  stages:
  - {name: first, clusters: {names: [member1]}, gates: {approvals: 1}}
  - {name: rest}
`

// TestReleaseLeaksNothing: changes are pushed while argosy-controller-manager and argosy-webhook are stopped at random, then while the
// webhook stays away, and while nobody is registered to hold anything. Watches in the held members see not one pod of a pushed version. It
// stops what other stories need, and plays before them.
func TestReleaseLeaksNothing(t *testing.T) {
	h := newHeld(t)
	seen := watchImages(t, h.planes, h.ns, "member2", "member3")
	refused, stops := 0, map[string]int{}
	for i := range *pushes {
		away := []string{"", "argosy/controller-manager", "argosy/webhook"}[rand.IntN(3)]
		if away != "" {
			stops[away]++
			h.stop(away)
		}
		if err := h.pipeline.pushImage(t, h.ns, "web", fmt.Sprintf("p%d", i)); err != nil {
			refused++
			h.Expect(err).To(MatchError(ContainSubstring("webhook")), "the only reason there is to refuse it")
		}
		if away != "" {
			h.start(away)
		}
	}
	h.arrives("last")
	t.Logf("%d pushes, %d refused while a program was away (stopped: %v)", *pushes, refused, stops)
	h.drifts()
	h.webhookAway()
	h.nobodyRegistered()
	h.karmadaRestarts()
	h.letsGo()
	images := seen()
	t.Logf("images that pods of held members had: %v", images)
	for image := range images {
		if !strings.HasSuffix(image, ":v1") {
			t.Errorf("a held member ran %s", image)
		}
	}
	if *pushes >= pushesMeasured {
		h.stockLeaks(t, h.ns)
	}
}

// stockLeaks does with stock Karmada what a script can: after each push it suspends dispatching to the clusters that are to be held.
func (p planes) stockLeaks(t *testing.T, ns string) {
	g := NewWithT(t)
	p.apply(t, ns, strings.ReplaceAll(leakApplication, "NAME", "stock"))
	policy := &policyv1alpha1.PropagationPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "stock"}}
	suspend := func(text string) {
		patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"suspension":`+text+`}}`))
		g.Expect(p.karmada.Patch(t.Context(), policy, patch)).To(Succeed())
	}
	has := func(member, tag string) func() (bool, error) {
		return func() (bool, error) {
			var in appsv1.Deployment
			err := p.members[member].Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "stock"}, &in)
			return err == nil && strings.HasSuffix(in.Spec.Template.Spec.Containers[0].Image, ":"+tag), client.IgnoreNotFound(err)
		}
	}
	g.Eventually(has("member2", "v1"), slow, "100ms").Should(BeTrue())
	leaked := 0
	for i := range *pushes {
		tag := fmt.Sprintf("p%d", i)
		g.Expect(p.pushImage(t, ns, "stock", tag)).To(Succeed())
		suspend(`{"dispatchingOnClusters":{"clusterNames":["member2","member3"]}}`)
		g.Eventually(has("member1", tag), slow, "50ms").Should(BeTrue())
		if yes, err := has("member2", tag)(); err == nil && yes {
			leaked++
		}
		suspend(`null`)
		g.Eventually(has("member2", tag), slow, "50ms").Should(BeTrue(), "the next push begins with all alike")
	}
	t.Logf("stock Karmada, suspended by a script after each push: %d of %d pushes reached member2", leaked, *pushes)
}

// pushImage as a pipeline does.
func (p planes) pushImage(t *testing.T, ns, name, tag string) error {
	object := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
	return p.karmada.Patch(t.Context(), object, client.RawPatch(types.StrategicMergePatchType, fmt.Appendf(nil,
		`{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"registry.example/%s:%s"}]}}}}`, name, tag)))
}

// watchImages of the pods that members have from now on; the answer stops it.
func watchImages(t *testing.T, p planes, ns string, members ...string) func() map[string]int {
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var group sync.WaitGroup
	seen := map[string]int{}
	for _, name := range members {
		events := follow(t, ctx, p, name, ns, &corev1.PodList{})
		group.Go(func() {
			for event := range events {
				if pod, ok := event.Object.(*corev1.Pod); ok {
					mu.Lock()
					seen[pod.Spec.Containers[0].Image]++
					mu.Unlock()
				}
			}
		})
	}
	t.Cleanup(cancel)
	return func() map[string]int {
		cancel()
		group.Wait()
		return seen
	}
}
