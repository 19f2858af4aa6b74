package checker

import (
	"time"

	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// readyWithin is the grace of a pod that was placed where it was said to fit.
const readyWithin = time.Minute

// Capacity is C9, a rate and no verdict, for the world may shrink: of the pods of the applications that were there for a minute, how many
// were Ready within it.
func Capacity(h history.History) (ready, all int) {
	fleet := fleetOf(h)
	born, became := map[history.Key]time.Time{}, map[history.Key]time.Time{}
	count := func(key history.Key, until time.Time) {
		if born[key].IsZero() || until.Sub(born[key]) < readyWithin {
			return
		}
		all++
		if at := became[key]; !at.IsZero() && at.Sub(born[key]) <= readyWithin {
			ready++
		}
	}
	h.Replay(func(_ history.World, before history.Object, r history.Record) {
		if r.Resource != history.Pods || !fleet.owns(before) && !fleet.owns(r.Object) {
			return
		}
		if r.Op == history.Delete {
			count(r.Key, r.At)
			delete(born, r.Key)
			delete(became, r.Key)
			return
		}
		if born[r.Key].IsZero() {
			born[r.Key] = r.At
		}
		if became[r.Key].IsZero() && r.Object.Condition("Ready").Text("status") == "True" {
			became[r.Key] = r.At
		}
	})
	for key := range born {
		count(key, h.End())
	}
	return ready, all
}

// owns tells whether a pod is of one of the applications.
func (f fleet) owns(pod history.Object) bool {
	for _, a := range f.apps {
		if belongs(pod, a) {
			return true
		}
	}
	return false
}
