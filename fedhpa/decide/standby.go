package decide

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/split"
)

// standby wakes an empty cluster when the active ones have no room left for what the user allows, and empties one that is
// idle again. Both only on full knowledge: every cluster reachable and speaking, a true scheduling result, limits settled.
func (d *decision) standby(books bookkeeping, now division, steps []split.Step) {
	if !books.trueBinding || d.joining() || !split.Settled(steps) || now.made || len(d.silent()) > 0 {
		return
	}
	room := now.targets.room()
	if name := d.toWake(room); name != "" {
		counts := maps.Clone(d.counts)
		counts[name] = 1
		d.writeBooks(counts)
		d.tellBooks(false, api.FedHPAReasonStandbyWoken, fmt.Sprintf("%s is woken with its first replica: the active clusters run %d of the "+
			"%d they have room for, and %d more are allowed",
			name, d.counts.Sum(), room, d.w.Bounds.Max-room))
		return
	}
	if name := d.toEmpty(now.targets); name != "" {
		counts := maps.Clone(d.counts)
		delete(counts, name)
		d.writeBooks(counts)
		d.tellBooks(false, api.FedHPAReasonClusterEmptied,
			fmt.Sprintf("%s has been idle: its last replica goes, the others run %d", name, counts.Sum()))
	}
}

// silent are the clusters of the result whose autoscaler does not do its work.
func (d *decision) silent() []string {
	var out []string
	for _, name := range d.clusters() {
		if !d.member(name).scales() {
			out = append(out, name)
		}
	}
	return out
}

// pressedTogether reports whether so many running come near the room there is.
func (d *decision) pressedTogether(running, room int32) bool {
	return int64(running)*100 >= int64(room)*nearMaxPercent
}

// toWake names the standby cluster with the most weighted room, if one is needed.
func (d *decision) toWake(room int32) string {
	if room >= d.w.Bounds.Max || !d.pressedTogether(d.counts.Sum(), room) || d.counts.Sum() >= d.w.Bounds.Max {
		return ""
	}
	best, most, tier := "", int64(0), 0
	for i := range d.w.Members {
		m := &d.w.Members[i]
		if !d.wakeable(m) {
			continue
		}
		wish := d.distribution(m.Name)
		weight := int64(1)
		if wish.Weight != nil {
			weight = int64(*wish.Weight)
		}
		free := d.free(m.Name, m)
		if free == nil || *free < 1 || weight < 1 {
			continue
		}
		// Overflows are used in their order.
		if claim := int64(*free) * weight; best == "" || m.Tier < tier || m.Tier == tier && claim > most {
			best, most, tier = m.Name, claim, m.Tier
		}
	}
	return best
}

// wakeable reports whether a cluster is empty, may have the workload, and can be given it.
func (d *decision) wakeable(m *Member) bool {
	_, active := d.counts[m.Name]
	return !active && m.Ready && !m.Held && m.Eligible && m.HPA == nil && d.standsBy(m.Name) && d.spreadWith(m.Name)
}

// spreadWith reports whether the result with one cluster more is within the placement's upper bounds.
func (d *decision) spreadWith(name string) bool {
	if len(d.w.Binding.Spread) == 0 {
		return true
	}
	names := d.clusters()
	for i, s := range d.w.Binding.Spread {
		if s.MaxGroups > 0 && d.groups(i, append(names, name)) > max(s.MaxGroups, d.groups(i, names)) {
			return false
		}
	}
	return true
}

// beyondSpread reports whether clusters use more groups than the placement's upper bounds allow.
func (d *decision) beyondSpread(clusters Counts) bool {
	names := slices.Collect(maps.Keys(clusters))
	for i, s := range d.w.Binding.Spread {
		if s.MaxGroups > 0 && d.groups(i, names) > s.MaxGroups {
			return true
		}
	}
	return false
}

// spreadWithout reports whether the result with one cluster less is within the placement's lower bounds.
func (d *decision) spreadWithout(name string) bool {
	rest := slices.DeleteFunc(d.clusters(), func(other string) bool { return other == name })
	for i, s := range d.w.Binding.Spread {
		if left := d.groups(i, rest); left < s.MinGroups && left < d.groups(i, d.clusters()) {
			return false
		}
	}
	return true
}

// groups counts the groups of one constraint that clusters belong to together.
func (d *decision) groups(constraint int, clusters []string) int {
	seen := map[string]bool{}
	for _, name := range clusters {
		if m := d.member(name); m != nil && constraint < len(m.Groups) {
			for _, group := range m.Groups[constraint] {
				seen[group] = true
			}
		}
	}
	return len(seen)
}

// standsBy reports whether an empty cluster may be woken: the user made it a standby, or it was emptied here.
func (d *decision) standsBy(name string) bool {
	if d.aside(name) {
		return true
	}
	c := d.clusterStatus(name)
	return c != nil && c.State == api.ClusterStandby
}

// aside reports whether a cluster takes part only while the others are full: the user made it a standby, or the placement an overflow.
func (d *decision) aside(name string) bool {
	m := d.member(name)
	return d.distribution(name).Role == api.ClusterRoleStandby || m != nil && m.Tier > 0
}

// toEmpty names a cluster whose last replica is not needed: a standby after its burst, or one of more clusters than
// the limits have replicas for.
func (d *decision) toEmpty(have targets) string {
	last := d.clusters()
	slices.SortStableFunc(last, func(a, b string) int { return cmp.Compare(d.tier(a), d.tier(b)) })
	for _, name := range slices.Backward(last) {
		c := d.clusterStatus(name)
		rest := d.counts.Sum() - 1
		room := have.room() - have[name].Max
		switch {
		case !d.emptiable(name, have[name]) || c == nil || c.IdleSince == nil:
		case len(d.counts) <= 1 || rest < d.w.Bounds.Min || !d.spreadWithout(name):
		case have[name].Max > 0 && d.pressedTogether(rest, room):
			// It would be woken again at once.
		default:
			if idle := d.w.Now.Sub(c.IdleSince.Time); idle < d.idleWindow(have[name]) {
				d.wake(d.idleWindow(have[name]) - idle)
				continue
			}
			return name
		}
	}
	return ""
}

func (d *decision) tier(name string) int {
	if m := d.member(name); m != nil {
		return m.Tier
	}
	return 0
}

// emptiable reports whether a cluster of the result may be emptied when idle, and is.
func (d *decision) emptiable(name string, has split.Range) bool {
	surplus := has.Min == 0 && deref(d.distribution(name).MinReplicas) == 0
	return (surplus || d.aside(name)) && d.idle(name) && !d.member(name).Held
}

// idle reports whether a cluster runs one replica and its autoscaler asks for no more.
func (d *decision) idle(name string) bool {
	m := d.member(name)
	return m.scales() && m.HPA.Desired == 1 && m.Workload != nil && m.Workload.Observed && m.Workload.Replicas == 1
}

// idleWindow is how long a cluster must have been idle: as long as its autoscaler waits before it scales down. A cluster that has no
// part of max at all goes at once.
func (d *decision) idleWindow(has split.Range) time.Duration {
	if has.Max == 0 {
		return 0
	}
	if b := d.w.Spec.Behavior; b != nil && b.ScaleDown != nil && b.ScaleDown.StabilizationWindowSeconds != nil {
		return time.Duration(*b.ScaleDown.StabilizationWindowSeconds) * time.Second
	}
	return 5 * time.Minute
}
