package decide

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// back puts what of the last move got no node where it came from: there the member's own autoscaler of nodes sees it. nil where there is
// nothing to put back. A move is judged once it had time, and until replicas that wait there count as any others.
func back(w World) *Decision {
	m := w.Memory
	age := w.Now.Sub(m.At)
	if m.Back || len(m.Moved) == 0 || age < w.Settings.ComeUp || age > w.judged() {
		return nil
	}
	clusters := slices.Clone(w.Clusters)
	var returned []Transfer
	for _, t := range m.Moved {
		to, from := find(clusters, t.To), find(clusters, t.From)
		n := returns(w, to, from, t, returned)
		if n <= 0 {
			continue
		}
		to.Assigned -= n
		from.Assigned += n
		// The numbers of the copy are compared again with the member's own: it has the ones before.
		to.Workload = withReplicas(to.Workload, to.Assigned)
		returned = append(returned, Transfer{From: t.To, To: t.From, Replicas: n})
	}
	if len(returned) == 0 {
		return nil
	}
	var words []string
	why := "no node took them within"
	for _, r := range returned {
		if lookAt(w, find(w.Clusters, r.From)).unmade > 0 {
			why = "their pods were not made there, by a quota or an admission, within"
		}
		words = append(words, fmt.Sprintf("%d of %s to %s", r.Replicas, r.From, r.To))
	}
	return &Decision{
		Verdict: PutsBack, Reason: ReasonPutBack, Targets: targets(clusters), Moved: returned,
		Memory:  &Memory{At: w.Now, CoolDown: nextCoolDown(w), Moved: returned, Back: true},
		Message: fmt.Sprintf("put back %s: %s %s", strings.Join(words, ", "), why, w.Settings.ComeUp),
		After:   lookSoon,
	}
}

// judged is for how long a move may still be put back.
func (w World) judged() time.Duration { return w.Settings.ComeUp + w.Settings.Unschedulable }

// Recalls reports whether the last move still has a say: whether it is put back, or how long the next cool-down is.
func (w World) Recalls() bool {
	return len(w.Memory.Moved) > 0 && w.Now.Sub(w.Memory.At) <= max(w.judged(), restAfter(w.Memory))
}

// returns is how many of a transfer's replicas go back: no more than pods that find no node, or are not made, of which others may have gone
// back already.
func returns(w World, to, from *Cluster, t Transfer, already []Transfer) int32 {
	if to == nil || from == nil || from.Out != "" || to.Out != "" || to.Workload == nil {
		return 0
	}
	if to.Workload.Replicas != to.Assigned || to.Workload.Amid != "" || to.Workload.Ordinal {
		return 0
	}
	lack := lookAt(w, to).lack()
	for _, r := range already {
		if r.From == t.To {
			lack -= r.Replicas
		}
	}
	return min(t.Replicas, lack, to.Assigned-to.Workload.nodes())
}

func withReplicas(w *Workload, replicas int32) *Workload {
	copied := *w
	copied.Replicas = replicas
	return &copied
}

func targets(clusters []Cluster) []Target {
	var out []Target
	for _, c := range clusters {
		out = append(out, Target{Cluster: c.Name, Replicas: c.Assigned})
	}
	return out
}
