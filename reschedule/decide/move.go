package decide

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Next decides.
func Next(w World) Decision {
	looks := make([]look, len(w.Clusters))
	waiting := map[string]int32{}
	var young time.Time
	for i := range w.Clusters {
		looks[i] = lookAt(w, &w.Clusters[i])
		if looks[i].waiting > 0 {
			waiting[w.Clusters[i].Name] = looks[i].waiting
		}
		if !looks[i].young.IsZero() {
			young = earlier(young, looks[i].young)
		}
	}
	d := next(w, looks, young)
	d.Waiting = waiting
	if !young.IsZero() && d.Verdict != Moves {
		// The next one may be ripe before anything else changes.
		if left := max(young.Sub(w.Now), time.Second); d.After == 0 || left < d.After {
			d.After = left
		}
	}
	return d
}

func next(w World, looks []look, young time.Time) Decision {
	if !slices.ContainsFunc(looks, func(l look) bool { return l.refused > 0 || l.unmade > 0 && given(w, l.cluster) }) {
		return Decision{Verdict: Nothing, Reason: ReasonNothing, Message: "no pod waits for a node", After: pending(w)}
	}
	if d := leftAlone(w); d != nil {
		return *d
	}
	if d := back(w); d != nil {
		return *d
	}
	if !slices.ContainsFunc(looks, func(l look) bool { return l.refused > 0 }) {
		return Decision{Verdict: Nothing, Reason: ReasonNothing, Message: "pods that were moved are not made yet", After: pending(w)}
	}
	long := slices.DeleteFunc(slices.Clone(looks), func(l look) bool { return l.waiting == 0 })
	if len(long) == 0 || soonMore(w, long, young) {
		return Decision{Verdict: Waits, Reason: ReasonYoung, After: max(pending(w), 0),
			Message: fmt.Sprintf("pods wait, and not all for %s yet", w.Settings.Unschedulable)}
	}
	donors := slices.DeleteFunc(slices.Clone(long), func(l look) bool { return l.gives == 0 })
	if len(donors) == 0 {
		return Decision{Verdict: LeftAlone, Reason: "PodsStay", Message: keptWords(long), After: lookAgain}
	}
	if left := coolingDown(w); left > 0 {
		return Decision{Verdict: Waits, Reason: ReasonCoolDown, After: left, Message: fmt.Sprintf(
			"moved at %s: the next move is at %s at the earliest", w.Memory.At.UTC().Format(time.TimeOnly),
			w.Now.Add(left).UTC().Format(time.TimeOnly))}
	}
	return move(w, looks, donors)
}

// given reports whether the last move gave a cluster replicas.
func given(w World, c *Cluster) bool {
	return !w.Memory.Back && slices.ContainsFunc(w.Memory.Moved, func(t Transfer) bool { return t.To == c.Name })
}

// together is how long the first that have waited long enough wait for the next, so that what one event left without nodes moves at once:
// the second move would be a cool-down later.
const together = 10 * time.Second

// soonMore reports whether another pod will soon have waited for long enough.
func soonMore(w World, long []look, young time.Time) bool {
	if young.IsZero() || young.Sub(w.Now) > together {
		return false
	}
	first := long[0].since
	for _, l := range long {
		first = earlier(first, l.since)
	}
	return w.Now.Sub(first) < w.Settings.Unschedulable+together
}

// pending is when a move that may have to be put back is judged; 0 for none.
func pending(w World) time.Duration {
	if due := w.Memory.At.Add(w.Settings.ComeUp); !w.Memory.Back && len(w.Memory.Moved) > 0 && due.After(w.Now) {
		return min(due.Sub(w.Now), w.Settings.ComeUp)
	}
	return 0
}

func keptWords(long []look) string {
	var words []string
	for _, l := range long {
		words = append(words, fmt.Sprintf("%s: %s", l.cluster.Name, l.kept))
	}
	return strings.Join(words, "; ")
}

// coolingDown is how long the binding is left in peace. A move of the future was written before a clock was set back: beyond another
// cool-down it says nothing of when it was.
func coolingDown(w World) time.Duration {
	left := w.Memory.At.Add(w.Memory.CoolDown).Sub(w.Now)
	if w.Memory.At.IsZero() || left > 2*w.Memory.CoolDown {
		return 0
	}
	return left
}

