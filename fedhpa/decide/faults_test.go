package decide

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// settled is a FedHPA at rest: m1 runs 5, m2 runs 3.
func settled(t *testing.T) *model {
	t.Helper()
	m := newModel(limits(2, 20), Counts{"m1": 5, "m2": 3})
	mustSettle(t, m)
	return m
}

// schedule writes a scheduling result over whatever is there.
func (m *model) schedule(replicas int32, clusters Counts) {
	m.binding.replicas, m.binding.clusters = replicas, clusters
	m.binding.generation++
	m.binding.observed = m.binding.generation
	m.binding.version++
}

func saying(status api.FedHPAStatus, kind string) string {
	c := meta.FindStatusCondition(status.Conditions, kind)
	if c == nil {
		return "nothing"
	}
	return string(c.Status) + " " + c.Reason + ": " + c.Message
}

func wantSaid(t *testing.T, status api.FedHPAStatus, kind, want string) {
	t.Helper()
	if got := saying(status, kind); !strings.HasPrefix(got, want) {
		t.Errorf("%s = %q, want %q", kind, got, want)
	}
}

func actionsOf(p Plan) []ActionKind {
	var out []ActionKind
	for _, a := range p.Actions {
		out = append(out, a.Kind)
	}
	return out
}

// TestOverwrittenWhileAway: a scheduler that divides a pushed count does not know better than the ledger what a member runs that cannot
// be asked.
func TestOverwrittenWhileAway(t *testing.T) {
	m := settled(t)
	m.members["m2"].ready = false
	m.template.Replicas = 16
	m.schedule(16, Counts{"m1": 4, "m2": 12})
	m.reconcile(-1)
	if got := m.binding.clusters.String(); got != "m1=5,m2=3" || m.template.Replicas != 8 || m.overwrites != 1 {
		t.Errorf("books %s, template %d, overwrites %d", got, m.template.Replicas, m.overwrites)
	}
}

// TestMaxLoweredWhileAway: night limits come while a member cannot be asked that may run far more than they allow. What it is known to
// run counts, not what it might: the others are cut to what is left of max, and not to nothing.
func TestMaxLoweredWhileAway(t *testing.T) {
	m := newModel(limits(2, 100), Counts{"m1": 30, "m2": 10})
	mustSettle(t, m)
	m.members["m2"].ready = false
	m.spec.MaxReplicas = 20
	m.generation++
	if err := m.settle(); err != nil {
		t.Fatal(err)
	}
	if got := m.members["m1"].replicas; got != 10 {
		t.Errorf("m1 runs %d beside the 10 of the member that is away, want the other 10 of 20", got)
	}
	// It comes down with its load and does not grow again: the room is the other's.
	m.members["m1"].load = 4
	if err := m.settle(); err != nil {
		t.Fatal(err)
	}
	m.members["m1"].load = 30
	if err := m.settle(); err != nil {
		t.Fatal(err)
	}
	if got := m.members["m1"].replicas; got > 10 {
		t.Errorf("m1 runs %d, above what was left of max", got)
	}
	m.members["m2"].ready = true
	mustSettle(t, m)
	if got := m.binding.clusters.Sum(); got > 20 {
		t.Errorf("with both there %s run, above 20", m.binding.clusters)
	}
}

// TestLowCountPushedPastTheWebhook: a count so low that the scheduler leaves clusters out. Nothing ails them, so they are put back as
// large as they were.
func TestLowCountPushedPastTheWebhook(t *testing.T) {
	cases := map[string]struct {
		replicas int32
		result   Counts
		change   func(*World)
		want     string
	}{
		"put back":                             {2, Counts{"m1": 2}, func(*World) {}, "m1=6,m2=2,m3=1"},
		"a cluster that cannot be reached":     {8, Counts{"m1": 6, "m2": 2}, func(w *World) { w.Members[2].Ready = false }, "m1=6,m2=2"},
		"a cluster that is no longer let in":   {8, Counts{"m1": 6, "m2": 2}, func(w *World) { w.Members[2].Eligible = false }, "m1=6,m2=2"},
		"a movement keeps the sum":             {9, Counts{"m1": 7, "m2": 2}, func(*World) {}, ""},
		"an eviction is the scheduler's to do": {8, Counts{"m1": 6, "m2": 2}, func(w *World) { w.Binding.Evicting = []string{"m3"} }, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			m := newModel(limits(3, 20), Counts{"m1": 6, "m2": 2, "m3": 1})
			mustSettle(t, m)
			m.template.Replicas = tc.replicas
			m.schedule(tc.replicas, tc.result)
			w := m.world()
			tc.change(&w)
			written := ""
			for _, a := range Decide(w).Actions {
				if a.Kind == WriteBinding {
					written = a.Counts.String()
				}
			}
			if written != tc.want {
				t.Errorf("the books are written %q, want %q", written, tc.want)
			}
		})
	}
}

