package demo

import (
	"testing"
	"time"
)

// TestStopwatch: only stalls are left out; a federation that is slow is measured as such.
func TestStopwatch(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		looks []time.Duration
		want  time.Duration
	}{
		"looks in time": {[]time.Duration{100 * time.Millisecond, 300 * time.Millisecond, time.Second}, time.Second},
		"a stall": {
			[]time.Duration{100 * time.Millisecond, 30 * time.Second, 30*time.Second + 200*time.Millisecond}, 300 * time.Millisecond,
		},
	} {
		t.Run(name, func(t *testing.T) {
			watch, got := stopwatch{last: start}, time.Duration(0)
			for _, at := range tc.looks {
				got = watch.look(start.Add(at))
			}
			if got != tc.want {
				t.Errorf("measured %s, want %s", got, tc.want)
			}
		})
	}
}
