package conditions

import (
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ToldAfter is how long a condition may give the same reason for not being True without an event: what lasts a minute is told within it,
// also by a process that looks late.
const ToldAfter = 40 * time.Second

// Lasting remembers since when the conditions of a controller's objects have given a reason for not being True: their own times are those
// of their status, which stays while reasons change. A process that starts anew counts anew. The zero value remembers nothing.
type Lasting struct {
	lock sync.Mutex
	of   map[types.NamespacedName]map[string]doubt
}

// doubt is a reason that some condition of an object gives.
type doubt struct {
	since time.Time
	told  bool
}

// Look takes in what an object says now, and of which reasons events have told since the last look. It returns the conditions of which
// nobody has told though they last, one for each reason, and after how long to look again; zero is never.
func (l *Lasting) Look(of types.NamespacedName, conditions []metav1.Condition, told []string, now time.Time,
) (untold []metav1.Condition, again time.Duration) {
	l.lock.Lock()
	defer l.lock.Unlock()
	before, after := l.of[of], map[string]doubt{}
	for _, c := range conditions {
		if _, twice := after[c.Reason]; c.Status == metav1.ConditionTrue || twice {
			continue
		}
		d, known := before[c.Reason]
		if !known {
			d.since = now
		}
		d.told = d.told || slices.Contains(told, c.Reason)
		switch left := ToldAfter - now.Sub(d.since); {
		case d.told:
		case left <= 0:
			d.told = true
			untold = append(untold, c)
		case again == 0 || left < again:
			again = left
		}
		after[c.Reason] = d
	}
	if l.of == nil {
		l.of = map[types.NamespacedName]map[string]doubt{}
	}
	if l.of[of] = after; len(after) == 0 {
		delete(l.of, of)
	}
	return untold, again
}

// Forget an object that is gone, or that has ended.
func (l *Lasting) Forget(of types.NamespacedName) {
	l.lock.Lock()
	defer l.lock.Unlock()
	delete(l.of, of)
}
