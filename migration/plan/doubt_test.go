package plan

import (
	"testing"
	"time"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// TestOneMissedLookIsNoFailure: a pod that was not ready once is looked at twice more; when it is not ready again the application is rolled
// back, and when it is well both times it goes on as if nothing had been.
func TestOneMissedLookIsNoFailure(t *testing.T) {
	for name, tc := range map[string]struct {
		ready  []bool
		failed bool
	}{
		"once":              {ready: []bool{false, true, true}},
		"twice in a row":    {ready: []bool{false, false}, failed: true},
		"first and last":    {ready: []bool{false, true, false}, failed: true},
		"once, later again": {ready: []bool{false, true, true, false, true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFederation(t)
			f.settle(v1alpha1.PhaseSoaking)
			for _, ready := range tc.ready {
				f.members["a"].pods[0].Ready = ready
				f.step(-1)
				// Looks that follow each other closely are one.
				f.now = f.now.Add(2 * time.Second)
				f.step(-1)
				f.now = f.now.Add(betweenLooks)
			}
			if failed := f.status.Failure != nil; failed != tc.failed {
				t.Fatalf("failure %+v, want one: %v", f.status.Failure, tc.failed)
			}
			if tc.failed {
				return
			}
			for _, cluster := range f.status.Clusters {
				if cluster.Doubt != nil {
					t.Errorf("doubted still: %+v", cluster.Doubt)
				}
			}
			f.settle(v1alpha1.PhaseFederated)
		})
	}
}