// restAfter a move the cool-down begins anew.
func restAfter(m Memory) time.Duration { return 4 * m.CoolDown }

// nextCoolDown doubles where the last move did not help, and begins anew after a rest of four times the last.
func nextCoolDown(w World) time.Duration {
	if w.Memory.At.IsZero() || w.Now.Sub(w.Memory.At) > restAfter(w.Memory) || helped(w) {
		return w.Settings.CoolDown
	}
	return min(max(2*w.Memory.CoolDown, w.Settings.CoolDown), w.Settings.CoolDownMost)
}

// helped reports whether the last move's replicas found nodes where they went.
func helped(w World) bool {
	for _, t := range w.Memory.Moved {
		if to := find(w.Clusters, t.To); to == nil || to.Out != "" || to.Workload == nil || lookAt(w, to).lack() > 0 {
			return false
		}
	}
	return !w.Memory.Back
}

// receiver is a cluster with room.
type receiver struct {
	cluster *Cluster
	room    int32
	// failed: it was given replicas last, and no node took them.
	failed bool
}

// others are the clusters that get nothing, and why.
type others struct {
	words []string
	// unheard: an estimator did not say. full: one said that there is no room. rate: one had its share of this minute.
	unheard, full, rate bool
	// unasked is how many were not asked.
	unasked int
}

// receivers, best first, and the others.
func receivers(w World, looks []look) (out []receiver, not others) {
	for _, l := range looks {
		c := l.cluster
		words := shut(l)
		switch {
		case words != "":
			not.words = append(not.words, c.Name+": "+words)
		case l.refused > 0:
			// It has none to give: pods wait there.
		case c.Unasked:
			not.unasked++
		case c.Room == nil:
			not.unheard = true
			not.words = append(not.words, c.Name+": "+w.Settings.unheard())
		case *c.Room-c.Promised <= 0:
			not.full = true
			not.words = append(not.words, fmt.Sprintf("%s: full", c.Name))
		case c.Unread:
			not.words = append(not.words, c.Name+": its workload was not read")
		case w.Settings.MovesPerMinute-c.Recent <= 0:
			not.rate = true
			not.words = append(not.words, fmt.Sprintf("%s: %d replicas moved within a minute", c.Name, c.Recent))
		default:
			out = append(out, receiver{
				cluster: c, room: min(*c.Room-c.Promised, w.Settings.MovesPerMinute-c.Recent),
				failed: w.Memory.Back && slices.ContainsFunc(w.Memory.Moved, func(t Transfer) bool { return t.From == c.Name }),
			})
		}
	}
	slices.SortStableFunc(out, func(a, b receiver) int {
		return cmp.Or(compareBool(a.failed, b.failed), cmp.Compare(a.cluster.Tier, b.cluster.Tier), cmp.Compare(b.room, a.room))
	})
	return out, not
}

