package decide

import (
	"testing"

	"github.com/google/go-cmp/cmp"

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
