package ask

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

// Bounds of an Asker.
const (
	// workers is how many questions are under way at once; the others wait for their turn.
	workers = 16
	// firstRetry, doubled with each failure, and at most lastRetry, is how long a question rests that was not answered.
	firstRetry, lastRetry = 5 * time.Second, 5 * time.Minute
)

// Object is whom a question is about.
type Object struct {
	UID  types.UID
	Name types.NamespacedName
}

// Question to a system. Two of one ID about one object are one question.
type Question[T any] struct {
	Object
	ID string
	// Timeout of a try.
	Timeout time.Duration
	// Again is after how long an answer is asked for anew, 0 never; nil: never.
	Again func(T) time.Duration
	Ask   func(context.Context) (T, error)
}

// Answer is the last that was heard.
type Answer[T any] struct {
	Value T
	// OK: there was an answer, at At. It stays while it is asked for anew.
	OK bool
	At time.Time
	// Err of the last try; nil: it was answered, or none has ended.
	Err error
	// Tries in a row that failed.
	Tries int
	// Wake is when to ask next; zero: whoever asked is told, or there is nothing to wait for.
	Wake time.Time
}

type entry[T any] struct {
	Answer[T]
	ended   time.Time
	pending bool
}

// Asker asks while it runs: it is a manager's Runnable.
type Asker[T any] struct {
	clock clock.PassiveClock
	// tell of an object about which something was heard. It must not wait.
	tell  func(types.NamespacedName)
	turns chan struct{}

	mu    sync.Mutex
	ctx   context.Context
	known map[types.UID]map[string]*entry[T]
	// asking are the questions under way.
	asking sync.WaitGroup
}

// New asker.
func New[T any](now clock.PassiveClock, tell func(types.NamespacedName)) *Asker[T] {
	return &Asker[T]{clock: now, tell: tell, turns: make(chan struct{}, workers), known: map[types.UID]map[string]*entry[T]{}}
}

// Start lets questions be asked until the context ends, and those under way with it.
func (a *Asker[T]) Start(ctx context.Context) error {
	a.mu.Lock()
	a.ctx = ctx
	a.mu.Unlock()
	<-ctx.Done()
	a.mu.Lock()
	a.ctx = nil
	a.mu.Unlock()
	a.asking.Wait()
	return nil
}

// Ask gives what is known, and asks in the background if it is time to.
func (a *Asker[T]) Ask(q Question[T]) Answer[T] {
	a.mu.Lock()
	defer a.mu.Unlock()
	e, now := a.known[q.UID][q.ID], a.clock.Now()
	if e == nil {
		e = &entry[T]{}
		if a.known[q.UID] == nil {
			a.known[q.UID] = map[string]*entry[T]{}
		}
		a.known[q.UID][q.ID] = e
	}
	if e.pending {
		return e.Answer
	}
	next, again := e.next(q)
	switch {
	case !again:
	case now.Before(next):
		e.Wake = next
	case a.ctx == nil || a.ctx.Err() != nil:
		e.Wake = now.Add(time.Second) // it does not run yet, or any more
	default:
		e.pending, e.Wake = true, time.Time{}
		ctx := a.ctx
		a.asking.Go(func() { a.put(ctx, q, e) })
	}
	return e.Answer
}

// next is when the question may be asked, if ever again.
func (e *entry[T]) next(q Question[T]) (time.Time, bool) {
	switch {
	case e.Err != nil:
		wait := firstRetry
		for range min(e.Tries-1, 10) {
			wait *= 2
		}
		return e.ended.Add(min(wait, lastRetry)), true
	case !e.OK:
		return time.Time{}, true
	case q.Again == nil:
		return time.Time{}, false
	}
	after := q.Again(e.Value)
	return e.ended.Add(after), after > 0
}

func (a *Asker[T]) put(ctx context.Context, q Question[T], e *entry[T]) {
	a.turns <- struct{}{}
	bounded, cancel := context.WithTimeout(ctx, q.Timeout)
	value, err := q.Ask(bounded)
	cancel()
	<-a.turns
	a.mu.Lock()
	e.pending, e.ended, e.Err = false, a.clock.Now(), err
	if err != nil {
		e.Tries++
	} else {
		e.Value, e.OK, e.At, e.Tries = value, true, e.ended, 0
	}
	current := a.known[q.UID][q.ID] == e
	a.mu.Unlock()
	if current && ctx.Err() == nil {
		a.tell(q.Name)
	}
}

// Keep of an object's questions those of these IDs: what is heard about the others is nobody's.
func (a *Asker[T]) Keep(object types.UID, ids ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	kept := map[string]*entry[T]{}
	for _, id := range ids {
		if e := a.known[object][id]; e != nil {
			kept[id] = e
		}
	}
	if a.known[object] = kept; len(kept) == 0 {
		delete(a.known, object)
	}
}
