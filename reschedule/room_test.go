package reschedule

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/util/flowcontrol"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/reschedule/decide"
)

// counting answers with what is free, and counts who was asked.
type counting struct {
	mu    sync.Mutex
	free  map[string]int32
	asked map[string]int
	// silent: it does not know.
	silent bool
}

func (c *counting) Free(_ context.Context, cluster string, _ *workv1alpha2.ResourceBinding) (int32, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked[cluster]++
	return c.free[cluster], !c.silent
}

// fiveHundred clusters have two replicas each, and in the first two more wait; the sums of the named ones say that they have room.
func fiveHundred(t *testing.T, roomy ...string) *gathered {
	t.Helper()
	seen := &gathered{binding: bindingOf(policyv1alpha1.Placement{ClusterAffinity: &policyv1alpha1.ClusterAffinity{}})}
	seen.binding.Spec.ReplicaRequirements = &workv1alpha2.ReplicaRequirements{ResourceRequest: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("1")}}
	now := time.Unix(100000, 0)
	ago := now.Add(-time.Hour)
	seen.world = decide.World{Now: now, Settings: decide.Settings{Unschedulable: time.Minute, MovesPerMinute: 100}}
	for i := range 500 {
		c := decide.Cluster{Name: fmt.Sprintf("member%03d", i), Assigned: 2, Unasked: i > 0}
		if i == 0 {
			c.Assigned = 4
			c.Workload = &decide.Workload{Replicas: 4, Pods: []decide.Pod{{Name: "a", Scheduled: true}, {Name: "b", Scheduled: true},
				{Name: "c", Refused: ago}, {Name: "d", Refused: ago}}}
		}
		cpu := "1"
		for _, name := range roomy {
			if name == c.Name {
				cpu = "8"
			}
		}
		seen.world.Clusters = append(seen.world.Clusters, c)
		seen.binding.Spec.Replicas += c.Assigned
		seen.joined = append(seen.joined, &clusterv1alpha1.Cluster{Status: clusterv1alpha1.ClusterStatus{
			ResourceSummary: &clusterv1alpha1.ResourceSummary{
				Allocatable: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("100"), corev1.ResourceCPU: resource.MustParse(cpu)},
				Allocated:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")},
			}}})
	}
	seen.world.Binding = decide.Binding{Replicas: seen.binding.Spec.Replicas, Divided: true, Settled: true}
	return seen
}

// webWithPods is Deployment shop/web with a replica for each name, which runs.
func webWithPods(t *testing.T, names ...string) []client.Object {
	t.Helper()
	out := []client.Object{
		fixture.Parse(t, fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, uid: d, generation: 1}
spec: {replicas: %[1]d, selector: {matchLabels: {app: web}}}
status: {observedGeneration: 1, replicas: %[1]d, updatedReplicas: %[1]d}
`, len(names))).Unstructured(),
		fixture.Parse(t, `
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: web-1
  namespace: shop
  uid: r
  labels: {app: web}
  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: d, controller: true}]
spec: {}
`).Unstructured(),
	}
	for _, name := range names {
		out = append(out, fixture.Parse(t, `
apiVersion: v1
kind: Pod
metadata:
  name: web-1-`+name+`
  namespace: shop
  labels: {app: web}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-1, uid: r, controller: true}]
spec: {nodeName: n1}
`).Unstructured())
	}
	return out
}

// TestQuestionsAreBounded: a binding over 500 clusters asks few of them where these have room, no more than 32 in any look, and all of them
// before it is said that none has room. One careful answer does not make a cluster full.
func TestQuestionsAreBounded(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	member := fake.NewClientBuilder().WithScheme(scheme).WithObjects(webWithPods(t, "a", "b")...).Build()
	for name, tc := range map[string]struct {
		roomy []string
		free  map[string]int32
		// careful: whoever is asked for the first time says that there is no room.
		careful    bool
		wantReason string
		wantLooks  int
		wantAsked  int
	}{
		"room where the sums say": {roomy: []string{"member300"}, free: map[string]int32{"member300": 5}, wantReason: "Moved", wantLooks: 1,
			wantAsked: few},
		"room where the sums say none": {free: map[string]int32{"member499": 5}, wantReason: "Moved", wantLooks: 31},
		"a careful answer": {roomy: []string{"member300"}, careful: true, free: map[string]int32{"member300": 5}, wantReason: "Moved",
			wantLooks: 2},
		"no room in five hundred": {wantReason: "NoRoom", wantLooks: 62},
		"room for one, of two that wait": {roomy: []string{"member300"}, free: map[string]int32{"member300": 1}, wantReason: "Moved",
			wantLooks: 1, wantAsked: atOnce},
	} {
		t.Run(name, func(t *testing.T) {
			estimator := &counting{free: map[string]int32{}, asked: map[string]int{}}
			c := &Controller{estimator: estimator, members: one{member}, measures: newMeasures(), limit: flowcontrol.NewFakeAlwaysRateLimiter()}
			full := int32(0)
			for looks := 1; ; looks++ {
				before := estimator.all()
				if looks > 1 || !tc.careful {
					estimator.free = tc.free
				}
				seen := fiveHundred(t, tc.roomy...)
				seen.world.Full = full
				c.askRoom(t.Context(), seen, full)
				if asked := estimator.all() - before; asked > atOnce {
					t.Fatalf("look %d asked %d clusters", looks, asked)
				}
				if reason := decide.Next(seen.world).Reason; reason != decide.ReasonAsked {
					got := map[string]any{"reason": reason, "looks": looks}
					if diff := cmp.Diff(map[string]any{"reason": tc.wantReason, "looks": tc.wantLooks}, got); diff != "" {
						t.Errorf("(-want +got):\n%s", diff)
					}
					break
				}
				full++
			}
			if tc.wantReason == "NoRoom" && len(estimator.asked) != 499 {
				t.Errorf("no room is said, and %d of 499 were asked", len(estimator.asked))
			}
			if asked := estimator.all(); tc.wantLooks == 1 && asked != tc.wantAsked {
				t.Errorf("%d questions, want %d", asked, tc.wantAsked)
			}
		})
	}
}

func (c *counting) all() (sum int) {
	for _, n := range c.asked {
		sum += n
	}
	return sum
}
