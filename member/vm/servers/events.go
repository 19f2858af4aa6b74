package servers

import (
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// told are the conditions whose change is an event, and the status that is a trouble.
var told = map[string]metav1.ConditionStatus{
	v1alpha1.ConditionReachable:        metav1.ConditionFalse,
	v1alpha1.ConditionHealthy:          metav1.ConditionFalse,
	v1alpha1.ConditionTaskBlocked:      metav1.ConditionTrue,
	v1alpha1.ConditionFailoverDue:      metav1.ConditionTrue,
	v1alpha1.ConditionMonitoringNormal: metav1.ConditionFalse,
	v1alpha1.ConditionAwaitingApproval: "",
}

// noAlert says that a condition of the alert queries tells of none that fires, or did: each deployment has them asked anew.
func noAlert(was *metav1.Condition, now metav1.Condition) bool {
	fires := now.Status == metav1.ConditionFalse || was != nil && was.Status == metav1.ConditionFalse
	return now.Type == v1alpha1.ConditionMonitoringNormal && !fires
}

// tell makes events of what was written: a phase entered, and conditions that say something new.
func (r *Reconciler) tell(w *work) {
	now := &w.after.Status
	if was := w.before.Status.Phase; was != now.Phase {
		r.recorder.Eventf(w.after, corev1.EventTypeNormal, w.decided.Row, "The server is %s, decided by %s.", now.Phase, now.DecidedBy)
	}
	for _, c := range now.Conditions {
		bad, ours := told[c.Type]
		was := apimeta.FindStatusCondition(w.before.Status.Conditions, c.Type)
		quiet := was == nil && c.Status == metav1.ConditionFalse && bad != metav1.ConditionFalse
		if !ours || quiet || noAlert(was, c) || was != nil && was.Status == c.Status && was.Reason == c.Reason {
			continue
		}
		kind := corev1.EventTypeNormal
		if c.Status == bad {
			kind = corev1.EventTypeWarning
		}
		r.recorder.Event(w.after, kind, c.Reason, c.Message)
	}
}
