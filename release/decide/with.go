package decide

import (
	"slices"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// A cluster that is opened gets the objects of spec.with first: two Works are never one write, and a pod of the new revision must not start
// beside what the old one was configured with.

// lacking is what of those objects a cluster does not have of the revision, and the reason to wait; empty when it has all.
func (c Cluster) lacking(revision string) (reason, message string) {
	for _, with := range c.With {
		switch w := with.Work; {
		case w == nil:
			return v1alpha1.ReasonWorkNotWritten, "has no Work of " + with.Object + " yet"
		case w.Suspended:
			return v1alpha1.ReasonWorkSuspended, "is suspended: " + with.Object + " is not dispatched to it"
		case w.Revision != revision:
			return v1alpha1.ReasonWorkNotWritten, "has revision " + orNone(w.Revision) + " of " + with.Object + " in its Work"
		case w.Refused != "":
			return v1alpha1.ReasonUpdating, "refuses " + with.Object + ": " + w.Refused
		case w.Unanswered != "":
			return v1alpha1.ReasonUpdating, "did not answer Karmada's write of " + with.Object + ", which is tried again: " + w.Unanswered
		case !w.Taken:
			return v1alpha1.ReasonWorkNotWritten, "has not been given " + with.Object + " yet"
		}
	}
	return "", ""
}

// notBack says what of those objects a cluster may still have of another revision than the stable one; empty when it has none. The member
// reports nothing of them: what it refused last is what it does not have.
func (c Cluster) notBack(stable string) string {
	for _, with := range c.With {
		switch w := with.Work; {
		case w == nil:
		case w.Revision != stable:
			return "still has revision " + orNone(w.Revision) + " of " + with.Object
		case w.Refused != "":
			return "refuses the way back of " + with.Object + ": " + w.Refused
		case w.Unanswered != "":
			return "did not answer the way back of " + with.Object + ", which is tried again: " + w.Unanswered
		}
	}
	return ""
}

// has says whether a cluster has this revision of an object.
func (w With) has(revision string) bool { return w.Work != nil && w.Work.Revision == revision }

// withLags says whether Works of these objects are not what they are to be.
func (c Cluster) withLags(d *v1alpha1.Dispatch) bool {
	open := slices.Contains(d.WithOpen, v1alpha1.OpenAll) || slices.Contains(d.WithOpen, c.Name)
	return slices.ContainsFunc(c.With, func(w With) bool {
		switch {
		case w.Work == nil:
			return true
		case w.Work.Suspended:
			return false
		case open:
			return w.Work.Revision != d.Revision
		}
		return w.Work.isTakenBack(d)
	})
}

// withFirst opens what goes out with the target wherever something is open, and the target where that has arrived. What the target was
// given stays.
func (n *next) withFirst() {
	d := n.Status.Dispatch
	d.WithOpen = nil
	if len(n.spec.With) == 0 {
		return
	}
	d.WithOpen = slices.Clone(d.Open)
	var had []string
	if was := n.before.Dispatch; was != nil && was.Revision == d.Revision {
		had = was.Open
	}
	waits := func(c Cluster) bool {
		_, lacks := c.lacking(d.Revision)
		return lacks != "" && !slices.Contains(had, c.Name) && !slices.Contains(had, v1alpha1.OpenAll)
	}
	if isAll(d) {
		if !slices.ContainsFunc(n.Clusters, waits) {
			return
		}
		d.Open = nil
		for _, c := range n.Clusters {
			d.Open = append(d.Open, c.Name)
		}
	}
	for _, c := range n.Clusters {
		if waits(c) {
			d.Open = slices.DeleteFunc(d.Open, func(name string) bool { return name == c.Name })
			delete(d.Updated, c.Name)
		}
	}
}

// everywhere is what is open for the objects of spec.with when the revision is.
func (n *next) everywhere() []string {
	if len(n.spec.With) == 0 {
		return nil
	}
	return []string{v1alpha1.OpenAll}
}
