package reschedule

import (
	"context"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// trapped is a Deployment of six under a placement in which lowering one member's number by two moves more than two.
const trapped = `
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: $NS, name: web}
spec:
  replicas: 6
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeSelector: {story: $NS}
      tolerations: [{key: story, value: $NS}]
      containers:
      - {name: main, image: "registry.example/web:v1", resources: {requests: {cpu: "1"}}}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: $NS, name: web}
spec:
  resourceSelectors:
  - {apiVersion: apps/v1, kind: Deployment, name: web}
  placement:
    $PLACEMENT
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference: {dynamicWeight: AvailableReplicas}
`

// trap is one of the four of the design, but S4, which is about who goes first in a member (ordinals_test.go).
type trap struct {
	name, placement string
	// nodes by member and name, with how many pods fit.
	nodes map[string]map[string]string
	// grown are the nodes that come once all run; lost, with two pods, goes then.
	grown map[string]map[string]string
	lost  string
	// before is the division.
	before map[string]int32
	// reason and words are what rescheduling says.
	reason, words string
}

var traps = []trap{
	{
		name:      "S1",
		placement: `clusterAffinities: [{affinityName: own, clusterNames: [member1]}, {affinityName: rented, clusterNames: [member2]}]`,
		nodes:     map[string]map[string]string{"member1": {"a": "4", "b": "2"}},
		grown:     map[string]map[string]string{"member2": {"c": "8"}}, lost: "b",
		before: map[string]int32{"member1": 6},
		reason: "NoRoom", words: "2 of 6 replicas wait in member1",
	},
	{
		name: "S2",
		placement: `clusterAffinities: [{affinityName: own, clusterNames: [member1, member3], ` +
			`overflowAffinities: [{affinityName: rented, clusterNames: [member2]}]}]`,
		nodes: map[string]map[string]string{"member1": {"a": "2", "b": "2"}, "member2": {"c": "2"}},
		grown: map[string]map[string]string{"member3": {"d": "8"}}, lost: "b",
		before: map[string]int32{"member1": 4, "member2": 2},
		reason: "WouldMoveMore", words: "member2 would keep 0 of 2 replicas",
	},
	{
		name: "S3",
		placement: "clusterAffinity: {clusterNames: [member1, member2, member3]}\n" +
			"    spreadConstraints: [{spreadByField: cluster, minGroups: 1, maxGroups: 2}]",
		nodes: map[string]map[string]string{"member1": {"a": "1", "b": "2"}, "member2": {"c": "3"}},
		grown: map[string]map[string]string{"member3": {"d": "20"}}, lost: "b",
		before: map[string]int32{"member1": 3, "member2": 3},
		reason: "WouldMoveMore", words: "would keep 0 of",
	},
}

// spring sets the trap up: six run, two of them in member1 lose their node, and elsewhere is room. It returns the pods that ran on.
func (c trap) spring(t *testing.T, p planes, ns string) map[types.UID]string {
	t.Helper()
	g := NewWithT(t)
	add := func(nodes map[string]map[string]string) {
		for member, of := range nodes {
			for name, cpu := range of {
				storyNode(t, p.members[member], ns, ns+"-"+name, cpu)
			}
		}
	}
	add(c.nodes)
	p.apply(t, ns, strings.ReplaceAll(trapped, "$PLACEMENT", c.placement))
	// Beside karmada-descheduler a pod that was slow to find its node costs its member a replica, until it is given back.
	g.Eventually(func(g Gomega) {
		g.Expect(running(t, p, ns)()).To(Equal(6))
		g.Expect(division(t, p, ns, "web-deployment")).To(Equal(c.before))
	}, slow, "200ms").Should(Succeed())
	add(c.grown)
	ran := loseNode(t, p, ns, ns+"-"+c.lost)
	g.Expect(ran).To(HaveLen(4))
	return ran
}

// TestPeerStopsWhatRuns: karmada-descheduler lowers the number of member1 by two in each of the three, and karmada-scheduler then stops
// pods that ran. It shows that the traps are traps. It runs before every other test, which begin once it is away.
func TestPeerStopsWhatRuns(t *testing.T) {
	p := federation(t)
	t.Run("traps", func(t *testing.T) {
		for _, c := range traps {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				ns := newNamespace(t, p)
				ran := c.spring(t, p, ns)
				NewWithT(t).Eventually(func() []string { return stillRun(t, p, ns, ran) }, slow, "200ms").ShouldNot(BeEmpty(),
					"of the pods that ran none was stopped: does this test still see what it is about?")
				t.Logf("beside karmada-descheduler, of the four pods that ran these were stopped: %v; the division is %v",
					stillRun(t, p, ns, ran), division(t, p, ns, "web-deployment"))
			})
		}
	})
	if err := shared.Stop(t.Context(), "karmada/descheduler"); err != nil {
		t.Fatal(err)
	}
	// As if it had been away for long.
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "karmada-system", Name: "karmada-descheduler"}}
	if err := p.karmada.Delete(context.WithoutCancel(t.Context()), lease); client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
}

// TestTraps: where lowering would stop pods that run, nothing moves, the pods are the same, and it is said.
func TestTraps(t *testing.T) {
	t.Parallel()
	p := federation(t)
	for _, c := range traps {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			ns := newNamespace(t, p)
			ran := c.spring(t, p, ns)
			g.Eventually(said(t, p, ns, "Deployment", c.reason), slow, "200ms").Should(ContainSubstring(c.words))
			g.Expect(stillRun(t, p, ns, ran)).To(BeEmpty(), "ran and were stopped")
			g.Expect(division(t, p, ns, "web-deployment")).To(Equal(c.before))
		})
	}
}
