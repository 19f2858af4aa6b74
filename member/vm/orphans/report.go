package orphans

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/argosy-dev/argosy/member/vm/machine"
)

const (
	// Name of the ConfigMap, and Key of the report in it, as JSON.
	Name = "argosy-machine-orphans"
	Key  = "report.json"
	// Grace is how long a machine must have been nobody's before it is told: a Server may have gone between two reads.
	Grace = 5 * time.Minute
	// MaxTold bounds the report; Report.More counts the rest.
	MaxTold = 500
)

// System is where machines are made, with the Secret to ask with; both empty: none is needed.
type System struct {
	Driver    string `json:"driver"`
	Namespace string `json:"namespace,omitempty"`
	Secret    string `json:"secret,omitempty"`
}

// Orphan is a machine of this member's that no Server knows.
type Orphan struct {
	System
	// Key under which it was made: the UID of the Server that it was made for.
	Key string `json:"key"`
	// ID is the system's own name for it.
	ID string `json:"id,omitempty"`
	// State the system says it is in.
	State string `json:"state,omitempty"`
	// Since is when it was first seen to be nobody's.
	Since metav1.Time `json:"since"`
	// SeenAt is when it was last seen, of a machine whose system cannot be asked any more; else nil: when the report was made.
	SeenAt *metav1.Time `json:"seenAt,omitempty"`
}

// Unlisted is a system that could not be asked: what it has is not known.
type Unlisted struct {
	Driver  string `json:"driver"`
	Message string `json:"message"`
	// Left says that no VMReplicaSet and no Server names the system any more: what it had is told as it was last seen.
	Left bool `json:"left,omitempty"`
}

// Report is what was found.
type Report struct {
	// ObservedAt is when it was looked.
	ObservedAt metav1.Time `json:"observedAt"`
	Items      []Orphan    `json:"items"`
	// More are there than are told.
	More    int        `json:"more,omitempty"`
	Unknown []Unlisted `json:"unknown,omitempty"`
	// Systems that are asked: those that somebody names, and those that nobody does any more and that are not done with.
	Systems []System `json:"systems,omitempty"`
}

// Parse what a ConfigMap holds.
func Parse(data map[string]string) (Report, error) {
	var out Report
	if err := json.Unmarshal([]byte(data[Key]), &out); err != nil {
		return out, fmt.Errorf("reading %s of ConfigMap %s: %w", Key, Name, err)
	}
	return out, nil
}

// listed is what one system said.
type listed struct {
	System
	machines []machine.Machine
	err      error
	// left: nobody names the system any more. lost: and nobody can ask it any more either.
	left, lost bool
}

// at is a machine: two Secrets of one system list the same ones.
type at struct{ driver, key string }

// sight of a machine that is nobody's.
type sight struct {
	Orphan
	// last is when it was seen.
	last time.Time
}

type seen map[at]sight

// restore what a process before this one saw, as it told it, and what it kept beside.
func restore(report Report, kept []Orphan) seen {
	out := seen{}
	for _, o := range slices.Concat(kept, report.Items) {
		last := report.ObservedAt.Time
		if o.SeenAt != nil {
			last = o.SeenAt.Time
		}
		out[at{o.Driver, o.Key}] = sight{Orphan: o, last: last}
	}
	return out
}

// find the orphans. servers are the UIDs of all that there are, read after the lists; of a system that could not be asked nothing is
// forgotten, and nothing is told unless nobody names it any more. kept is what is known and not told.
func find(lists []listed, servers map[types.UID]bool, before seen, now time.Time) (out Report, kept []Orphan, after seen) {
	out, after = Report{ObservedAt: metav1.NewTime(now)}, seen{}
	for _, list := range lists {
		if list.err == nil {
			list.add(after, servers, before, now)
		}
	}
	for _, list := range lists {
		if list.err != nil {
			list.carry(after, before)
			if !list.lost || after.has(list.System) {
				out.Unknown = append(out.Unknown, Unlisted{Driver: list.Driver, Message: list.err.Error(), Left: list.left})
			}
		}
		if list.open() || after.has(list.System) {
			out.Systems = append(out.Systems, list.System)
		}
	}
	out.Items, kept = after.told(lists, now)
	if extra := len(out.Items) - MaxTold; extra > 0 {
		kept = append(slices.Clone(out.Items[MaxTold:]), kept...)
		out.Items, out.More = out.Items[:MaxTold], extra
	}
	return out, kept, after
}

// told are the orphans to tell, the oldest first, and those that are not told yet.
func (s seen) told(lists []listed, now time.Time) (out, rest []Orphan) {
	tells := map[System]bool{}
	for _, list := range lists {
		tells[list.System] = list.err == nil || list.left
	}
	out = []Orphan{}
	for _, one := range s {
		one.SeenAt = nil
		if one.last.Before(now) {
			one.SeenAt = &metav1.Time{Time: one.last}
		}
		if tells[one.System] && now.Sub(one.Since.Time) >= Grace {
			out = append(out, one.Orphan)
		} else {
			rest = append(rest, one.Orphan)
		}
	}
	slices.SortFunc(out, oldestFirst)
	slices.SortFunc(rest, oldestFirst)
	return out, rest
}

func oldestFirst(a, b Orphan) int {
	return cmp.Or(cmp.Compare(a.Driver, b.Driver), a.Since.Compare(b.Since.Time), cmp.Compare(a.Key, b.Key))
}

// open says that a system is asked again, whatever is known of it: somebody names it, or it was only silent.
func (l listed) open() bool { return !l.left || l.err != nil && !l.lost }

// has says whether anything is known of a system.
func (s seen) has(system System) bool {
	for _, one := range s {
		if one.System == system {
			return true
		}
	}
	return false
}

// add what a system listed and no Server knows.
func (l listed) add(after seen, servers map[types.UID]bool, before seen, now time.Time) {
	for _, m := range l.machines {
		where := at{l.Driver, m.Key}
		if _, twice := after[where]; twice || servers[types.UID(m.Key)] || m.Key == "" {
			continue
		}
		since := metav1.NewTime(now)
		if was, known := before[where]; known {
			since = was.Since
		}
		after[where] = sight{last: now, Orphan: Orphan{System: l.System, Key: m.Key, ID: m.ID, State: string(m.State), Since: since}}
	}
}

// carry over what is known of a system that could not be asked.
func (l listed) carry(after, before seen) {
	for where, was := range before {
		if _, again := after[where]; !again && was.System == l.System {
			after[where] = was
		}
	}
}
