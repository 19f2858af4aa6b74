package checker

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// silentFor is how long a condition may be so without a word.
const silentFor = time.Minute

// doubt is a condition that is not True.
type doubt struct {
	key          history.Key
	uid          string
	kind, reason string
}

// doubts follows conditions that are not True, and what was said of them.
type doubts struct {
	since  map[doubt]time.Time
	judged map[doubt]bool
	said   map[doubt]bool
}

// silence is C10.
func silence(h history.History, v *Verdict) {
	d, now, rested := doubts{map[doubt]time.Time{}, map[doubt]bool{}, map[doubt]bool{}}, newFaults(), false
	h.Replay(func(_ history.World, _ history.Object, r history.Record) {
		now.hear(r)
		if rested = rested || phase(r) == history.PhaseRest; rested {
			return
		}
		switch {
		case r.Resource == history.Events:
			d.said[doubt{uid: r.Object.Text("involvedObject", "uid"), reason: r.Object.Text("reason")}] = true
		case speaks(r.Resource):
			d.hear(r)
		}
		if !now.lately(r.At, silentFor, "argosy/controller-manager") && !now.lately(r.At, silentFor, "karmada/apiserver") {
			d.judge(r, v)
		}
	})
}

// normallyFalse are a Release's conditions that say, when False, that a release goes on or that nothing is wrong.
var normallyFalse = []string{"Complete", "AwaitingApproval", "Stalled", "RolledBack"}

// hear takes in what an object says now.
func (d doubts) hear(r history.Record) {
	open := map[doubt]bool{}
	for _, c := range r.Object.List("status", "conditions") {
		status, quiet := c.Text("status"), r.Resource == history.Releases && slices.Contains(normallyFalse, c.Text("type"))
		// Where a migration is; Advancing says what is in its way.
		quiet = quiet || r.Resource == history.Migrations && c.Text("type") == "Federated"
		// A whitelist that has done all there is to do goes on no more.
		quiet = quiet || r.Resource == history.Whitelists && c.Text("reason") == "AllDone"
		if status == "False" && !quiet || status == "Unknown" {
			one := doubt{r.Key, r.Object.UID(), c.Text("type"), c.Text("reason")}
			if open[one] = true; d.since[one].IsZero() {
				d.since[one] = r.At
			}
		}
	}
	for one := range d.since {
		if one.key == r.Key && !open[one] {
			delete(d.since, one)
			delete(d.judged, one)
		}
	}
}

// judge looks for what has stood for long enough.
func (d doubts) judge(r history.Record, v *Verdict) {
	for one, from := range d.since {
		if r.At.Sub(from) < silentFor || d.judged[one] {
			continue
		}
		d.judged[one] = true
		v.Judged++
		if !d.said[doubt{uid: one.uid, reason: one.reason}] {
			v.violated(r, one.key, fmt.Sprintf("%s is not True, %s, for %.0f s, and no event says so",
				one.kind, one.reason, r.At.Sub(from).Seconds()))
		}
	}
}

// speaks tells whether a kind is ours and has conditions.
func speaks(resource string) bool {
	return strings.Contains(resource, ".argosy.dev/")
}
