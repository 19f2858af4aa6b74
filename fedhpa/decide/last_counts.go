package decide

import (
	"fmt"
	"maps"
	"slices"
)

// LastCounts reports whether the counts of now are to be the last ones: a release is under way, no autoscaler of ours is left, and the
// template still lets members own their replicas.
func (w *World) LastCounts() bool {
	letsGo := (w.Deleting || w.Spec.Suspend) && w.Finalizer
	owned := w.Template != nil && w.Template.RetainOurs && !w.Template.CutOff
	booked := w.Binding != nil && w.Binding.Divided && w.Binding.Ledger != nil
	return letsGo && owned && booked && !slices.ContainsFunc(w.Members, func(m Member) bool { return m.HPA != nil && m.HPA.Owned })
}

// finalCounts is what the members run now that no autoscaler speaks for them, read in the members themselves: their reports come through
// several hands, and one from before the autoscaler's last step looks like any other.
func (d *decision) finalCounts() (counts Counts, wait string) {
	counts = maps.Clone(d.counts)
	for _, name := range d.clusters() {
		m := d.member(name)
		if m == nil || !m.Ready || m.Workload == nil {
			continue
		}
		if asked := m.Workload.Asked; asked != nil {
			if *asked > 0 {
				counts[name] = *asked
			}
			continue
		}
		if !m.Workload.Observed || m.Workload.Replicas < 1 {
			continue
		}
		count, wait := d.reportedCount(m, counts[name])
		if wait != "" {
			return nil, wait
		}
		counts[name] = count
	}
	return counts, ""
}

// reportedCount is that of a member that cannot be asked, by its report. One of another count than was known, or of a workload that is
// still on its way to one, is waited for; when that takes too long the larger of book and member is kept, so that nothing is lost. While
// its pods are updated more run than it is to have: of them only those of the newest template are counted, which are never more than that.
func (d *decision) reportedCount(m *Member, known int32) (count int32, wait string) {
	w := m.Workload
	rests := w.still() && w.Replicas == w.Ready
	if d.releasedFor() >= releasePatience {
		if w.rolling() {
			return max(known, *w.Updated), ""
		}
		return max(known, w.Replicas), ""
	}
	switch {
	case w.Unread != "":
		return 0, fmt.Sprintf("what the workload asks for in %s could not be read there, and a report may be late: %s", m.Name, w.Unread)
	case w.rolling():
		return 0, fmt.Sprintf("%s is updating its pods, %d of %d so far: waiting, since more of them run meanwhile than it is to have",
			m.Name, *w.Updated, w.Replicas)
	case !rests:
		return 0, fmt.Sprintf("%s is still on its way to its count: %d of %d replicas are ready", m.Name, w.Ready, w.Replicas)
	case w.Replicas != known:
		return 0, fmt.Sprintf("%s reports %d replicas where %d were last known: waiting, since the report may be an old one", m.Name,
			w.Replicas, known)
	}
	return known, ""
}
