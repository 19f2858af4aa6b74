package checker

import (
	"fmt"
	"strings"
	"time"

	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// refusedFor is how long a user may be told to come again.
const refusedFor = time.Minute

// absence is C12.
func absence(h history.History, v *Verdict) {
	for _, r := range h.Records {
		n := r.Note
		if n == nil || n.Kind != history.Operation {
			continue
		}
		v.Judged++
		ours := strings.Contains(n.Text, "argosy") && strings.Contains(n.Text, "failed calling webhook")
		if ours && time.Duration(n.Value)*time.Millisecond >= refusedFor-time.Second {
			v.violated(r, history.Key{Plane: history.ControlPlane, Resource: n.Name, Name: n.Target}, "refused for a minute: "+n.Text)
		}
	}
}

// mostWrites of one object in a minute by one program of ours: a status that follows three members whose autoscalers look each second
// changes often, a loop writes without end.
const mostWrites = 180

// writes is C13; it needs a history that says who.
func writes(h history.History, v *Verdict) {
	type hand struct {
		agent string
		key   history.Key
	}
	lately := map[hand][]time.Time{}
	told := map[hand]bool{}
	for _, r := range h.Records {
		if r.Op != history.Put || !strings.HasPrefix(r.Agent, "argosy") {
			continue
		}
		v.Judged++
		by := hand{r.Agent, r.Key}
		times := append(lately[by], r.At)
		for r.At.Sub(times[0]) > time.Minute {
			times = times[1:]
		}
		if lately[by] = times; len(times) > mostWrites && !told[by] {
			told[by] = true
			v.violated(r, r.Key, fmt.Sprintf("%s wrote it %d times in a minute", r.Agent, len(times)))
		}
	}
}
