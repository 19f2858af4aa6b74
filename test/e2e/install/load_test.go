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

	"github.com/argosy-dev/argosy/test/lab/machine"
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
	// asked questions had an answer that needed no excuse.
	asked atomic.Int64
	// atMost is how long a question may be without an answer; 0 demands that none is refused.
	atMost time.Duration
	stop   func()
	// disturbed tells whether the machine stood still, machine.Watch.
	disturbed func(start, now time.Time) bool

	mu sync.Mutex
	// excused questions were refused, oddly or for too long, while the machine stood still.
	excused int
	// refused questions, how long the one that waited longest went without an answer, and why.
	refused int
	longest time.Duration
	why     error
	wrong   error
}

// again is the pause before a refused question is repeated.
const again = 5 * time.Millisecond

func startLoad(t *testing.T, atMost time.Duration, callers ...question) *load {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	l := &load{atMost: atMost, disturbed: machine.This().Disturbed}
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
	l.goesOn(t, 200)
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
		if err == nil || errors.Is(err, errFalse) || errors.Is(err, errOdd) && !l.disturbed(start, now.Now()) {
			l.ended(err, why, start, now.Now())
			return
		}
		// That a refusal was odd is not forgotten over a later one.
		if !errors.Is(why, errOdd) {
			why = err
		}
		<-now.After(again)
	}
}

// ended counts a question: what was wrong with its answer, and why it was refused before.
func (l *load) ended(wrong, why error, start, now time.Time) {
	if wrong == nil && why == nil {
		l.asked.Add(1)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	after := now.Sub(start)
	if wrong == nil && (after > l.atMost || errors.Is(why, errOdd)) && l.disturbed(start, now) {
		l.excused++
		return
	}
	l.asked.Add(1)
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

// goesOn waits for so many answers more that need no excuse.
func (l *load) goesOn(t *testing.T, more int64) {
	t.Helper()
	before := l.asked.Load()
	NewWithT(t).Eventually(l.asked.Load).WithTimeout(machine.Patience).Should(BeNumerically(">", before+more))
}

// goesOnFor waits for so many answers more, and no longer than this: for what happens in so much time, however fast the questions are.
func (l *load) goesOnFor(t *testing.T, more int64, atMost time.Duration) {
	t.Helper()
	now := clock.RealClock{}
	before, end := l.asked.Load(), now.Now().Add(atMost)
	NewWithT(t).Eventually(func() bool { return l.asked.Load() > before+more || now.Now().After(end) }).WithTimeout(machine.Patience).
		Should(BeTrue())
}

// ends stops the callers and fails if a question was without an answer for too long. It tells whether that proves anything: not if one
// needed an excuse.
func (l *load) ends(t *testing.T, what string) (conclusive bool) {
	t.Helper()
	l.stop()
	t.Logf("%d questions while %s, %d asked again, the longest for %s; %d more needed the excuse that the machine stood still", l.asked.Load(),
		what, l.refused,
		l.longest.Round(time.Millisecond), l.excused)
	if l.wrong != nil {
		t.Error(l.wrong)
	}
	if l.longest > l.atMost {
		t.Errorf("a question was without an answer for %s, want %s at most: %v", l.longest, l.atMost, l.why)
	}
	return l.excused == 0
}

// conclusively tries until nothing needed an excuse.
func conclusively(t *testing.T, try func() (conclusive bool)) {
	t.Helper()
	settle := func() { <-clock.RealClock{}.After(machine.Echo) }
	if !inTries(func() bool { return try() || t.Failed() }, settle) {
		t.Fatalf("inconclusive: the machine stood still in each of %d tries", machine.Tries)
	}
}

// inTries tells whether one of the tries that a still machine is granted came to an end; between them the machine settles.
func inTries(try func() bool, settle func()) bool {
	for tries := 1; !try(); tries++ {
		if tries == machine.Tries {
			return false
		}
		settle()
	}
	return true
}

func falsely(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errFalse, fmt.Sprintf(format, args...))
}
