package decide

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// rejected revisions: those people named, and the one that failed by itself until it is tried again; and any other that was rejected, as
// long as a cluster has it: its Release may be gone.
func (n *next) rejected() []string {
	out := slices.Clone(n.spec.Rejected)
	if d := n.Status.Dispatch; d != nil {
		for _, one := range d.Rejected {
			has := func(c Cluster) bool {
				return c.Work != nil && c.Work.Revision == one || slices.ContainsFunc(c.With, func(w With) bool { return w.has(one) })
			}
			if one != n.Template.Revision && !slices.Contains(out, one) && slices.ContainsFunc(n.Clusters, has) {
				out = append(out, one)
			}
		}
	}
	if f := n.Status.Failure; f != nil && max(n.spec.Attempt, 1) <= f.Attempt && !slices.Contains(out, f.Revision) {
		out = append(out, f.Revision)
	}
	// The stable revision is what everything goes back to.
	if d := n.Status.Dispatch; d != nil {
		out = slices.DeleteFunc(out, func(r string) bool { return r == d.Stable })
	}
	slices.Sort(out)
	return out
}

// back: the stable revision was rejected, and people named the one of the history that is to be the stable one instead. Where there is none
// of that name all goes on as it was, and is told at the end.
func back(n *next) bool {
	d, to := n.Status.Dispatch, n.spec.RollbackTo
	if to == "" || to == d.Stable || !slices.Contains(n.spec.Rejected, d.Stable) {
		return false
	}
	known := slices.ContainsFunc(n.Status.History, func(r v1alpha1.Revision) bool { return r.Name == to })
	if !known || slices.Contains(n.spec.Rejected, to) {
		n.unknown = fmt.Sprintf("spec.rollbackTo: revision %s is not in the history, or is rejected: clusters stay at %s; "+
			"%s lists those there are", to, d.Stable, n.command("history"))
		return false
	}
	n.event(true, v1alpha1.ReasonRejected, "revision %s is rejected: every cluster that has it goes back to %s", d.Stable, to)
	d.Stable = to
	return false
}

// reject: the revision is open nowhere, and clusters that had it go to the stable one. The template is not written: whoever keeps it in
// Git sees it as it is.
func reject(n *next) bool {
	d := n.Status.Dispatch
	if !slices.Contains(d.Rejected, n.Template.Revision) {
		return false
	}
	if d.Revision != n.Template.Revision || len(d.Open) > 0 || n.Status.Stage != "" {
		n.event(true, v1alpha1.ReasonRejected, "revision %s is rejected: every cluster goes back to %s", n.Template.Revision, d.Stable)
	}
	d.Revision, d.Open, d.Updated, d.WithOpen = n.Template.Revision, nil, nil, nil
	n.begin("")
	n.clusters(nothing())
	var away []string
	for _, c := range n.Clusters {
		if why := c.away(d.Stable); why != "" {
			away = append(away, c.Name+" "+why)
		}
	}
	n.condition(v1alpha1.ConditionComplete, metav1.ConditionFalse, v1alpha1.ReasonRejected, "revision "+n.Template.Revision+" is rejected")
	n.condition(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	n.condition(v1alpha1.ConditionAwaitingApproval, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	n.condition(v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonRejected,
		"revision "+n.Template.Revision+" is rejected; put the template back, write another, or try it again with "+n.command("retry"))
	if len(away) > 0 {
		n.After = lookAgain
		n.condition(v1alpha1.ConditionRolledBack, metav1.ConditionUnknown, v1alpha1.ReasonRejected, strings.Join(away, ", "))
		return true
	}
	n.condition(v1alpha1.ConditionRolledBack, metav1.ConditionTrue, v1alpha1.ReasonRolledBack,
		"no cluster has revision "+n.Template.Revision+": every one has "+d.Stable)
	return true
}

// away says why nobody knows yet that a cluster is back at the stable revision; empty when it is.
func (c Cluster) away(stable string) string {
	with := c.notBack(stable)
	switch {
	case c.Unreachable != "":
		return "does not answer"
	case c.Work == nil:
		return "has no Work: what it runs is not known"
	case c.Work.Suspended && (c.Work.Revision != stable || !c.Work.Observed || c.Work.goesBack()):
		return "is suspended: nothing is dispatched to it"
	case c.Work.Revision != stable:
		return "still has revision " + orNone(c.Work.Revision)
	case with != "":
		return with
	case !c.Work.Observed:
		return "has not reported yet"
	case c.Work.goesBack():
		return "may still have replicas of another revision"
	}
	return ""
}

// goesBack: not all replicas are of the revision the Work bears yet. A controller in a member has seen the Work long before its last pod is
// replaced, which may never be: the older revision finds no room, or nobody deletes a pod (OnDelete).
func (w *Work) goesBack() bool { return w.Updated < w.Desired || w.Old > 0 }
