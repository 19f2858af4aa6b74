package decide

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// TestReleaseNeedsToSeeTheTarget: as long as the target is there and cannot be read, nothing is let go of; what is left on it and on its
// binding would keep its replicas from everybody.
func TestReleaseNeedsToSeeTheTarget(t *testing.T) {
	m := settled(t)
	m.deleting, m.deletedAt = true, m.now
	w := m.world()
	w.Template, w.Problem = nil, &Problem{api.FedHPAReasonTargetForbidden, "no right to scale Deployment"}
	plan := Decide(w)
	if len(plan.Actions) != 0 {
		t.Errorf("actions %v, want none", actionsOf(plan))
	}
	wantSaid(t, plan.Status, api.FedHPAReady, "False Releasing: no right to scale Deployment")
	wantSaid(t, plan.Status, api.FedHPAMembersScaling, "Unknown Releasing")
	// A kind that is gone took the target with it; a binding that is still there may be the next target's.
	w.Problem, w.Members = &Problem{api.FedHPAReasonTargetKindUnknown, "no such kind"}, nil
	if diff := cmp.Diff([]ActionKind{ClearLedger, RemoveFinalizer}, actionsOf(Decide(w))); diff != "" {
		t.Errorf("without the kind (-want +got):\n%s", diff)
	}
}

// TestReleaseFromADuplicatingPolicy: where the policy was changed before, no count of ours is true any more: none is written, and none is
// waited for.
func TestReleaseFromADuplicatingPolicy(t *testing.T) {
	m := settled(t)
	m.deleting, m.deletedAt = true, m.now
	m.schedule(8, Counts{"m1": 8, "m2": 8})
	w := m.world()
	w.Binding.Divided = false
	if diff := cmp.Diff([]ActionKind{DeleteAutoscaler, DeleteAutoscaler}, actionsOf(Decide(w))); diff != "" {
		t.Errorf("with autoscalers in members (-want +got):\n%s", diff)
	}
	for i := range w.Members {
		w.Members[i].HPA = nil
	}
	plan := Decide(w)
	if diff := cmp.Diff([]ActionKind{ClearRetain, ClearLedger, RemoveFinalizer}, actionsOf(plan)); diff != "" {
		t.Errorf("when they are gone (-want +got):\n%s", diff)
	}
	const want = "the policy duplicates replicas: every cluster is given the template's 8"
	if len(plan.Events) != 1 || plan.Events[0].Message != want {
		t.Errorf("told %+v, want %q", plan.Events, want)
	}
}

// TestReleaseAtZero: who scales to zero and deletes the FedHPA at once gets zero, whichever Karmada hears of first.
func TestReleaseAtZero(t *testing.T) {
	m := settled(t)
	m.deleting, m.deletedAt = true, m.now
	m.template.Replicas = 0
	plan := Decide(m.world())
	if len(plan.Actions) != 0 {
		t.Errorf("before the binding knows: %v", actionsOf(plan))
	}
	wantSaid(t, plan.Status, api.FedHPAReady, "False Releasing: the target was scaled to zero")
	if err := m.settle(); err != nil {
		t.Fatal(err)
	}
	if !m.gone || m.template.Replicas != 0 || m.template.Retain || m.members["m1"].exists {
		t.Errorf("in the end: %s\n%+v", m, m.status.Conditions)
	}
}

// TestReleaseWaitsForTheWorks: the template without its label and the binding of before it would set a member back to a count that is long
// over. The label goes when every Work says what the books say; a Work that never does is not waited for for ever.
func TestReleaseWaitsForTheWorks(t *testing.T) {
	m := settled(t)
	was := m.members["m1"].work.replicas
	m.members["m1"].load += 3
	for range 5 {
		m.now = m.now.Add(30 * time.Second)
		m.tick("m1")
		m.report("m1")
		m.reconcile(-1)
		m.deliver(true)
	}
	runs := m.members["m1"].replicas
	if m.binding.clusters["m1"] != runs || m.members["m1"].work.replicas != was || runs == was {
		t.Fatalf("the book says %d, the Work %d, and %d run", m.binding.clusters["m1"], m.members["m1"].work.replicas, runs)
	}
	m.deleting, m.deletedAt = true, m.now
	for range 10 {
		m.now = m.now.Add(2 * time.Second)
		m.reconcile(-1)
		m.read()
		m.write()
		m.deliver(true)
		for _, name := range []string{"m1", "m2"} {
			m.execute(name)
			m.report(name)
		}
	}
	if !m.template.Retain || m.members["m1"].replicas != runs {
		t.Errorf("retained %t while the Work says %d; m1 runs %d, want %d", m.template.Retain, m.members["m1"].work.replicas,
			m.members["m1"].replicas, runs)
	}
	wantSaid(t, m.status, api.FedHPAReady, "False Releasing: Karmada has not yet written")
	if err := m.settle(); err != nil {
		t.Fatal(err)
	}
	if !m.gone || m.template.Retain || m.members["m1"].replicas != runs || len(m.faults) > 0 {
		t.Errorf("in the end: %s, m1 runs %d, want %d, faults %v", m, m.members["m1"].replicas, runs, m.faults)
	}
	late := settled(t)
	late.deleting, late.deletedAt = true, late.now.Add(-releasePatience)
	late.status.ReleasingSince = &metav1.Time{Time: late.deletedAt}
	late.members["m1"].work.replicas += 5
	w := late.world()
	for i := range w.Members {
		w.Members[i].HPA = nil
	}
	if diff := cmp.Diff([]ActionKind{NoteLettingGo, ClearRetain}, actionsOf(Decide(w))); diff != "" {
		t.Errorf("after the patience (-want +got):\n%s", diff)
	}
	w.Template.Retain, w.Template.RetainOurs, w.Binding.LettingGo = false, false, true
	if diff := cmp.Diff([]ActionKind{ReturnReplicas, RemoveFinalizer}, actionsOf(Decide(w))); diff != "" {
		t.Errorf("without the label, after the patience (-want +got):\n%s", diff)
	}
}