// shut says why a cluster gets nothing, whether it has room or not; empty where it may.
func shut(l look) string {
	switch c := l.cluster; {
	case c.Out != "":
		return c.Out
	case c.Closed != "":
		return c.Closed
	case l.refused > 0, c.Unasked, c.Unread:
		return "" // others say it
	case l.unmade > 0:
		return fmt.Sprintf("%d of its pods are not made, by a quota or an admission", l.unmade)
	case c.Workload == nil || c.Workload.Replicas != c.Assigned:
		return "the replicas assigned have not arrived there"
	}
	return ""
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func move(w World, looks, donors []look) Decision {
	to, not := receivers(w, looks)
	wanted := map[string]int32{}
	// Who has waited longest goes first.
	slices.SortStableFunc(donors, func(a, b look) int { return a.since.Compare(b.since) })
	for i := range donors {
		if left := w.Settings.MovesPerMinute - donors[i].cluster.Recent; donors[i].gives > left {
			donors[i].gives = max(left, 0)
		}
		if donors[i].gives > 0 {
			wanted[donors[i].cluster.Name] = donors[i].gives
		}
	}
	if len(wanted) == 0 || len(to) == 0 && not.rate {
		return Decision{Verdict: Waits, Reason: ReasonRate, After: lookForRoom,
			Message: fmt.Sprintf("no more than %d replicas leave or enter a cluster in a minute", w.Settings.MovesPerMinute)}
	}
	if len(to) == 0 {
		return nobody(w, waitWords(w, donors), wanted, not)
	}
	moved := transfers(w, donors, to)
	return moves(w, moved, "moved "+movedWords(donors, moved, to))
}

// nobody has room, or says so.
func nobody(w World, waiting string, wanted map[string]int32, not others) Decision {
	d := Decision{Verdict: NoRoom, Reason: ReasonNoRoom, Wanted: wanted, After: lookForRoom, Asks: not.unheard || not.unasked > 0,
		Message: waiting + "; no cluster of the binding has room"}
	switch {
	case not.unheard:
		d.Verdict, d.Reason = Waits, ReasonUnheard
	case (not.full || not.unasked > 0) && w.Full+1 < 2*w.turns():
		d.Verdict, d.Reason, d.After = Waits, ReasonAsked, lookSoon
		d.Message += ", and they are asked once more"
	}
	if len(not.words) > 0 {
		d.Message += " (" + strings.Join(not.words, "; ") + ")"
	}
	return d
}

func (w World) turns() int32 { return max(w.Turns, 1) }

// moves is the decision to write transfers.
func moves(w World, moved []Transfer, message string) Decision {
	clusters := slices.Clone(w.Clusters)
	for _, t := range moved {
		find(clusters, t.From).Assigned -= t.Replicas
		find(clusters, t.To).Assigned += t.Replicas
	}
	return Decision{
		Verdict: Moves, Reason: ReasonMoved, Message: message, Targets: targets(clusters), Moved: moved,
		Memory: &Memory{At: w.Now, CoolDown: nextCoolDown(w), Moved: moved}, After: w.Settings.ComeUp,
	}
}

// transfers fills receivers: where replicas are aggregated one after the other, else always the one with most room left in its tier.
func transfers(w World, donors []look, to []receiver) []Transfer {
	var out []Transfer
	for _, d := range donors {
		for range d.gives {
			i := best(w, to)
			if i < 0 {
				return out
			}
			to[i].room--
			out = add(out, Transfer{From: d.cluster.Name, To: to[i].cluster.Name, Replicas: 1})
		}
	}
	return out
}

// best receiver for one replica; -1 when all are full.
func best(w World, to []receiver) int {
	chosen := -1
	for i := range to {
		switch {
		case to[i].room <= 0:
		case chosen < 0:
			chosen = i
			if w.Binding.Aggregated {
				return i
			}
		case to[i].failed == to[chosen].failed && to[i].cluster.Tier == to[chosen].cluster.Tier && to[i].room > to[chosen].room:
			chosen = i
		}
	}
	return chosen
}

func add(list []Transfer, t Transfer) []Transfer {
	i := slices.IndexFunc(list, func(o Transfer) bool { return o.From == t.From && o.To == t.To })
	if i < 0 {
		return append(list, t)
	}
	list[i].Replicas += t.Replicas
	return list
}

// waitWords say who waits, since when and why.
func waitWords(w World, donors []look) string {
	var words []string
	for _, d := range donors {
		words = append(words, fmt.Sprintf("%d of %d replicas wait in %s for %s (%s)", d.waiting, d.cluster.Assigned, d.cluster.Name,
			w.Now.Sub(d.since).Round(time.Second), d.why))
	}
	return strings.Join(words, ", ")
}

// movedWords say what went where, and why.
func movedWords(donors []look, moved []Transfer, to []receiver) string {
	var words []string
	for _, d := range donors {
		var places []string
		total := int32(0)
		for _, t := range moved {
			if t.From != d.cluster.Name {
				continue
			}
			total += t.Replicas
			i := slices.IndexFunc(to, func(r receiver) bool { return r.cluster.Name == t.To })
			room := ""
			if i >= 0 && to[i].cluster.Room != nil {
				room = fmt.Sprintf(", which had room for %d", *to[i].cluster.Room)
			}
			places = append(places, fmt.Sprintf("%d to %s%s", t.Replicas, t.To, room))
		}
		if total > 0 {
			words = append(words, fmt.Sprintf("%d of %d replicas from %s, where pods found no node (%s): %s", total, d.cluster.Assigned,
				d.cluster.Name, d.why, strings.Join(places, ", ")))
		}
	}
	return strings.Join(words, "; ")
}
