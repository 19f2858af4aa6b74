package fedhpa

import (
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/argosy-dev/argosy/fedhpa/decide"
)

// toldAfter is how long a condition may give the same reason for not being True without an event: what lasts a minute is told within it,
// also by a process that looks late.
const toldAfter = 40 * time.Second

// lasting remembers since when conditions have given a reason for not being True: their own times are those of their status, which stays
// while reasons change. A process that starts anew counts anew.
type lasting struct {
	lock sync.Mutex
	of   map[types.NamespacedName]map[string]doubt
}

// doubt is a reason that some condition of a FedHPA gives.
type doubt struct {
	since time.Time
	told  bool
}

// look takes in what is said now, and what events tell of it. It returns what nobody has told of, though it lasts, and after how long to
// look again; zero is never.
func (l *lasting) look(fed types.NamespacedName, conditions []metav1.Condition, events []decide.Event, now time.Time,
) (untold []decide.Event, again time.Duration) {
	l.lock.Lock()
	defer l.lock.Unlock()
	before, after := l.of[fed], map[string]doubt{}
	for _, c := range conditions {
		if _, twice := after[c.Reason]; c.Status == metav1.ConditionTrue || twice {
			continue
		}
		d, known := before[c.Reason]
		if !known {
			d.since = now
		}
		for _, e := range events {
			d.told = d.told || e.Reason == c.Reason
		}
		switch left := toldAfter - now.Sub(d.since); {
		case d.told:
		case left <= 0:
			d.told = true
			untold = append(untold, decide.Event{Warning: true, Reason: c.Reason, Message: c.Type + ": " + c.Message})
		case again == 0 || left < again:
			again = left
		}
		after[c.Reason] = d
	}
	if l.of == nil {
		l.of = map[types.NamespacedName]map[string]doubt{}
	}
	if l.of[fed] = after; len(after) == 0 {
		delete(l.of, fed)
	}
	return untold, again
}

func (l *lasting) forget(fed types.NamespacedName) {
	l.lock.Lock()
	defer l.lock.Unlock()
	delete(l.of, fed)
}
