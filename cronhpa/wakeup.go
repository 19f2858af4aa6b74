package cronhpa

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// longestNap bounds one wait, so that a clock set forward is noticed: timers run on monotonic time, timetables on the wall
// clock.
const longestNap = 30 * time.Second

// wakeups is the controller's one timer: it holds when each object is to be looked at next and puts those that are due
// into the work queue. It holds nothing that is not derived from the objects; a new leader fills it anew.
type wakeups struct {
	clock clock.Clock

	mu    sync.Mutex
	heap  wakeHeap
	byKey map[types.NamespacedName]*wake
	// sooner tells the timer that the earliest wake-up moved forward.
	sooner chan struct{}
}

type wake struct {
	key   types.NamespacedName
	at    time.Time
	index int
}

func newWakeups(clock clock.Clock) *wakeups {
	return &wakeups{clock: clock, byKey: map[types.NamespacedName]*wake{}, sooner: make(chan struct{}, 1)}
}

// set replaces the object's wake-up; a zero time removes it.
func (w *wakeups) set(key types.NamespacedName, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	item, known := w.byKey[key]
	switch {
	case at.IsZero() && known:
		heap.Remove(&w.heap, item.index)
		delete(w.byKey, key)
		return
	case at.IsZero():
		return
	case known:
		item.at = at
		heap.Fix(&w.heap, item.index)
	default:
		item = &wake{key: key, at: at}
		w.byKey[key] = item
		heap.Push(&w.heap, item)
	}
	if item.index == 0 {
		select {
		case w.sooner <- struct{}{}:
		default:
		}
	}
}

// earliest is the next wake-up.
func (w *wakeups) earliest() (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.heap) == 0 {
		return time.Time{}, false
	}
	return w.heap[0].at, true
}

// due takes out every object whose time has come.
func (w *wakeups) due(now time.Time) []types.NamespacedName {
	w.mu.Lock()
	defer w.mu.Unlock()
	var keys []types.NamespacedName
	for len(w.heap) > 0 && !w.heap[0].at.After(now) {
		item := heap.Pop(&w.heap).(*wake)
		delete(w.byKey, item.key)
		keys = append(keys, item.key)
	}
	return keys
}

// Start is the source's part of the contract with controller-runtime: it runs until the context ends.
func (w *wakeups) Start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	go w.run(ctx, queue)
	return nil
}

func (w *wakeups) run(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	for {
		for _, key := range w.due(w.clock.Now()) {
			queue.Add(reconcile.Request{NamespacedName: key})
		}
		nap := longestNap
		if at, ok := w.earliest(); ok {
			nap = min(nap, max(at.Sub(w.clock.Now()), 0))
		}
		timer := w.clock.NewTimer(nap)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-w.sooner:
			timer.Stop()
		case <-timer.C():
		}
	}
}

// wakeHeap is a heap of wake-ups, the earliest first.
type wakeHeap []*wake

func (h wakeHeap) Len() int           { return len(h) }
func (h wakeHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h wakeHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push and Pop are heap.Interface's.
func (h *wakeHeap) Push(x any) {
	item := x.(*wake)
	item.index = len(*h)
	*h = append(*h, item)
}

func (h *wakeHeap) Pop() any {
	old := *h
	item := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return item
}