// TestReleaseBesideAnOldTemplate: Karmada's detector holds a template of before the sum, and is slow. It writes that count over the binding
// once it can: the ledger, by which the webhook keeps the sum, must outlast it.
func TestReleaseBesideAnOldTemplate(t *testing.T) {
	m := settled(t)
	m.members["m1"].load += 4
	m.find()
	runs := m.members["m1"].load
	m.deleting, m.deletedAt = true, m.now
	for range 20 {
		m.now = m.now.Add(2 * time.Second)
		m.tick("m1")
		m.reconcile(-1)
		m.read()
		m.write()
		m.deliver(false)
		for _, name := range []string{"m1", "m2"} {
			m.execute(name)
			m.report(name)
		}
	}
	if m.gone || m.template.Retain || m.binding.ledger == nil {
		t.Fatalf("before the detector is done: %s", m)
	}
	wantSaid(t, m.status, api.FedHPAReady, "False Releasing: Karmada has not yet made the ResourceBinding from the template without its label")
	if err := m.settle(); err != nil {
		t.Fatal(err)
	}
	if !m.gone || m.binding.ledger != nil || m.members["m1"].replicas != runs || len(m.faults) > 0 {
		t.Errorf("in the end: %s, m1 runs %d, want %d, faults %v", m, m.members["m1"].replicas, runs, m.faults)
	}
}

// TestReleaseKeepsAPush: who scales the template between the label and the ledger gets what was asked for.
func TestReleaseKeepsAPush(t *testing.T) {
	m := settled(t)
	m.deleting, m.deletedAt = true, m.now
	for i := 0; m.template.Retain && i < 20; i++ {
		m.now = m.now.Add(2 * time.Second)
		m.detect()
		m.reconcile(-1)
		m.read()
		m.write()
		m.deliver(false)
		for _, name := range []string{"m1", "m2"} {
			m.execute(name)
			m.report(name)
		}
	}
	want := m.template.Replicas + 3
	m.template.Replicas = want
	m.version++
	if err := m.settle(); err != nil {
		t.Fatal(err)
	}
	if !m.gone || m.template.Replicas != want || m.binding.clusters.Sum() != want {
		t.Errorf("in the end: %s, want %d", m, want)
	}
}

// TestReleaseInAnyOrder: whatever Karmada holds in its hands when a FedHPA is deleted, however late it lets go of it, and however often the
// controller dies, no member loses a replica, then or later.
func TestReleaseInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(limits(2, 20), Counts{"m1": 5, "m2": 3})
		mustSettle(t, m)
		for range rapid.IntRange(1, 40).Draw(t, "before") {
			if rapid.IntRange(0, 9).Draw(t, "what") == 0 {
				m.members["m1"].load = rapid.Int32Range(0, 15).Draw(t, "load")
			}
			m.step(t)
		}
		m.deleting, m.deletedAt = true, m.now
		for range rapid.IntRange(1, 120).Draw(t, "after") {
			m.step(t)
			m.now = m.deletedAt // within the patience for a Karmada that does nothing
		}
		if err := m.settle(); err != nil {
			t.Fatal(err)
		}
		runs := m.binding.clusters.String()
		for range 40 {
			m.step(t)
		}
		if !m.gone || len(m.faults) > 0 || m.binding.clusters.String() != runs {
			t.Fatalf("%s after %s: %v", m, runs, m.faults)
		}
	})
}

// TestReleaseByALateReport: an autoscaler took a member from 3 to 7 replicas, which its own status told at once; the workload's report of 3
// arrives after that, and looks as good as any. The member itself is asked; one that cannot be is waited for.
func TestReleaseByALateReport(t *testing.T) {
	for name, tc := range map[string]struct {
		asked  *int32
		unread string
		want   string
	}{
		"the member is read":   {asked: new(int32(7))},
		"it cannot be reached": {unread: "connection refused", want: "False Releasing: what the workload asks for in m1 could not be read"},
		"it is in pull mode":   {want: "False Releasing: m1 reports 3 replicas where 7 were last known"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newModel(limits(2, 20), Counts{"m1": 7, "m2": 3})
			mustSettle(t, m)
			m.spec.ScaleTargetRef.Name = "web"
			m.deleting, m.deletedAt = true, m.now
			w := m.world()
			for i := range w.Members {
				w.Members[i].HPA = nil
				if w.Members[i].Name == "m1" {
					w.Members[i].Workload.Replicas, w.Members[i].Workload.Ready, w.Members[i].Workload.Updated = 3, 3, new(int32(3))
					w.Members[i].Workload.Asked, w.Members[i].Workload.Unread = tc.asked, tc.unread
				}
			}
			plan := Decide(w)
			if tc.want == "" {
				if diff := cmp.Diff([]ActionKind{NoteLettingGo, ClearRetain}, actionsOf(plan)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				return
			}
			wantSaid(t, plan.Status, api.FedHPAReady, tc.want)
			w.Status, w.Now = plan.Status, w.Now.Add(releasePatience)
			for _, a := range Decide(w).Actions {
				if a.Kind == WriteBinding {
					t.Errorf("after the patience the count is lowered to %s", a.Counts)
				}
			}
		})
	}
}
