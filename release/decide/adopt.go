package decide

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// adopt takes what the template says as stable: no cluster changes. Nothing holds a change until the template bears its marks, so what is
// pushed before that has reached every cluster, and is the stable one.
func adopt(n *next) bool {
	if n.takeUp() {
		return false
	}
	d := n.Status.Dispatch
	unheld := !n.Template.Marked && d != nil && isAll(d) && d.Revision == d.Stable
	if d == nil || unheld && d.Stable != n.Template.Revision {
		n.stable()
	}
	if !n.Template.Marked {
		n.condition(v1alpha1.ConditionAdopted, metav1.ConditionFalse, v1alpha1.ReasonAdopting,
			"the template is being marked: changes are not held yet")
		n.After = time.Second
		return d == nil || unheld
	}
	if !meta.IsStatusConditionTrue(n.before.Conditions, v1alpha1.ConditionAdopted) {
		n.event(false, v1alpha1.ReasonAdopted, "revision %s is the stable one; changes are held from here on", n.Status.Dispatch.Stable)
	}
	n.condition(v1alpha1.ConditionAdopted, metav1.ConditionTrue, v1alpha1.ReasonAdopted, "changes are held until a stage opens them")
	return false
}

// stable makes the template's revision the one of every cluster.
func (n *next) stable() {
	rejected := n.rejected()
	n.Status.Dispatch = &v1alpha1.Dispatch{Revision: n.Template.Revision, Stable: n.Template.Revision, Open: []string{v1alpha1.OpenAll},
		Rejected: rejected, WithOpen: n.everywhere()}
	n.begin("")
	n.remember()
}
