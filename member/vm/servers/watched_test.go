package servers

import (
	"testing"
	"time"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// TestWatched: each process counts from its own first look at a server that is Unknown, and anew once it was something else.
func TestWatched(t *testing.T) {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	mine := &mind{}
	for i, step := range []struct {
		phase v1alpha1.ServerPhase
		want  time.Time
	}{
		{v1alpha1.ServerReady, time.Time{}},
		{v1alpha1.ServerUnknown, noon.Add(time.Second)},
		{v1alpha1.ServerUnknown, noon.Add(time.Second)},
		{v1alpha1.ServerInitializing, time.Time{}},
		{v1alpha1.ServerUnknown, noon.Add(4 * time.Second)},
	} {
		if got := mine.watch(step.phase, noon.Add(time.Duration(i)*time.Second)); !got.Equal(step.want) {
			t.Errorf("look %d: watched since %s, want %s", i, got, step.want)
		}
	}
}
