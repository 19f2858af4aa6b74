package decide

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/split"
)

// byHand scales a member's workload past its autoscaler, which then looks at it.
func (m *model) byHand(name string, replicas int32) {
	m.members[name].replicas = replicas
	m.tick(name)
	m.report(name)
}

// TestDeadAutoscalerIsNotBelieved: without metrics Kubernetes keeps the old desiredReplicas. What runs is in the books, and lowered limits
// cut the others.
func TestDeadAutoscalerIsNotBelieved(t *testing.T) {
	m := newModel(limits(2, 60), Counts{"m1": 2, "m2": 4})
	mustSettle(t, m)
	m.members["m1"].ill = true
	m.byHand("m1", 9)
	mustSettle(t, m)
	if got := m.binding.clusters.String(); got != "m1=9,m2=4" || m.template.Replicas != 13 {
		t.Errorf("the books say %s of %d where m1 runs 9", got, m.template.Replicas)
	}
	wantSaid(t, m.status, api.FedHPAMembersScaling, "False MemberNotScaling: m1: the member's autoscaler cannot scale: no metrics")
	wantSaid(t, m.status, api.FedHPAReady, "True Active: the control plane follows the members, but not all is well with them")
	if got := m.status.Clusters[0]; got.State != api.ClusterNotScaling || got.CurrentReplicas != 9 {
		t.Errorf("m1 is %s with %d", got.State, got.CurrentReplicas)
	}
	for _, most := range []int32{20, 10} {
		m.spec.MaxReplicas = most
		m.generation++
		mustSettle(t, m)
	}
	if got := m.members["m1"].replicas; got != 9 || len(m.cuts) > 0 {
		t.Errorf("m1 runs %d: %v", got, m.cuts)
	}
	if got := m.members["m2"].replicas; got != 1 {
		t.Errorf("m2 runs %d beside the 9 that nobody may cut, of at most 10", got)
	}
}

// TestIllMemberKeepsItsLimits: room that moves by itself, here to a member under load, is not taken from one that cannot scale.
func TestIllMemberKeepsItsLimits(t *testing.T) {
	m := newModel(limits(2, 40), Counts{"m1": 4, "m2": 4})
	mustSettle(t, m)
	m.members["m1"].ill = true
	before := *m.members["m1"].hpaWork
	m.byHand("m1", before.Max)
	m.members["m2"].load = 40
	mustSettle(t, m)
	if got := *m.members["m1"].hpaWork; got != before || len(m.cuts) > 0 {
		t.Errorf("m1 was sent %+v, it had %+v: %v", got, before, m.cuts)
	}
	// It gets well: its load is that of four, and the room goes where it is used.
	m.members["m1"].ill = false
	mustSettle(t, m)
	mustSettle(t, m)
	if got := m.members["m2"].replicas; got < 30 {
		t.Errorf("m2 runs %d of the 40 it asks for: %+v", got, m.status.LastDivision)
	}
}

// TestMinRisesWithoutMetrics: a native HPA obeys a raised minReplicas without any metric, and so do members that are all ill.
func TestMinRisesWithoutMetrics(t *testing.T) {
	m := settled(t)
	m.members["m1"].ill, m.members["m2"].ill = true, true
	mustSettle(t, m)
	wantSaid(t, m.status, api.FedHPAReady, "False MemberNotScaling: no member's autoscaler works")
	m.spec.MinReplicas, m.spec.MaxReplicas = 30, 60
	m.generation++
	mustSettle(t, m)
	if got := m.binding.clusters.Sum(); got != 30 {
		t.Errorf("%s run, want the 30 that were asked for", m.binding.clusters)
	}
	wantSaid(t, m.status, api.FedHPABooksAgree, "True BooksAgree")
}

// TestSecondAutoscalerInMember: two autoscalers of the same pods switch each other off, so ours goes. What runs then is the workload's own
// word, and ours comes back when the other one is gone.
func TestSecondAutoscalerInMember(t *testing.T) {
	m := settled(t)
	m.members["m1"].rival = 6
	m.tick("m1")
	m.report("m1")
	plan := m.reconcile(-1)
	if len(plan.Events) == 0 || plan.Events[0].Reason != api.FedHPAReasonSecondInMember {
		t.Errorf("told %+v", plan.Events)
	}
	m.execute("m1")
	m.members["m1"].load = 7
	for range 4 {
		m.now = m.now.Add(30 * time.Second)
		m.tick("m1")
		m.report("m1")
		m.reconcile(-1)
		m.detect()
		m.read()
		m.write()
		m.deliver(false)
		m.execute("m1")
	}
	if m.members["m1"].hpa != nil || m.members["m1"].hpaWork != nil {
		t.Error("ours is still there")
	}
	if got := m.binding.clusters.String(); got != "m1=7,m2=3" {
		t.Errorf("the books say %s where m1 runs 7", got)
	}
	wantSaid(t, m.status, api.FedHPAMembersScaling,
		"False SecondAutoscalerInMember: m1: another HorizontalPodAutoscaler in the member scales the same pods")
	if top := m.members["m2"].hpaWork.Max; top > 13 {
		t.Errorf("m2 may run %d of 20 beside 7", top)
	}
	m.members["m1"].rival = 0
	m.now = m.now.Add(withdrawnFor)
	mustSettle(t, m)
	if m.members["m1"].hpa == nil {
		t.Error("ours did not come back")
	}
	wantSaid(t, m.status, api.FedHPAMembersScaling, "True AllScaling")
}

