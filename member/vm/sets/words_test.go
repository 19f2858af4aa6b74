package sets

import (
	"testing"

	apimeta "k8s.io/apimachinery/pkg/api/meta"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// TestConditionsThatAreFalse say what is so, not what would make them True.
func TestConditionsThatAreFalse(t *testing.T) {
	w := &work{set: &v1alpha1.VMReplicaSet{}}
	for kind, want := range map[string]string{
		v1alpha1.ConditionPaused:            "spec.paused holds nothing",
		v1alpha1.ConditionMachineChangeHeld: "no server keeps a machine of an older template",
		v1alpha1.ConditionAwaitingApproval:  "no operation waits for a person",
		v1alpha1.ConditionReplicaFailure:    "nothing is in the way",
	} {
		if have := apimeta.FindStatusCondition(w.conditions(v1alpha1.VMReplicaSetStatus{}, 1), kind); have.Message != want {
			t.Errorf("%s %s: %q, want %q", kind, have.Status, have.Message, want)
		}
	}
	w.set.Spec.Paused = true
	held := apimeta.FindStatusCondition(w.conditions(v1alpha1.VMReplicaSetStatus{HeldReplicas: 1}, 1), v1alpha1.ConditionMachineChangeHeld)
	if held.Message != "one server keeps a machine of an older template" {
		t.Errorf("%q", held.Message)
	}
	paused := w.paused()
	if paused.Message != "spec.paused: no server is made, changed or taken away, but by failover" {
		t.Errorf("%q", paused.Message)
	}
}
