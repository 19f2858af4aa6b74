package nemesis

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// Hostile carries faults out.
type Hostile struct {
	Lab     *lab.Lab
	Wires   *Wires
	Karmada client.Client
	Members map[string]client.Client
	Clock   clock.Clock
	// Find is an application's template: kind, namespace and name.
	Find func(app string) *unstructured.Unstructured
	// Note puts a note into the history.
	Note func(context.Context, history.Note) error

	mu       sync.Mutex
	happened map[string]int
	failed   []string
}

// fault is how one is done. begin returns the proof that it happened (true), and what ends it.
type fault func(ctx context.Context, h *Hostile, f Fault) (subject *history.Key, end func(context.Context) (bool, error), err error)

var faults = map[string]fault{
	Kill: kill, Pause: pause,
	CutOff: wire(Cut), HalfClosed: wire(HalfOpen), Slowed: wire(Slow), Refused: wire(Refuse),
	Taint: taint, Cordon: cordon, Rebalance: rebalance,
	HandScale: handScale, Unseen: handScale, HandDelete: handDelete, HandWork: handWork, HandBook: handBinding,
}

// ends is how long a fault's end may take: a process that is started must serve.
const ends = 3 * time.Minute

// Play carries out a schedule; it returns when all faults have ended. A context that ends makes them end early.
func (h *Hostile) Play(ctx context.Context, schedule []Fault) {
	var wg sync.WaitGroup
	begun := h.Clock.Now()
	for _, f := range schedule {
		wg.Go(func() {
			if h.sleep(ctx, f.At-h.Clock.Since(begun)) {
				h.do(ctx, f)
			}
		})
	}
	wg.Wait()
}

func (h *Hostile) sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-h.Clock.After(d):
		return true
	}
}

func (h *Hostile) do(ctx context.Context, f Fault) {
	always := context.WithoutCancel(ctx)
	note := history.Note{Kind: history.Fault, Name: f.Name, Target: f.Target}
	if err := h.tell(always, note); err != nil {
		h.fail(f, err)
		return
	}
	subject, end, err := faults[f.Name](ctx, h, f)
	note.Subject, note.Ends = subject, true
	if err != nil {
		h.fail(f, err)
	} else {
		h.sleep(ctx, f.For)
		within, cancel := context.WithTimeout(always, ends)
		defer cancel()
		happened, err := end(within)
		h.count(f, happened, err)
		note.Value = 1
	}
	if err := h.tell(always, note); err != nil {
		h.fail(f, err)
	}
}

// tell notes a fault, unless it is the one that nobody is told of.
func (h *Hostile) tell(ctx context.Context, note history.Note) error {
	if note.Name == Unseen {
		return nil
	}
	return h.Note(ctx, note)
}

func (h *Hostile) fail(f Fault, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed = append(h.failed, fmt.Sprintf("%s %s: %v", f.Name, f.Target, err))
}

func (h *Hostile) count(f Fault, happened bool, err error) {
	if err != nil {
		h.fail(f, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.happened == nil {
		h.happened = map[string]int{}
	}
	if happened {
		h.happened[f.Name]++
	}
}

// Happened is how often each nemesis is known to have happened, and what could not be done.
func (h *Hostile) Happened() (map[string]int, []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.happened, h.failed
}