// TestOthersAutoscaler: where a member does not take ours, or a policy propagates one of its name, the workload's own status is what the
// books follow.
func TestOthersAutoscaler(t *testing.T) {
	for name, change := range map[string]func(*Autoscaler){
		"an HPA of that name is the member's own": func(h *Autoscaler) {
			h.Applied, h.Message, h.Refused = false, "exists and is not managed by Karmada", true
		},
		"a policy propagates one of that name": func(h *Autoscaler) { h.Owned = false },
	} {
		t.Run(name, func(t *testing.T) {
			w := settled(t).world()
			change(w.Members[0].HPA)
			updated := int32(9)
			w.Members[0].Workload.Replicas, w.Members[0].Workload.Ready, w.Members[0].Workload.Updated = 9, 9, &updated
			plan := Decide(w)
			written := ""
			for _, a := range plan.Actions {
				if a.Kind == WriteBinding {
					written = a.Counts.String()
				}
				if a.Kind == SendAutoscaler && a.Cluster == "m1" && a.Range.Max < 9 {
					t.Errorf("m1 is sent %+v", a.Range)
				}
			}
			if written != "m1=9,m2=3" {
				t.Errorf("the books are written %q", written)
			}
			wantSaid(t, plan.Status, api.FedHPAMembersScaling, "False MemberRefusesAutoscaler: m1: ")
			// In a rolling update its status counts pods of both versions.
			updated = 4
			if plan := Decide(w); plan.Status.CurrentReplicas != 8 {
				t.Errorf("in a rolling update %d run", plan.Status.CurrentReplicas)
			}
		})
	}
}

// TestAWriteWithoutAnAnswer: where the connection to a member broke in Karmada's write nothing was refused, and nobody knows what its
// autoscaler does. What runs counts, nothing is cut, and another try that fails the same way writes nothing.
func TestAWriteWithoutAnAnswer(t *testing.T) {
	broke := func(port string) string {
		return `Put "https://m1:6443/apis/autoscaling/v2": read tcp 10.0.0.1:` + port + `->10.0.0.2:6443: read: connection reset by peer`
	}
	m := settled(t)
	w := m.world()
	updated := int32(9)
	w.Members[0].Workload.Replicas, w.Members[0].Workload.Ready, w.Members[0].Workload.Updated = 9, 9, &updated
	w.Members[0].HPA.Applied, w.Members[0].HPA.Message = false, broke("53422")
	plan := Decide(w)
	wantSaid(t, plan.Status, api.FedHPAMembersScaling,
		"Unknown MemberUnreachable: m1: Karmada's write of the autoscaler got no answer, and is tried again; until then it is not known what it "+
			"does: Put")
	wantSaid(t, plan.Status, api.FedHPAReady, "True Active: the control plane follows the members, but not all is well with them")
	if got := plan.Status.Clusters[0]; got.State != api.ClusterUnreachable || got.CurrentReplicas != 9 {
		t.Errorf("m1 is %s with %d", got.State, got.CurrentReplicas)
	}
	for _, a := range plan.Actions {
		if a.Kind == SendAutoscaler && a.Cluster == "m1" && a.Range.Max < 9 {
			t.Errorf("m1 is sent %+v", a.Range)
		}
	}
	w.Status, w.Now = *plan.Status.DeepCopy(), w.Now.Add(time.Second)
	w.Binding.Clusters, w.Binding.Ledger = Counts{"m1": 9, "m2": 3}, Counts{"m1": 9, "m2": 3}
	w.Binding.Replicas, w.Template.Replicas = 12, 12
	quiet := Decide(w).Status
	w.Status, w.Now = *quiet.DeepCopy(), w.Now.Add(time.Second)
	w.Members[0].HPA.Message = broke("40118")
	if diff := cmp.Diff(quiet, Decide(w).Status); diff != "" {
		t.Errorf("another try is news (-before +after):\n%s", diff)
	}
	for i := range w.Members {
		w.Members[i].HPA.Applied, w.Members[i].HPA.Message = false, broke("1")
	}
	wantSaid(t, Decide(w).Status, api.FedHPAReady, "Unknown MemberUnreachable: no member can be asked: m1: Karmada's write")
}

