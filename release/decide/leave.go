package decide

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// leave: a Release that is deleted lets go when nothing is held; until then people must promote or undo.
func leave(n *next) bool {
	if n.Release.DeletionTimestamp.IsZero() {
		return false
	}
	if n.Template == nil || n.holdsNothing() && len(n.bound()) == 0 {
		n.Free, n.Status.Dispatch = true, nil
		// The admission of templates goes by this: a Release that is deleted before it took up what is held has no dispatch either.
		n.condition(v1alpha1.ConditionAdopted, metav1.ConditionFalse, v1alpha1.ReasonLetGo, "the Release is deleted, and nothing is held")
		return true
	}
	return false // and the steps below go on: what was decided before is carried out
}

// bound are those whose marks say still that something is held, though nothing is: taken off the template now, they could not be taken off
// these any more, and the policies in the API server itself refuse what would.
func (n *next) bound() []string {
	if n.UnfitReason == v1alpha1.ReasonTargetTaken {
		return nil // they are another Release's
	}
	var out []string
	if n.Template.Bound {
		out = append(out, "the template")
	}
	for _, c := range n.Clusters {
		if c.Work != nil && c.Work.Bound || slices.ContainsFunc(c.With, func(w With) bool { return w.Work != nil && w.Work.Bound }) {
			out = append(out, c.Name)
		}
	}
	return out
}

// holdsNothing: the template's revision is open everywhere, and is the stable one.
func (n *next) holdsNothing() bool {
	if d := n.Status.Dispatch; d != nil {
		return isAll(d) && d.Revision == d.Stable && d.Stable == n.Template.Revision
	}
	return n.left() == nil
}

// leaving says why a Release that is deleted is still there.
func (n *next) leaving() {
	message := "the Release is being deleted, and clusters are held: " + n.command("promote") +
		" opens them; or put the template back to revision " + n.heldAt()
	if n.holdsNothing() {
		message = "the Release is being deleted, and nothing is held any more: it goes when its marks say so, too"
		if bound := n.bound(); len(bound) > 0 {
			message += ", in " + strings.Join(bound, ", ")
		}
		n.After = lookAgain
	}
	n.condition(v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonHeld, message)
}

// heldAt is the revision that clusters are held at.
func (n *next) heldAt() string {
	switch d := n.Status.Dispatch; {
	case d != nil:
		return d.Stable
	case n.Template.Before != nil:
		return n.Template.Before.Stable
	}
	return n.Template.Revision
}
