package decide

import (
	"fmt"
	"slices"
	"strings"
)

// Outside is a cluster that the binding does not have and its placement admits.
type Outside struct {
	Name string
	// Room as of a Cluster of the binding.
	Room             *int32
	Promised, Recent int32
}

// Wide says how many replicas each outside cluster may be given, and how many each donor would give of what it wanted: no more than fit
// outside in all, for a scheduler divides all or nothing. gives is empty where there is no room outside either.
func Wide(w World, wanted map[string]int32, outside []Outside) (room, gives map[string]int32) {
	room, gives = map[string]int32{}, map[string]int32{}
	total := int32(0)
	for _, o := range outside {
		if o.Room == nil {
			continue
		}
		if n := min(*o.Room-o.Promised, w.Settings.MovesPerMinute-o.Recent); n > 0 {
			room[o.Name] = n
			total += min(n, w.Binding.Replicas)
		}
	}
	for _, c := range w.Clusters {
		if n := min(wanted[c.Name], total); n > 0 {
			gives[c.Name] = n
			total -= n
		}
	}
	return room, gives
}

// AskOutside reports whether the outside clusters, which takes turns looks, have to be asked again before a decision of no room stands:
// they are asked once those of the binding were found full, and twice as these.
func AskOutside(w World, before Decision, turns int32) (Decision, bool) {
	if first := max(2*w.Turns, 1); turns == 0 || w.Full+1 >= first+2*turns-1 {
		return before, false
	}
	before.Verdict, before.Reason, before.After, before.Wanted = Waits, ReasonAsked, lookSoon, nil
	before.Message += "; and those that the binding has not are asked once more"
	return before, true
}

// Widened judges what Karmada's scheduler made of a copy of the binding in which the donors have what they give less. It may be written as
// it is where nobody else loses anything: the sum is the same, so that the scheduler does not run.
func Widened(w World, before Decision, gives, room map[string]int32, rehearsed []Target, failure string) Decision {
	if failure != "" {
		before.Message += "; in other clusters karmada-scheduler would find no place either: " + failure
		return before
	}
	more := func(words string, args ...any) Decision {
		before.Reason = ReasonMore
		before.Message += "; taking another cluster would move more: " + fmt.Sprintf(words, args...)
		return before
	}
	left := slices.Clone(rehearsed)
	total := int32(0)
	given := map[string]int32{}
	for _, c := range w.Clusters {
		i := slices.IndexFunc(left, func(t Target) bool { return t.Cluster == c.Name })
		got := int32(0)
		if i >= 0 {
			got = left[i].Replicas
			left = slices.Delete(left, i, i+1)
		}
		switch {
		case got < c.Assigned-gives[c.Name]:
			return more("%s would keep %d of %d replicas", c.Name, got, c.Assigned-gives[c.Name])
		case got > c.Assigned:
			return more("%s would get %d replicas, for which it has no room", c.Name, got-c.Assigned)
		}
		total += got
		given[c.Name] = c.Assigned - got
	}
	for _, t := range left {
		if t.Replicas > room[t.Cluster] {
			return more("%s would get %d replicas and has room for %d", t.Cluster, t.Replicas, room[t.Cluster])
		}
		total += t.Replicas
	}
	if total != w.Binding.Replicas {
		return more("%d of %d replicas would be placed", total, w.Binding.Replicas)
	}
	moved := pair(w.Clusters, given, left)
	if len(moved) == 0 {
		return more("karmada-scheduler would give them back to where they wait")
	}
	wide := w
	wide.Clusters = slices.Clone(w.Clusters)
	for _, t := range left {
		wide.Clusters = append(wide.Clusters, Cluster{Name: t.Cluster})
	}
	var words []string
	for _, t := range moved {
		words = append(words, fmt.Sprintf("%d from %s to %s, which had room for %d", t.Replicas, t.From, t.To, room[t.To]))
	}
	return moves(wide, moved, "moved "+strings.Join(words, ", ")+"; the binding had not "+strings.Join(names(left), ", ")+" before, and "+
		"Karmada's scheduler would choose the same")
}

// pair what donors gave with what new clusters got.
func pair(clusters []Cluster, given map[string]int32, left []Target) []Transfer {
	var out []Transfer
	left = slices.Clone(left)
	for _, c := range clusters {
		for i := range left {
			if n := min(given[c.Name], left[i].Replicas); n > 0 {
				out = append(out, Transfer{From: c.Name, To: left[i].Cluster, Replicas: n})
				given[c.Name] -= n
				left[i].Replicas -= n
			}
		}
	}
	return out
}

func names(list []Target) []string {
	var out []string
	for _, t := range list {
		out = append(out, t.Cluster)
	}
	return out
}