// TestScaledToZeroAndBack: zero is obeyed, and what comes back runs what it was given, not what autoscalers of before remember.
func TestScaledToZeroAndBack(t *testing.T) {
	m := settled(t)
	play := func() {
		for range 3 {
			m.detect()
			m.read()
			m.write()
			m.deliver(false)
			for _, name := range []string{"m1", "m2"} {
				m.execute(name)
				m.report(name)
			}
			m.reconcile(-1)
		}
	}
	m.template.Replicas = 0
	// Before the detector has told the binding, the sum must not be written over the zero.
	if plan := Decide(m.world()); len(plan.Actions) != 0 {
		t.Errorf("before the binding knows: %v", actionsOf(plan))
	}
	play()
	if m.template.Replicas != 0 || m.members["m1"].hpaWork != nil || m.binding.ledger != nil || m.status.CurrentReplicas != 0 {
		t.Fatalf("at zero: %s\n%+v", m, m.status)
	}
	wantSaid(t, m.status, api.FedHPAReady, "False TargetNotScheduled: the target is scaled to zero")
	wantSaid(t, m.status, api.FedHPABooksAgree, "Unknown TargetNotScheduled")
	m.template.Replicas = 4
	play()
	if got := m.binding.clusters.Sum(); got != 4 || m.template.Replicas != 4 {
		t.Errorf("back with 4, the books say %s of %d", m.binding.clusters, m.template.Replicas)
	}
	mustSettle(t, m)
	wantSaid(t, m.status, api.FedHPAReady, "True Active")
}

// TestWorkloadLost: an autoscaler that does not find its workload says what was, and that is not written down.
func TestWorkloadLost(t *testing.T) {
	m := settled(t)
	w := m.world()
	w.Members[0].HPA.Lost, w.Members[0].HPA.Fault, w.Members[0].HPA.Desired = true, "web not found (FailedGetScale)", 9
	plan := Decide(w)
	if got := plan.Status.CurrentReplicas; got != 8 || len(plan.Actions) != 0 {
		t.Errorf("runs %d, actions %v, want 8 and none", got, actionsOf(plan))
	}
	wantSaid(t, plan.Status, api.FedHPAMembersScaling,
		"False MemberNotScaling: m1: the member's autoscaler cannot scale: web not found (FailedGetScale)")
}

