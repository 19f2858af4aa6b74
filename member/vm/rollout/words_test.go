package rollout

import (
	"testing"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// TestConditionsThatAreFalse say what is so: of a release that does not go on, that it goes on is not.
func TestConditionsThatAreFalse(t *testing.T) {
	for name, tc := range map[string]struct {
		servers string
		edit    func(*v1alpha1.VMDeployment)
		stalled string
		paused  string
	}{
		"under way": {"nooo", func(*v1alpha1.VMDeployment) {}, "it goes on", "spec.paused holds nothing"},
		"over":      {"nnnn", func(*v1alpha1.VMDeployment) {}, "the rollout is over", "spec.paused holds nothing"},
		"paused": {"nooo", func(d *v1alpha1.VMDeployment) { d.Spec.Paused = true },
			"spec.paused holds it, and that is no stall", "spec.paused holds the release where it is"},
		"between batches, for a person": {"nnoo", func(d *v1alpha1.VMDeployment) { d.Spec.Strategy.PauseBetween = v1alpha1.PauseApproval },
			"it waits for a person, and that is no stall", "spec.paused holds nothing"},
		"between batches, for some time": {"nnoo", func(d *v1alpha1.VMDeployment) {
			d.Spec.Strategy.PauseBetween, d.Spec.Strategy.PauseSeconds = v1alpha1.PauseSeconds, ptr.To[int32](90)
		}, "it waits between two batches, as strategy.pauseBetween asks", "spec.paused holds nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			d := deployment("50%", "50%")
			tc.edit(d)
			status := Decide(Input{Deployment: d, Release: release("2"), Revision: "web-2", Servers: servers(tc.servers), Now: noon}).Status
			for kind, want := range map[string]string{v1alpha1.ConditionStalled: tc.stalled, v1alpha1.ConditionPaused: tc.paused} {
				if have := apimeta.FindStatusCondition(status.Conditions, kind); have.Message != want {
					t.Errorf("%s %s: %q, want %q", kind, have.Status, have.Message, want)
				}
			}
			if status.Version != "2" {
				t.Errorf("version %q", status.Version)
			}
		})
	}
}
