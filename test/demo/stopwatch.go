package demo

import (
	"sync"
	"time"

	"k8s.io/utils/clock"
)

const (
	// glance is how often a stopwatch looks at the clock.
	glance = 100 * time.Millisecond
	// stall is the time between two glances from which on it was not the federation that took so long: this process was not let run.
	stall = time.Second
)

// stopwatch measures time but for stalls of this process, and so of the machine.
type stopwatch struct {
	mu      sync.Mutex
	last    time.Time
	counted time.Duration
}

// look counts the time since the last look.
func (w *stopwatch) look(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if gap := now.Sub(w.last); gap < stall {
		w.counted += gap
	}
	w.last = now
	return w.counted
}

func (w *stopwatch) run(end <-chan struct{}, c clock.PassiveClock) {
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		select {
		case <-end:
			return
		case <-tick.C:
			w.look(c.Now())
		}
	}
}
