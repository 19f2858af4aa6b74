package cronhpa

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/cronhpa/schedule"
)

// unwritten holds firings whose target is set and whose result is not in the status yet. When thousands are due at once
// every target is set before the first result is written: the queue is first come, first served, and a result waits
// behind the firings that came with it.
//
// It spares a second write of the target and holds no truth: after a crash the next leader finds the firing due and sets
// the same number again.
type unwritten struct {
	mu    sync.Mutex
	byKey map[types.NamespacedName]applied
}

// applied is one firing whose target is set.
type applied struct {
	uid        types.UID
	generation int64
	firing     schedule.Firing
	// now is the instant the reconcile decided at: deciding at it again leads to the same firing.
	now       time.Time
	calendars Calendars
	target    target
	outcome   outcome
	// at is when the API server had answered.
	at time.Time
}

func newUnwritten() *unwritten { return &unwritten{byKey: map[types.NamespacedName]applied{}} }

func (u *unwritten) keep(cron *v1alpha1.CronHPA, s applied) {
	s.uid, s.generation = cron.UID, cron.Generation
	u.mu.Lock()
	defer u.mu.Unlock()
	u.byKey[client.ObjectKeyFromObject(cron)] = s
}

// of is the firing of this object that still is without its result, and the decision that led to it. It outlives the
// writing of the result: only an object that shows the result, or another spec, ends it. So a cache that lags behind
// never makes a firing come twice.
func (u *unwritten) of(cron *v1alpha1.CronHPA) (s applied, d decision, ok bool) {
	key := client.ObjectKeyFromObject(cron)
	u.mu.Lock()
	s, ok = u.byKey[key]
	u.mu.Unlock()
	if !ok {
		return s, d, false
	}
	if s.uid == cron.UID && s.generation == cron.Generation {
		if d = decide(cron, s.calendars, s.now); d.plan.Apply != nil && *d.plan.Apply == s.firing {
			return s, d, true
		}
	}
	u.forget(key)
	return s, d, false
}

func (u *unwritten) forget(key types.NamespacedName) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.byKey, key)
}
