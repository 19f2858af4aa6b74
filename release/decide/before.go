package decide

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// left is what a Release of this name, which is gone, left held; nil where nothing is: the template is at what its marks call stable, or
// every cluster has its revision as a whole. One that was rejected is on its way out of them, however many have it still.
func (n *next) left() *Before {
	before := n.Template.Before
	if n.Status.Dispatch != nil || before == nil || before.Stable == n.Template.Revision || n.spec.Promoted == n.Template.Revision {
		return nil
	}
	has := func(c Cluster) bool {
		return c.Work != nil && c.Work.Revision == n.Template.Revision && c.Work.Share == nil
	}
	everywhere := len(n.Clusters) > 0 && !slices.ContainsFunc(n.Clusters, func(c Cluster) bool { return !has(c) })
	if everywhere && !slices.Contains(before.Rejected, n.Template.Revision) {
		return nil
	}
	return before
}

// lost: clusters are held at a revision that the history has not. Taken up it could not be given to a cluster, and the template's taken as
// stable would open what is held: people decide.
func lost(n *next) bool {
	before := n.left()
	if before == nil || before.Record != nil {
		return false
	}
	message := fmt.Sprintf("clusters are held at revision %s by a Release that is gone, and there is no record of it: put the template back "+
		"to it, or open revision %s everywhere: %s", before.Stable, n.Template.Revision, n.command("promote"))
	n.condition(v1alpha1.ConditionAdopted, metav1.ConditionFalse, v1alpha1.ReasonRecordLost, message)
	n.condition(v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonRecordLost, message)
	n.condition(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	n.condition(v1alpha1.ConditionAwaitingApproval, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	n.clusters(n.had())
	n.After = time.Minute // a record may come back with a backup
	return true
}

// had is what clusters have of the template's revision, by their Works.
func (n *next) had() opening {
	o := nothing()
	for _, c := range n.Clusters {
		switch w := c.Work; {
		case w == nil || w.Revision != n.Template.Revision:
		case w.Share == nil:
			o.whole[c.Name] = true
		case *w.Share > 0:
			o.parts[c.Name] = *w.Share
		}
	}
	return o
}

// takeUp what a Release of this name left held: the stable revision stays what it was, clusters keep what they have, and what was rejected
// stays so until it is tried again. The template's revision begins at the first stage.
func (n *next) takeUp() bool {
	before := n.left()
	if before == nil {
		return false
	}
	d := &v1alpha1.Dispatch{Revision: n.Template.Revision, Stable: before.Stable, Rejected: before.Rejected}
	n.had().dispatch(d)
	if slices.Contains(before.Rejected, n.Template.Revision) {
		n.Status.Failure = &v1alpha1.Failure{Revision: n.Template.Revision, Attempt: max(n.spec.Attempt, 1), Time: metav1.NewTime(n.Now),
			Message: "it was rejected before this Release was made"}
	}
	n.Status.Dispatch, n.Status.History = d, slices.Clone(before.History)
	if !slices.ContainsFunc(before.History, func(r v1alpha1.Revision) bool { return r.Name == before.Stable }) {
		n.Status.History = append(n.Status.History, *before.Record)
	}
	d.Rejected = n.rejected()
	n.remember()
	n.event(false, v1alpha1.ReasonAdopted, "what a Release of this name left held is held: revision %s is the stable one, and clusters keep "+
		"what they have", before.Stable)
	n.condition(v1alpha1.ConditionAdopted, metav1.ConditionTrue, v1alpha1.ReasonAdopted, "changes are held until a stage opens them")
	return true
}