// TestNoConditionsReflected: without member-status.yaml nothing tells that an autoscaler is ill but that the workload stands where it does
// not want it.
func TestNoConditionsReflected(t *testing.T) {
	w := settled(t).world()
	w.Members[0].HPA.Judged, w.Members[0].HPA.Current = false, 9
	updated := int32(9)
	w.Members[0].Workload.Replicas, w.Members[0].Workload.Ready, w.Members[0].Workload.Updated = 9, 9, &updated
	if got := Decide(w).Status.DesiredReplicas; got != 8 {
		t.Errorf("its autoscaler asks for 5 still: %d", got)
	}
	if diff := cmp.Diff([]ActionKind{WriteBinding, ScaleTemplate}, actionsOf(Decide(w))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestMemberRunsMore: books that say what autoscalers ask for do not agree with a member that runs more.
func TestMemberRunsMore(t *testing.T) {
	w := settled(t).world()
	updated := int32(9)
	w.Members[0].Workload.Replicas, w.Members[0].Workload.Updated = 9, &updated
	wantSaid(t, Decide(w).Status, api.FedHPABooksAgree, "False MemberRunsMore: m1 runs 9 replicas where its autoscaler asks for 5")
	updated = 5 // four are of the old template: a rolling update
	wantSaid(t, Decide(w).Status, api.FedHPABooksAgree, "True BooksAgree")
	w.Members[0].Ready = false
	wantSaid(t, Decide(w).Status, api.FedHPABooksAgree, "Unknown MemberUnreachable")
}

// TestReleaseInARollingUpdate: pods of a surge are no replicas. They are waited for, and when that takes too long they are not counted
// either.
func TestReleaseInARollingUpdate(t *testing.T) {
	m := newModel(limits(2, 60), Counts{"m1": 20, "m2": 12})
	mustSettle(t, m)
	m.members["m1"].surge, m.members["m2"].surge = 5, 3
	m.deleting, m.deletedAt = true, m.now
	for range 20 {
		m.now = m.now.Add(5 * time.Second)
		for _, name := range []string{"m1", "m2"} {
			m.execute(name)
			m.report(name)
		}
		m.detect()
		m.read()
		m.write()
		m.reconcile(-1)
		if !m.gone && m.now.Sub(m.deletedAt) > 20*time.Second && m.now.Sub(m.deletedAt) < releasePatience {
			wantSaid(t, m.status, api.FedHPAReady, "False Releasing: m1 is updating its pods, 15 of 25 so far")
		}
	}
	if got := m.binding.clusters.String(); !m.gone || got != "m1=20,m2=12" || m.template.Replicas != 32 {
		t.Errorf("gone %v, the books say %s of %d", m.gone, got, m.template.Replicas)
	}
}

// TestForeignIsReserved: what a member runs that is somebody else's to scale is taken from the whole.
func TestForeignIsReserved(t *testing.T) {
	out := split.Divide(split.Input{Min: 2, Max: 20, Clusters: []split.Cluster{
		{Name: "m1", Current: 9, Weight: 1, Frozen: true, Last: &split.Range{Min: 9, Max: 9}},
		{Name: "m2", Current: 3, Weight: 1, Free: new(int32)},
	}})
	if out.Ranges[0].Max != 9 || out.Ranges[1].Max != 3 || out.Reserve != 8 {
		t.Errorf("%+v", out)
	}
}

// TestPolicyGone: without a policy Karmada brings no label into members, so nothing is being taken over. What was taken over before goes
// on.
func TestPolicyGone(t *testing.T) {
	m := newModel(limits(2, 20), Counts{"m1": 5, "m2": 3})
	m.reconcile(-1)
	w := m.world()
	w.Binding.Claimed = false
	plan := Decide(w)
	wantSaid(t, plan.Status, api.FedHPAReady, "False TargetNotPropagated: the policy that propagated the target is gone")
	if len(plan.Actions) != 0 {
		t.Errorf("actions %v, want none", actionsOf(plan))
	}
	m = settled(t)
	m.members["m1"].load = 7
	m.tick("m1")
	m.report("m1")
	w = m.world()
	w.Binding.Claimed = false
	plan = Decide(w)
	wantSaid(t, plan.Status, api.FedHPAReady,
		"True Active: members scale by themselves, and the control plane follows; no policy propagates the target any more")
	if diff := cmp.Diff([]ActionKind{WriteBinding, ScaleTemplate}, actionsOf(plan)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
