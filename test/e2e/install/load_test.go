package install

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/utils/clock"
)

// question asks once. It is refused by an error, which a caller answers by asking again.
type question func(context.Context) error

var (
	// errFalse marks an answer that came and is not true: no retry excuses it.
	errFalse = errors.New("a false answer")
	// errOdd marks a refusal that a caller does not answer by asking again.
	errOdd = errors.New("an odd refusal")
)

// load is callers who ask without pause. A caller that is refused asks again, as Karmada's queues do.
type load struct {
	asked atomic.Int64
	stop  func()
	pulse *pulse

	mu sync.Mutex
	// excused questions were refused while the machine stood still. refused questions; how long the one that waited longest went without an answer, and why.
	excused int
	refused int
	longest time.Duration
	why     error
	wrong   error
}

// again is the pause before a refused question is repeated.
const again = 5 * time.Millisecond

func (h *host) startLoad(t *testing.T, callers ...question) *load {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	l := &load{pulse: h.pulse}
	var running sync.WaitGroup
	l.stop = func() { cancel(); running.Wait() }
	t.Cleanup(l.stop)
	for _, ask := range callers {
		running.Go(func() {
			for ctx.Err() == nil {
				l.one(ctx, ask)
			}
		})
	}
	NewWithT(t).Eventually(l.asked.Load).WithTimeout(patience).Should(BeNumerically(">", 200))
	return l
}

// one question, until it is answered.
func (l *load) one(ctx context.Context, ask question) {
	now := clock.RealClock{}
	start := now.Now()
	var why error
	for {
		err := ask(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil || errors.Is(err, errFalse) || errors.Is(err, errOdd) && !l.pulse.disturbed(start, now.Now()) {
			l.answered(err, why, start, now.Now())
			return
		}
		why = err
		<-now.After(again)
	}
}

func (l *load) answered(wrong, why error, start, now time.Time) {
	l.asked.Add(1)
	if wrong == nil && why == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if wrong == nil && l.pulse.disturbed(start, now) {
		l.excused++
		return
	}
	after := now.Sub(start)
	if wrong != nil {
		l.wrong = wrong
	}
	if why != nil {
		l.refused++
		if after > l.longest {
			l.longest, l.why = after, why
		}
	}
}

// goesOn waits for so many questions more.
func (l *load) goesOn(t *testing.T, more int64) {
	t.Helper()
	before := l.asked.Load()
	NewWithT(t).Eventually(l.asked.Load).WithTimeout(patience).Should(BeNumerically(">", before+more))
}

// goesOnFor waits for so many questions more, and no longer than this: for what happens in so much time, however fast the questions are.
func (l *load) goesOnFor(t *testing.T, more int64, atMost time.Duration) {
	t.Helper()
	now := clock.RealClock{}
	before, end := l.asked.Load(), now.Now().Add(atMost)
	NewWithT(t).Eventually(func() bool { return l.asked.Load() > before+more || now.Now().After(end) }).WithTimeout(patience).Should(BeTrue())
}

// ends stops the callers and fails if a question was without an answer for longer than this; 0 demands that none was refused.
func (l *load) ends(t *testing.T, what string, atMost time.Duration) {
	t.Helper()
	l.stop()
	t.Logf("%d questions while %s, %d asked again, the longest for %s; %d while the machine stood still", l.asked.Load(), what, l.refused, l.longest.Round(time.Millisecond), l.excused)
	if l.wrong != nil {
		t.Error(l.wrong)
	}
	if l.longest > atMost {
		t.Errorf("a question was without an answer for %s, want %s at most: %v", l.longest, atMost, l.why)
	}
}

func falsely(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errFalse, fmt.Sprintf(format, args...))
}