// TestImpossibleBounds: limits that cannot be divided are said. Those of before stay, and the books go on with the members.
func TestImpossibleBounds(t *testing.T) {
	for name, bounds := range map[string]Bounds{
		"crossed":  {Min: 30, Max: 20, From: "CronHPA nightly, rule peak"},
		"zero":     {Min: 0, Max: 20, From: "CronHPA nightly, rule peak"},
		"too high": {Min: 1, Max: 2_000_000_000, From: "CronHPA nightly, rule peak"},
	} {
		t.Run(name, func(t *testing.T) {
			m := settled(t)
			m.members["m1"].load = 7
			m.tick("m1")
			m.report("m1")
			w := m.world()
			w.Bounds = bounds
			plan := Decide(w)
			if diff := cmp.Diff([]ActionKind{WriteBinding, ScaleTemplate}, actionsOf(plan)); diff != "" {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
			if plan.Status.MinReplicas != 2 || plan.Status.MaxReplicas != 20 {
				t.Errorf("in force are %d..%d", plan.Status.MinReplicas, plan.Status.MaxReplicas)
			}
			wantSaid(t, plan.Status, api.FedHPAReady, "False InvalidBounds: the limits asked for (from CronHPA nightly, rule peak) are")
		})
	}
}

// TestPodsRefused: pods that a quota refuses are said after a while, and neither the books nor the running pods' limits fall for it.
func TestPodsRefused(t *testing.T) {
	m := settled(t)
	m.members["m1"].load = 9
	m.tick("m1")
	m.tick("m1") // which sees that the count of the first is the workload's
	m.report("m1")
	look := func(after time.Duration) Plan {
		m.now = m.now.Add(after)
		w := m.world()
		w.Members[0].Unschedulable, w.Members[0].Workload.Replicas, w.Members[0].Workload.Ready = 4, 5, 5
		plan := Decide(w)
		m.status = plan.Status
		if got := plan.Status.CurrentReplicas; got != 12 {
			t.Errorf("after %s the FedHPA says %d run, want what the autoscaler holds: 12", after, got)
		}
		for _, a := range plan.Actions {
			if a.Kind == SendAutoscaler && a.Cluster == "m1" && a.Range.Max < 5 {
				t.Errorf("after %s m1 is sent %+v, where 5 run", after, a.Range)
			}
		}
		return plan
	}
	look(0)
	plan := look(pendingNoted)
	wantSaid(t, plan.Status, api.FedHPACapacitySufficient, "False PodsPending: pods wait for room or are refused by a quota: 4 in m1")
	look(pendingLong)
	m.report("m1")
	m.now = m.now.Add(time.Second)
	wantSaid(t, Decide(m.world()).Status, api.FedHPACapacitySufficient, "True Sufficient: no pods wait for room")
}

// TestTargetGone: nothing is touched, and no condition goes on saying what nobody looks at.
func TestTargetGone(t *testing.T) {
	m := settled(t)
	w := m.world()
	w.Template, w.Binding = nil, nil
	plan := Decide(w)
	if len(plan.Actions) != 0 {
		t.Errorf("actions %v, want none", actionsOf(plan))
	}
	for _, c := range plan.Status.Conditions {
		want := metav1.ConditionUnknown
		if c.Type == api.FedHPAReady {
			want = metav1.ConditionFalse
		}
		if c.Status != want || c.Reason != api.FedHPAReasonTargetNotFound {
			t.Errorf("%s = %s %s, want %s", c.Type, c.Status, c.Reason, want)
		}
	}
	m.status = plan.Status
	for _, c := range m.reconcile(-1).Status.Conditions {
		if c.Status != metav1.ConditionTrue {
			t.Errorf("back again, %s = %s %s: %s", c.Type, c.Status, c.Reason, c.Message)
		}
	}
}

// TestWorkloadOnItsWay: a cluster that Karmada has not brought the workload to is waited for; that is no fault to warn of.
func TestWorkloadOnItsWay(t *testing.T) {
	for name, tc := range map[string]struct {
		workload *Workload
		want     string
		warns    bool
	}{
		"no Work yet": {nil, "False TakingOver: m1: the workload, or its autoscaler's first look at it, is on its way", false},
		"not taken yet": {
			&Workload{Retained: true},
			"False TakingOver: m1: the workload, or its autoscaler's first look at it, is on its way",
			false,
		},
		"not looked at": {
			&Workload{Retained: true, Applied: true},
			"False TakingOver: m1: the workload, or its autoscaler's first look at it, is on its way",
			false,
		},
		"refused": {
			&Workload{Retained: true, Message: "no such namespace"},
			"False MemberNotScaling: m1: the workload could not be applied: no such namespace",
			true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := settled(t).world()
			w.Members[0].HPA, w.Members[0].Workload = nil, tc.workload
			plan := Decide(w)
			wantSaid(t, plan.Status, api.FedHPAMembersScaling, tc.want)
			warned := false
			for _, e := range plan.Events {
				warned = warned || e.Warning
			}
			if warned != tc.warns {
				t.Errorf("events %+v", plan.Events)
			}
		})
	}
}

// TestReleaseWithoutAPolicy: where no policy propagates the workload any more, the template gets its replicas back all the same.
func TestReleaseWithoutAPolicy(t *testing.T) {
	m := settled(t)
	m.deleting, m.deletedAt = true, m.now
	w := m.world()
	w.Binding = nil
	plan := Decide(w)
	if diff := cmp.Diff([]ActionKind{DeleteAutoscaler, DeleteAutoscaler}, actionsOf(plan)); diff != "" {
		t.Errorf("with autoscalers in members (-want +got):\n%s", diff)
	}
	wantSaid(t, plan.Status, api.FedHPAReady, "False Releasing: the autoscalers of m1, m2 are being removed")
	w.Members = nil
	if diff := cmp.Diff([]ActionKind{ClearRetain, RemoveFinalizer}, actionsOf(Decide(w))); diff != "" {
		t.Errorf("when they are gone (-want +got):\n%s", diff)
	}
	w.Template = nil
	if diff := cmp.Diff([]ActionKind{RemoveFinalizer}, actionsOf(Decide(w))); diff != "" {
		t.Errorf("when the template is gone too (-want +got):\n%s", diff)
	}
}

// TestTheSameFaultIsSaidOnce: members ill with the same are one sentence, and Ready is False while nobody scales.
func TestTheSameFaultIsSaidOnce(t *testing.T) {
	m := settled(t)
	w := m.world()
	for i := range w.Members {
		w.Members[i].HPA.Fault = "no metrics (FailedGetResourceMetric)"
	}
	plan := Decide(w)
	const want = "False MemberNotScaling: m1, m2: the member's autoscaler cannot scale: no metrics (FailedGetResourceMetric)"
	if got := saying(plan.Status, api.FedHPAMembersScaling); got != want {
		t.Errorf("MembersScaling = %q, want %q", got, want)
	}
	wantSaid(t, plan.Status, api.FedHPAReady,
		"False MemberNotScaling: no member's autoscaler works: m1, m2: the member's autoscaler cannot scale")
	w.Members[1].HPA.Fault = ""
	wantSaid(t, Decide(w).Status, api.FedHPAReady,
		"True Active: the control plane follows the members, but not all is well with them: see MembersScaling")
}
