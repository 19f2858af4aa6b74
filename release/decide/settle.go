package decide

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// lasting are reasons to wait that end when people, or a network, come back.
var lasting = []string{v1alpha1.ReasonClusterUnreachable, v1alpha1.ReasonWorkSuspended}

// settle: a template of the stable revision ends a release at once, and is opened everywhere.
func settle(n *next) bool {
	d := n.Status.Dispatch
	d.Rejected = n.rejected()
	if n.Template.Revision != d.Stable {
		return false
	}
	if d.Revision != d.Stable || !isAll(d) {
		n.stable()
		n.event(false, v1alpha1.ReasonComplete, "the template is at the stable revision %s again", d.Stable)
	}
	n.settled()
	return true
}

// settled says how far the clusters are with the stable revision.
func (n *next) settled() {
	n.condition(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	n.condition(v1alpha1.ConditionAwaitingApproval, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	n.condition(v1alpha1.ConditionRolledBack, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	waits := n.clusters(everything(n.Clusters))
	if len(n.Clusters) == 0 {
		const message = "the application is in no cluster: nobody was seen with the template's revision"
		n.condition(v1alpha1.ConditionComplete, metav1.ConditionUnknown, v1alpha1.ReasonNowhere, message)
		n.condition(v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonNowhere, message)
		return
	}
	if len(waits) == 0 {
		message := "every cluster has revision " + n.Template.Revision
		if skipped := n.skipped(); len(skipped) > 0 {
			message = fmt.Sprintf("every cluster that answers has revision %s; skipped: %s", n.Template.Revision, strings.Join(skipped, ", "))
		}
		n.condition(v1alpha1.ConditionComplete, metav1.ConditionTrue, v1alpha1.ReasonComplete, message)
		n.condition(v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonComplete, message)
		return
	}
	n.After = lookAgain
	if !slices.ContainsFunc(waits, func(w wait) bool { return !slices.Contains(lasting, w.reason) }) {
		n.After = lookForAway
	}
	n.condition(v1alpha1.ConditionComplete, metav1.ConditionFalse, v1alpha1.ReasonUpdating, said(waits))
	n.condition(v1alpha1.ConditionProgressing, metav1.ConditionTrue, v1alpha1.ReasonUpdating, said(waits))
}

// skipped are the clusters that nobody waits for, since they do not answer (spec.unreachable: Skip).
func (n *next) skipped() []string {
	var out []string
	for _, c := range n.Clusters {
		if c.Unreachable != "" {
			out = append(out, c.Name)
		}
	}
	return out
}
