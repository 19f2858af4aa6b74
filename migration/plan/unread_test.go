package plan

import (
	"strings"
	"testing"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// A template that cannot be read, of a kind there are no rights for, say, is told of, and stops no rollback.
func TestARollbackReadsNoTemplate(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseFederated)
	// The API server answers with a refusal instead of the template, which Karmada itself goes on to see.
	blind := func() World {
		w := f.world()
		w.Control.Unread = map[Ref]string{webConfig: "forbidden"}
		return w
	}
	said := Next(blind())
	if said.Status.Blocked != v1alpha1.ReasonUnreadable {
		t.Errorf("blocked by %q, want %s", said.Status.Blocked, v1alpha1.ReasonUnreadable)
	}
	f.entry = nil
	for range 20 {
		decision := Next(blind())
		f.status = *decision.Status.DeepCopy()
		for _, action := range decision.Actions {
			f.apply(action)
		}
		for _, reaction := range reactions {
			reaction.run(f)
		}
		f.invariants()
	}
	if f.status.Phase != v1alpha1.PhaseCutOff {
		t.Fatalf("phase %s: %+v", f.status.Phase, f.status.Conditions)
	}
	for _, condition := range f.status.Conditions {
		if condition.Type == v1alpha1.ConditionAdvancing && !strings.Contains(condition.Message, "configmap/web could not be read") {
			t.Errorf("message %q", condition.Message)
		}
	}
}
