// Package machine is all that tests know of the machine they run on: that it may be slow, and may stand still.
//
// Tests run on machines that others use too. Such a machine is slow at times, and at times it stands still for seconds: no process works,
// then all go on, each with its timers run out. What is seen then says nothing about a program, and a test that takes it for an answer is
// red without a fault. A test that excuses too much, however, is green with one. So there are four excuses and no others, each with a
// ceiling; a test that needs another one is wrong about what it demands.
//
//  1. Waiting: what is to come true may take as long as Patience. It costs nothing when all is well, and is no aim: where a time is
//     promised, a test demands that time, in words of its own.
//  2. Asking again: what an API server could not do just now is asked again by clients of lab.Patient, and for programs that tests run by
//     lab.PatientKubeconfig. They count per test, print what they counted, and stop at a ceiling. A webhook of ours that failed is never
//     asked again and fails the test, unless it was late while the machine stood still.
//  3. Looking again: a test that demands that nothing changes looks by Answered, for that nobody answers is not yet a change.
//  4. Trying again: what must happen within so much time, or must not happen at all, is tried anew when the machine stood still
//     meanwhile (Watch.Disturbed), at most Tries times. A try that needed an excuse proves nothing: it never passes, and a test whose every
//     try needed one fails as inconclusive.
package machine

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
)

const (
	// Patience is how long anything may take to come true on a busy machine, where no aim is stated.
	Patience = 6 * time.Minute
	// Tries is how often something may be tried because the machine stood still.
	Tries = 5
	// Echo is how long after the machine went on connections end and replicas are missing for what ran out meanwhile: longer than they may
	// take to stop.
	Echo = 40 * time.Second

	beat = 20 * time.Millisecond
	// still is a pause between two beats that no busy machine makes.
	still = time.Second
)

// Watch notices when the machine stands still. It beats in the test's process, so a program that is slow by its own fault does not disturb
// it.
type Watch struct {
	out io.Writer

	mu sync.Mutex
	// last beat, and when the machine went on after it had stood still.
	last, wentOn time.Time
}

// This is the watch of the machine that the process runs on. It begins with the first call and ends with the process.
var This = sync.OnceValue(func() *Watch {
	now := clock.RealClock{}
	w := &Watch{out: os.Stderr, last: now.Now()}
	go func() {
		for range time.Tick(beat) {
			w.beats(now.Now())
		}
	}()
	return w
})

func (w *Watch) beats(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if pause := now.Sub(w.last); pause > still {
		fmt.Fprintf(w.out, "the machine stood still for %s\n", pause.Round(time.Millisecond))
		w.wentOn = now
	}
	w.last = now
}

// Disturbed tells whether the machine stood still at some time from start until now, or so short before that it still shows.
func (w *Watch) Disturbed(start, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	// The beat after a pause may come only after the question that asks here.
	return now.Sub(w.last) > still || w.wentOn.After(start.Add(-Echo))
}

// Answered looks until somebody answers, for as long as Patience.
func Answered[T any](ctx context.Context, look func(context.Context) (T, error)) (seen T, err error) {
	_ = wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, Patience, true, func(ctx context.Context) (bool, error) {
		seen, err = look(ctx)
		return err == nil, nil
	})
	return seen, err
}
