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

// errFalse marks an answer that came and is not true: no retry excuses it.
var errFalse = errors.New("a false answer")

// load is callers who ask without pause. A caller that is refused asks again, as Karmada's queues do.
type load struct {
	asked atomic.Int64
	stop  func()

	mu sync.Mutex
	// refused questions; how long the one that waited longest went without an answer, and why.
	refused int
	longest time.Duration
	why     error
	wrong   error
}

// again is the pause before a refused question is repeated.
const again = 5 * time.Millisecond

func startLoad(t *testing.T, atMost time.Duration, callers ...question) *load {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), atMost)
	l := &load{}
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
		if err == nil || errors.Is(err, errFalse) {
			l.answered(err, why, now.Since(start))
			return
		}
		why = err
		<-now.After(again)
	}
}

func (l *load) answered(wrong, why error, after time.Duration) {
	l.asked.Add(1)
	if wrong == nil && why == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
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

// ends stops the callers and fails if a question was without an answer for longer than this; 0 demands that none was refused.
func (l *load) ends(t *testing.T, what string, atMost time.Duration) {
	t.Helper()
	l.stop()
	t.Logf("%d questions while %s, %d asked again, the longest for %s", l.asked.Load(), what, l.refused, l.longest.Round(time.Millisecond))
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
