package plan

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// A node is drained while an application is taken over. The pods' successors are of the same revision: nothing is rolled back, and nobody
// reads that every pod is the one it was.
func TestADrainedNodeIsNoted(t *testing.T) {
	for _, phase := range []v1alpha1.Phase{v1alpha1.PhaseOpening, v1alpha1.PhaseSoaking} {
		t.Run(string(phase), func(t *testing.T) {
			f := newFederation(t)
			f.settle(phase)
			f.drain("a", 2)
			if decision := f.step(-1); len(decision.Events) == 0 || decision.Events[0].Reason != v1alpha1.ReasonPodsReplaced ||
				!decision.Events[0].Warning {
				t.Errorf("events %+v, want a warning that pods were replaced", decision.Events)
			}
			if decision := f.step(-1); strings.Contains(strings.Join(reasonsOf(decision), " "), v1alpha1.ReasonPodsReplaced) {
				t.Error("it is told twice")
			}
			f.settle(v1alpha1.PhaseFederated)
			if f.status.Failure != nil {
				t.Fatalf("failed: %+v", f.status.Failure)
			}
			last := f.status.History[len(f.status.History)-1].Message
			unchanged := meta.FindStatusCondition(f.status.Conditions, v1alpha1.ConditionUnchanged).Message
			for _, text := range []string{last, unchanged} {
				if !strings.Contains(text, "replaced by others of the same revision meanwhile: 2 in a") {
					t.Errorf("%q does not tell of the pods that were replaced", text)
				}
			}
		})
	}
}

// A pod that came since is watched like the first ones.
func TestASuccessorMustNotRestart(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseSoaking)
	f.drain("a", 1)
	f.run(1)
	f.members["a"].pods[0].Restarts++
	f.run(1)
	if f.status.Failure == nil || f.status.Failure.Reason != v1alpha1.ReasonEvidenceChanged {
		t.Errorf("failure %+v, want that its container restarted", f.status.Failure)
	}
}

func reasonsOf(decision Decision) []string {
	var out []string
	for _, event := range decision.Events {
		out = append(out, event.Reason)
	}
	return out
}
