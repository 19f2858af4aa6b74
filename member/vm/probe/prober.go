package probe

import (
	"container/heap"
	"context"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// workers is how many servers are asked at once.
const workers = 64

// Target is a server to ask.
type Target struct {
	UID types.UID
	// Name is namespace/name.
	Name types.NamespacedName
	// Set is what the server is compared with: nobody is blind about a single one.
	Set types.NamespacedName
	// Allowed is how many of the set may fail at once.
	Allowed int
	Address string
	Check   *v1alpha1.HealthCheck
	// Ports, where there are any, are dialled instead of what Check asks: an answer at any of them passes, and a refusal is one. Check then
	// says how often, and how many answers count.
	Ports []int32
	// Epoch changes with all that makes the server another one: its release, boot, address and check.
	Epoch string
	// Verdict that an earlier process wrote down, for a server that is new here.
	Verdict Verdict
	// Up says that the server is known to have answered before: one that is new here, or another since, is not coming up.
	Up bool
}

// Opinion about a server.
type Opinion struct {
	Verdict Verdict
	Message string
	// Blind says why it is not trusted; empty: it is.
	Blind string
	// Elsewhere is Blind of those servers alone that were up before; while it is set, one that comes up and does not answer may be well.
	Elsewhere string
}

// Prober asks the servers it was told of, each at its period.
type Prober struct {
	clock clock.WithTicker
	asker asker
	// tell is called with a server whose opinion changed. It must not wait.
	tell func(types.NamespacedName)

	mu      sync.Mutex
	targets map[types.UID]*entry
	sets    map[types.NamespacedName]map[types.UID]*entry
	// queue has the targets that are not being asked, the next one first.
	queue   queue
	changed chan struct{}
	lag     func(time.Duration)
}

// Options of a Prober.
type Options struct {
	// Clock; nil is this machine's.
	Clock clock.WithTicker
	// Tell of a server whose opinion changed. It must not wait.
	Tell func(types.NamespacedName)
	// Lag is told how late each probe began; nil: nobody is.
	Lag func(time.Duration)
}

// New prober, which asks nobody before it runs.
func New(o Options) *Prober {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	return &Prober{
		clock: o.Clock, asker: newAsker(), tell: o.Tell, lag: o.Lag, targets: map[types.UID]*entry{},
		sets: map[types.NamespacedName]map[types.UID]*entry{}, changed: make(chan struct{}, 1),
	}
}

// Watch a server, and say what is known of it. One that changed is asked anew, at once.
func (p *Prober) Watch(t Target) Opinion {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, now := p.targets[t.UID], p.clock.Now()
	switch {
	case e == nil:
		e = &entry{Target: t, watch: Resume(t.Verdict, t.Up, now), due: now, at: nowhere}
		if t.Verdict != NotKnown {
			// Those of a process that just began are spread over the period.
			e.due = now.Add(spread(t.UID, period(t.Check)))
		}
		p.targets[t.UID] = e
		heap.Push(&p.queue, e)
		p.wake()
	case e.Epoch != t.Epoch:
		e.watch, e.due = Resume(NotKnown, t.Up, now), now
		if e.at != nowhere {
			heap.Fix(&p.queue, e.at)
		}
		p.wake()
	}
	p.leave(e)
	e.Target = t
	if p.sets[t.Set] == nil {
		p.sets[t.Set] = map[types.UID]*entry{}
	}
	p.sets[t.Set][t.UID] = e
	e.told = p.opinion(e)
	return e.told
}

// leave the set it was counted with.
func (p *Prober) leave(e *entry) {
	delete(p.sets[e.Set], e.UID)
	if len(p.sets[e.Set]) == 0 {
		delete(p.sets, e.Set)
	}
}

// Forget a server.
func (p *Prober) Forget(uid types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.targets[uid]
	if e == nil {
		return
	}
	p.leave(e)
	delete(p.targets, uid)
	if e.at != nowhere {
		heap.Remove(&p.queue, e.at)
	}
}

func (p *Prober) wake() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

func period(check *v1alpha1.HealthCheck) time.Duration {
	return time.Duration(max(1, check.PeriodSeconds)) * time.Second
}

// spread is the server's own moment within the period.
func spread(uid types.UID, period time.Duration) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(uid))
	return time.Duration(h.Sum32()) % period
}

func (p *Prober) opinion(e *entry) Opinion {
	out := Opinion{Verdict: e.watch.Verdict, Message: e.watch.Message}
	if e.watch.failing() {
		set := p.set(e.Set)
		out.Blind = Blind(set, e.Allowed)
		out.Elsewhere = Blind(slices.DeleteFunc(set, func(w Watch) bool { return !w.Up }), e.Allowed)
	}
	return out
}

func (p *Prober) set(name types.NamespacedName) []Watch {
	out := make([]Watch, 0, len(p.sets[name]))
	for _, e := range p.sets[name] {
		out = append(out, e.watch)
	}
	return out
}

// Start asks until the context ends.
func (p *Prober) Start(ctx context.Context) error {
	turns := make(chan struct{}, workers)
	for {
		wait := p.round(turns)
		timer := p.clock.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-p.changed:
			timer.Stop()
		case <-timer.C():
		}
	}
}

// round begins what is due, and says how long nothing else is.
func (p *Prober) round(turns chan struct{}) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue) > 0 {
		e := p.queue[0]
		if wait := e.due.Sub(p.clock.Now()); wait > 0 {
			return wait
		}
		select {
		case turns <- struct{}{}:
			heap.Pop(&p.queue)
			go p.probe(e, e.Target, e.due, func() { <-turns })
		default:
			return time.Second // all are at work: whoever ends wakes this
		}
	}
	return time.Minute
}

// probe one server as it is now, and say so if that changes anything.
func (p *Prober) probe(e *entry, t Target, due time.Time, done func()) {
	result := Result{Due: due, Started: p.clock.Now()}
	if p.lag != nil {
		p.lag(result.Started.Sub(due))
	}
	if len(t.Ports) > 0 {
		result.Passed, result.Message = dial(t.Address, t.Ports, timeout(t.Check))
	} else if result.Passed, result.Message = p.asker.ask(t.Address, t.Check); !result.Passed {
		result.Message = what(t.Address, t.Check) + ": " + result.Message
	}
	done()
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.wake()
	if p.targets[t.UID] != e {
		return // forgotten meanwhile
	}
	if e.Epoch == t.Epoch {
		e.watch = e.watch.Note(t.Check, result)
		if e.due = due.Add(period(t.Check)); e.due.Before(p.clock.Now()) {
			e.due = p.clock.Now().Add(spread(t.UID, period(t.Check)))
		}
	}
	heap.Push(&p.queue, e)
	p.compare(e.Set)
}

// compare what is thought of a set's servers with what was told, and tell of what is new.
func (p *Prober) compare(set types.NamespacedName) {
	for _, e := range p.sets[set] {
		now := p.opinion(e)
		doubts := (now.Blind == "") != (e.told.Blind == "") || (now.Elsewhere == "") != (e.told.Elsewhere == "")
		if now.Verdict != e.told.Verdict || doubts {
			e.told = now
			p.tell(e.Name)
		}
	}
}
