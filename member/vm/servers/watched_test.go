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

// TestDoubt: who is silent among too many others is not believed lost before it had time to answer after them.
func TestDoubt(t *testing.T) {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	mine := &mind{}
	for i, step := range []struct {
		distrusted bool
		want       time.Time
	}{
		{false, time.Time{}},
		{true, noon.Add(31 * time.Second)},
		{true, noon.Add(32 * time.Second)},
		{false, noon.Add(32 * time.Second)},
		{false, noon.Add(32 * time.Second)},
	} {
		if have := mine.doubt(step.distrusted, noon.Add(time.Duration(i)*time.Second), 10*time.Second); !have.Equal(step.want) {
			t.Errorf("look %d: doubted until %s, want %s", i, have, step.want)
		}
	}
}
