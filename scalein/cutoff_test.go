package scalein

import (
	"testing"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

// TestCutOffUnderWay: an order that a rollback meets ends where it is. Neither replicas nor the hold on the scheduler are touched any more.
func TestCutOffUnderWay(t *testing.T) {
	for name, tc := range map[string]struct {
		change    func(*facts)
		wantPhase v1alpha1.PodScaleInPhase
	}{
		"accepted":         {change: func(*facts) {}, wantPhase: v1alpha1.PhaseRefused},
		"binding lowered":  {change: func(f *facts) { f.binding.lowered = "id-1" }, wantPhase: v1alpha1.PhaseFailed},
		"template lowered": {change: func(f *facts) { f.binding.lowered, f.template.lowered = "id-1", "id-1" }, wantPhase: v1alpha1.PhaseFailed},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFederation(map[string]int32{"member1": 4, "member2": 3}, "member1-pod-0").facts()
			f.order.Status.RequestID = "id-1"
			f.template.cutOff = true
			tc.change(&f)
			if got := next(f); got.do != nothing || !got.done || got.phase != tc.wantPhase || got.reason != v1alpha1.ReasonCutOff {
				t.Errorf("%+v", got)
			}
		})
	}
}
