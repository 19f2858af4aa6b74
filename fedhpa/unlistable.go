package fedhpa

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
)

// unlistableFor is how long a kind that may not be listed is not waited for again.
const unlistableFor = 2 * time.Minute

// unlistable remembers kinds that the controllers may not list. A cache never answers for them, and each look would hold a worker until its
// patience is over.
type unlistable struct {
	clock clock.PassiveClock

	mu    sync.Mutex
	since map[schema.GroupVersionKind]time.Time
}

func (u *unlistable) add(kind schema.GroupVersionKind) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.since[kind] = u.clock.Now()
}

func (u *unlistable) has(kind schema.GroupVersionKind) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	since, known := u.since[kind]
	if known && u.clock.Since(since) >= unlistableFor {
		delete(u.since, kind)
		known = false
	}
	return known
}
