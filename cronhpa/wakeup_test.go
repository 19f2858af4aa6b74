package cronhpa

import (
	"strconv"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"pgregory.net/rapid"
)

// TestWakeups compares the heap with a plain map: after any sequence of changes the same objects are due.
func TestWakeups(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
		wakes := newWakeups(clocktesting.NewFakeClock(start))
		want := map[types.NamespacedName]time.Time{}
		for range rapid.IntRange(0, 60).Draw(t, "changes") {
			key := types.NamespacedName{Name: strconv.Itoa(rapid.IntRange(0, 9).Draw(t, "object"))}
			after := rapid.IntRange(0, 100).Draw(t, "after")
			at := start.Add(time.Duration(after) * time.Second)
			if after == 0 {
				at = time.Time{}
				delete(want, key)
			} else {
				want[key] = at
			}
			wakes.set(key, at)
		}
		now := start.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "now")) * time.Second)
		for _, key := range wakes.due(now) {
			if at, ok := want[key]; !ok || at.After(now) {
				t.Fatalf("%v was woken, want it at %v", key, at)
			}
			delete(want, key)
		}
		var earliest time.Time
		for key, at := range want {
			if !at.After(now) {
				t.Fatalf("%v was due at %v and not woken", key, at)
			}
			if earliest.IsZero() || at.Before(earliest) {
				earliest = at
			}
		}
		if got, _ := wakes.earliest(); !got.Equal(earliest) {
			t.Fatalf("earliest() = %v, want %v", got, earliest)
		}
	})
}

func TestRetryDelayGrowsWithTheAge(t *testing.T) {
	for name, tc := range map[string]struct{ age, want time.Duration }{
		"at once":      {0, time.Second},
		"ten seconds":  {10 * time.Second, 5 * time.Second},
		"an hour late": {time.Hour, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			if got := retryDelay(tc.age); got != tc.want {
				t.Errorf("retryDelay(%v) = %v, want %v", tc.age, got, tc.want)
			}
		})
	}
}
