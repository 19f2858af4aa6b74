package install

import (
	"sync"
	"testing"
	"time"

	"k8s.io/utils/clock"
)

// pulse notices when this machine stands still, as a shared one does at times: what happened then, and right after it, says nothing about a program, whose timers
// ran out while nobody could work. It beats in this process, so a program that is slow by its own fault does not disturb it.
type pulse struct {
	mu sync.Mutex
	// last beat, and when the machine went on after it had stood still.
	last, wentOn time.Time
}

const (
	beat = 20 * time.Millisecond
	// still is a pause between two beats that no busy machine makes.
	still = time.Second
	// echo is how long after it connections end and replicas are missing for what ran out meanwhile: longer than they may take to stop.
	echo = 40 * time.Second
)

func newPulse(t *testing.T) *pulse {
	now := clock.RealClock{}
	p := &pulse{last: now.Now()}
	done := make(chan struct{})
	var running sync.WaitGroup
	t.Cleanup(func() { close(done); running.Wait() })
	running.Go(func() {
		ticker := time.NewTicker(beat)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				p.beats(t, now.Now())
			}
		}
	})
	return p
}

func (p *pulse) beats(t *testing.T, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pause := now.Sub(p.last); pause > still {
		t.Logf("the machine stood still for %s", pause.Round(time.Millisecond))
		p.wentOn = now
	}
	p.last = now
}

// disturbed tells whether the machine stood still at some time from start until now, or so short before that it still shows.
func (p *pulse) disturbed(start, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	// The beat after a pause may come only after the question that asks here.
	return now.Sub(p.last) > still || p.wentOn.After(start.Add(-echo))
}

func TestPulse(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		beats    []time.Duration
		from, at time.Duration
		want     bool
	}{
		"regular":                 {beats: []time.Duration{beat, 2 * beat, 3 * beat}, at: 3 * beat},
		"busy":                    {beats: []time.Duration{still}, at: still},
		"it stood still":          {beats: []time.Duration{3 * still}, at: 3 * still, want: true},
		"nobody has noticed yet":  {beats: []time.Duration{beat}, at: 3 * still, want: true},
		"it stood still before":   {beats: []time.Duration{3 * still, 3*still + beat}, from: 3*still + 1, at: 3*still + beat, want: true},
		"it stood still long ago": {beats: []time.Duration{3 * still, 3*still + beat}, from: 4*still + echo, at: 3*still + beat},
	} {
		t.Run(name, func(t *testing.T) {
			p := &pulse{last: start}
			for _, after := range tc.beats {
				p.beats(t, start.Add(after))
			}
			if got := p.disturbed(start.Add(tc.from), start.Add(tc.at)); got != tc.want {
				t.Errorf("disturbed: %v, want %v", got, tc.want)
			}
		})
	}
}
