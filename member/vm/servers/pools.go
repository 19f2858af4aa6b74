package servers

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/facts"
	"github.com/argosy-dev/argosy/member/vm/pool"
)

// inPools looks how far a task of load balancers is: that it runs is what the controller of pools acts upon, and what the pools show, which
// is recorded in the status, ends it.
func (w *work) inPools(task *v1alpha1.Task) (ended, ours bool) {
	progress, ours := pool.Task(task.Type, w.after, w.now)
	if !ours {
		return false, false
	}
	if progress.Done {
		facts.End(task, v1alpha1.TaskSucceeded, w.now, progress.Message)
		return true, true
	}
	if message := facts.Cut(progress.Message); task.State != v1alpha1.TaskRunning || task.Message != message {
		facts.Begin(task, w.now, message)
	}
	w.by(progress.Wake)
	return false, true
}

// monitored records that monitoring systems are told of the server from now on, or no more (package monitor).
func (w *work) monitored(kind v1alpha1.TaskType) {
	c := metav1.Condition{
		Type: v1alpha1.ConditionMonitored, ObservedGeneration: w.before.Generation, LastTransitionTime: metav1.NewTime(w.now),
	}
	switch kind {
	case v1alpha1.TaskAttachMonitor:
		c.Status, c.Reason = metav1.ConditionTrue, v1alpha1.ReasonMonitorAttached
		c.Message = "the discovery names it; whether it is scraped, up{server=...} says"
	case v1alpha1.TaskPauseMonitor:
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, v1alpha1.ReasonMonitorPaused, "the discovery does not name it"
	default:
		return
	}
	setCondition(&w.after.Status, c)
}
