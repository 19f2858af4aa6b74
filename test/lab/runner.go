package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/argosy-dev/argosy/test/lab/process"
)

// runner starts units in the order their dependencies allow and keeps watch over their processes.
type runner struct {
	units []unit
	// changed is called after each change of state, without the lock.
	changed func(name string, state State, err error)

	mu      sync.Mutex
	entries map[string]*entry
	closed  bool
}

type entry struct {
	state State
	// ready is closed when the unit becomes ready, and made anew when it stops.
	ready chan struct{}
	child *process.Process
	err   error
	// Prepare and Finish run once.
	prepared, finished bool
}

func newRunner(units []unit, changed func(string, State, error)) *runner {
	r := &runner{units: units, changed: changed, entries: map[string]*entry{}}
	for _, u := range units {
		r.entries[u.Name] = &entry{state: Waiting, ready: make(chan struct{})}
	}
	return r
}

// start brings up the units that name selects ("" selects all) and returns when they are ready.
// If one fails the others are given up and the first cause is returned.
func (r *runner) start(ctx context.Context, name string) error {
	var todo []unit
	for _, u := range r.selected(name) {
		if state := r.state(u.Name); state != Ready && state != Starting {
			todo = append(todo, u)
		}
	}
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	var wg sync.WaitGroup
	for _, u := range todo {
		wg.Go(func() {
			if err := r.startOne(ctx, u, giveUp); err != nil {
				giveUp(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

func (r *runner) startOne(ctx context.Context, u unit, giveUp context.CancelCauseFunc) error {
	for _, name := range u.After {
		select {
		case <-r.readiness(name):
		case <-ctx.Done():
			return nil // somebody else's failure; it has been reported
		}
	}
	r.set(u.Name, Starting, nil)
	e := r.entry(u.Name)
	err := r.launch(ctx, u, e, giveUp)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		r.set(u.Name, Failed, err)
		return err
	}
	r.set(u.Name, Ready, nil)
	return nil
}

func (r *runner) launch(ctx context.Context, u unit, e *entry, giveUp context.CancelCauseFunc) error {
	if u.Prepare != nil && !e.prepared {
		if err := u.Prepare(ctx); err != nil {
			return fmt.Errorf("preparing %s: %w", u.Name, err)
		}
		e.prepared = true
	}
	if u.Process != nil {
		if err := r.serve(ctx, u, giveUp); err != nil {
			return err
		}
	}
	if err := poll(ctx, u); err != nil {
		return err
	}
	if u.Finish != nil && !e.finished {
		if err := u.Finish(ctx); err != nil {
			return fmt.Errorf("finishing %s: %w", u.Name, err)
		}
		e.finished = true
	}
	return nil
}

// serve starts a unit's process, anew as often as it may die, and returns when it serves.
func (r *runner) serve(ctx context.Context, u unit, giveUp context.CancelCauseFunc) error {
	for range u.Deaths {
		child, err := r.startProcess(u)
		if err != nil {
			return err
		}
		if err := child.WaitReady(ctx); child.Err() == nil {
			go r.watch(u, child, giveUp)
			return err
		}
		r.changed(u.Name, Starting, child.Err())
	}
	child, err := r.startProcess(u)
	if err != nil {
		return err
	}
	go r.watch(u, child, giveUp)
	return child.WaitReady(ctx)
}

// startProcess refuses once the lab is closing: a child started then would outlive it.
func (r *runner) startProcess(u unit) (*process.Process, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errors.New("the lab is closing")
	}
	child, err := process.Start(*u.Process)
	if err != nil {
		return nil, err
	}
	r.entries[u.Name].child = child
	return child, nil
}

// watch reports a process that ends unasked, and ends a start that waits for it or for others.
func (r *runner) watch(u unit, child *process.Process, giveUp context.CancelCauseFunc) {
	<-child.Done()
	if err := child.Err(); err != nil {
		giveUp(err)
		r.set(u.Name, Failed, err)
	}
}

func poll(ctx context.Context, u unit) error {
	if u.Check == nil {
		return nil
	}
	within := u.CheckWithin
	if within == 0 {
		within = 10 * time.Minute
	}
	var last error
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, within, true, func(ctx context.Context) (bool, error) {
		attempt, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		err := u.Check(attempt)
		if err != nil && (last == nil || ctx.Err() == nil) {
			last = err
		}
		return err == nil, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return fmt.Errorf("%s is not ready after %s: %w", u.Name, within, last)
	}
	return err
}

// stop kills the processes that name selects, as a power cut would.
func (r *runner) stop(name string) {
	var wg sync.WaitGroup
	for _, u := range r.selected(name) {
		wg.Go(func() {
			if child := r.child(u.Name); child != nil {
				child.Kill()
			}
			r.set(u.Name, Stopped, nil)
		})
	}
	wg.Wait()
}

// close kills everything, and lets nothing start any more.
func (r *runner) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.stop("")
}

func (r *runner) selected(name string) []unit {
	var out []unit
	for _, u := range r.units {
		if name == "" || u.matches(name) {
			out = append(out, u)
		}
	}
	return out
}

// check says whether name selects anything.
func (r *runner) check(name string) error {
	if len(r.selected(name)) > 0 {
		return nil
	}
	var names []string
	for _, u := range r.units {
		plane, _, _ := strings.Cut(u.Name, "/")
		names = append(names, plane, u.Name)
	}
	slices.Sort(names)
	return fmt.Errorf("no member or component is called %q; there are: %s", name, strings.Join(slices.Compact(names), ", "))
}

func (r *runner) entry(name string) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entries[name]
}

func (r *runner) child(name string) *process.Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entries[name].child
}

func (r *runner) state(name string) State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entries[name].state
}

// readiness is closed once the named unit is ready. An unknown name is an error of the lab's own
// list, found by its first start.
func (r *runner) readiness(name string) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[name]; e != nil {
		return e.ready
	}
	panic("lab: no unit is called " + name)
}

func (r *runner) set(name string, state State, err error) {
	r.mu.Lock()
	e := r.entries[name]
	if r.closed || e.state == state {
		r.mu.Unlock()
		return
	}
	if e.state == Ready {
		e.ready = make(chan struct{})
	}
	e.state, e.err = state, err
	if state == Ready {
		close(e.ready)
	}
	r.mu.Unlock()
	r.changed(name, state, err)
}

// UnitStatus is one line of `argosy-lab status`.
type UnitStatus struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	// PID is zero for a step and for a stopped process.
	PID int `json:"pid,omitempty"`
	// MemoryBytes is the process's proportional share of memory.
	MemoryBytes int64  `json:"memoryBytes,omitempty"`
	Error       string `json:"error,omitempty"`
}

func (r *runner) status() []UnitStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []UnitStatus
	for _, u := range r.units {
		e := r.entries[u.Name]
		s := UnitStatus{Name: u.Name, State: e.state}
		if e.err != nil {
			s.Error = e.err.Error()
		}
		if e.child != nil && e.state != Stopped && e.state != Failed {
			s.PID = e.child.PID()
			s.MemoryBytes = process.Memory(s.PID)
		}
		out = append(out, s)
	}
	return out
}
