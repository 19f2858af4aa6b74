package decide

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/split"
)

// TestFree: room is what was answered, less what the cluster's autoscaler asked for since. A cluster of 15 places that grew from 7 to 14
// while the answer was 8 has one left, though none of the seven may be made yet.
func TestFree(t *testing.T) {
	ignore := &api.Distribution{Capacity: api.CapacityIgnore}
	cases := map[string]struct {
		asks, at     int32
		free         *int32
		distribution *api.Distribution
		want         *int32
	}{
		"as answered":            {asks: 7, at: 7, free: ptr.To[int32](8), want: ptr.To[int32](8)},
		"asked for since":        {asks: 14, at: 7, free: ptr.To[int32](8), want: ptr.To[int32](1)},
		"more than there is":     {asks: 20, at: 7, free: ptr.To[int32](8), want: ptr.To[int32](0)},
		"fewer frees nothing":    {asks: 3, at: 7, free: ptr.To[int32](8), want: ptr.To[int32](8)},
		"unknown is not zero":    {asks: 7},
		"room is not to be seen": {asks: 7, at: 7, free: ptr.To[int32](0), distribution: ignore, want: ptr.To[int32](20)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := &decision{
				w: World{Bounds: Bounds{Min: 1, Max: 20}, Spec: api.FedHPASpec{Distribution: tc.distribution}}, counts: Counts{"m1": tc.asks},
			}
			if diff := cmp.Diff(tc.want, d.free("m1", &Member{Name: "m1", Free: tc.free, FreeAt: tc.at})); diff != "" {
				t.Errorf("free (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLimitsEditedInTheMember: that limits are on their way is no fault; that they never arrive is.
func TestLimitsEditedInTheMember(t *testing.T) {
	m := newModel(limits(2, 20), Counts{"m1": 5, "m2": 3})
	mustSettle(t, m)
	m.members["m1"].reported.hpa = &split.Range{Min: 1, Max: 6}
	look := func(after time.Duration) *metav1.Condition {
		m.now = m.now.Add(after)
		m.reconcile(-1)
		return meta.FindStatusCondition(m.status.Conditions, api.FedHPAMembersScaling)
	}
	if c := look(0); c.Status != metav1.ConditionTrue {
		t.Errorf("at once: %s %s", c.Reason, c.Message)
	}
	c := look(limitsLate)
	if c.Status != metav1.ConditionFalse || c.Reason != api.FedHPAReasonAutoscalerEdited {
		t.Errorf("after %s: %s %s", limitsLate, c.Status, c.Reason)
	}
	// What is reported beside other limits than were sent may be as old as they are.
	books := meta.FindStatusCondition(m.status.Conditions, api.FedHPABooksAgree)
	if books.Status != metav1.ConditionUnknown || books.Reason != api.FedHPAReasonReportDisagrees {
		t.Errorf("the books after %s: %s %s", limitsLate, books.Status, books.Reason)
	}
	m.members["m1"].held = true // nothing is written there now: nobody is to blame for what differs
	if c := look(0); c.Reason == api.FedHPAReasonAutoscalerEdited {
		t.Errorf("held: %s %s", c.Reason, c.Message)
	}
	m.members["m1"].held = false
	sent := m.members["m1"].hpaWork
	m.report("m1")
	if c := look(time.Second); c.Status != metav1.ConditionTrue {
		t.Errorf("put back: %s %s, sent %v", c.Reason, c.Message, sent)
	}
	if got := m.binding.clusters.String(); got != "m1=5,m2=3" {
		t.Errorf("the books say %s", got)
	}
}

// TestOwnBoundsAreNoRoom: clusters that may not have what minReplicas asks for are not blamed on room.
func TestOwnBoundsAreNoRoom(t *testing.T) {
	spec := limits(2, 20)
	spec.Distribution = &api.Distribution{
		Clusters: []api.ClusterDistribution{{Name: "m1", MaxReplicas: ptr.To[int32](2)}, {Name: "m2", MaxReplicas: ptr.To[int32](1)}},
	}
	m := newModel(spec, Counts{"m1": 1, "m2": 1})
	mustSettle(t, m)
	m.spec.MinReplicas = 6
	m.generation++
	mustSettle(t, m)
	wantSaid(t, m.status, api.FedHPACapacitySufficient,
		"False MinReplicasDoNotFit: the clusters' own maxReplicas add up to 3, below minReplicas 6")
}
