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

// Orphan is a machine of this member's that no Server knows.
type Orphan struct {
	Driver string `json:"driver"`
	// Key under which it was made: the UID of the Server that it was made for.
	Key string `json:"key"`
	// ID is the system's own name for it.
	ID string `json:"id,omitempty"`
	// State the system says it is in.
	State string `json:"state,omitempty"`
	// Since is when it was first seen to be nobody's.
	Since metav1.Time `json:"since"`
}

// Unlisted is a system that could not be asked: what it has is not known.
type Unlisted struct {
	Driver  string `json:"driver"`
	Message string `json:"message"`
}

// Report is what was found.
type Report struct {
	// ObservedAt is when it was looked.
	ObservedAt metav1.Time `json:"observedAt"`
	Items      []Orphan    `json:"items"`
	// More are there than are told.
	More    int        `json:"more,omitempty"`
	Unknown []Unlisted `json:"unknown,omitempty"`
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
	driver   string
	machines []machine.Machine
	err      error
}

// seen is since when which machine is nobody's.
type seen map[[2]string]time.Time

// find the orphans. servers are the UIDs of all that there are, read after the lists; of a system that could not be asked nothing is
// forgotten and nothing is told.
func find(lists []listed, servers map[types.UID]bool, before seen, now time.Time) (Report, seen) {
	out, after := Report{ObservedAt: metav1.NewTime(now), Items: []Orphan{}}, seen{}
	silent := map[string]bool{}
	for _, list := range lists {
		if list.err != nil {
			out.Unknown = append(out.Unknown, Unlisted{Driver: list.driver, Message: list.err.Error()})
			silent[list.driver] = true
			continue
		}
		for _, m := range list.machines {
			at := [2]string{list.driver, m.Key}
			if _, twice := after[at]; twice || servers[types.UID(m.Key)] || m.Key == "" {
				continue
			}
			since, known := before[at]
			if !known {
				since = now
			}
			after[at] = since
			if now.Sub(since) >= Grace {
				out.Items = append(out.Items, Orphan{
					Driver: list.driver, Key: m.Key, ID: m.ID, State: string(m.State), Since: metav1.NewTime(since),
				})
			}
		}
	}
	for at, since := range before {
		if _, again := after[at]; !again && silent[at[0]] {
			after[at] = since
		}
	}
	slices.SortFunc(out.Items, func(a, b Orphan) int {
		return cmp.Or(cmp.Compare(a.Driver, b.Driver), a.Since.Compare(b.Since.Time), cmp.Compare(a.Key, b.Key))
	})
	if extra := len(out.Items) - MaxTold; extra > 0 {
		out.Items, out.More = out.Items[:MaxTold], extra
	}
	return out, after
}
