package cronhpa

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// TestHoldsAt: a write of the last minute is waited out, one of a clock that was ahead is not.
func TestHoldsAt(t *testing.T) {
	now := time.Date(2026, 5, 4, 8, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		applied *metav1.Time
		want    time.Time
	}{
		"never":                {nil, now},
		"just now":             {&metav1.Time{Time: now.Add(-10 * time.Second)}, now.Add(50 * time.Second)},
		"long ago":             {&metav1.Time{Time: now.Add(-time.Hour)}, now.Add(-59 * time.Minute)},
		"by a clock six ahead": {&metav1.Time{Time: now.Add(6 * time.Hour)}, now},
	} {
		t.Run(name, func(t *testing.T) {
			if got := holdsAt(&v1alpha1.OriginalBounds{AppliedTime: tc.applied}, now); !got.Equal(tc.want) {
				t.Errorf("put back at %s, want %s", got, tc.want)
			}
		})
	}
}
