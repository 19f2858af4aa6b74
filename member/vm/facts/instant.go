package facts

import "github.com/argosy-dev/argosy/api/vm/v1alpha1"

// Instant is the outcome of a task that asks nobody; ok is false for the others: those of machines, of what is on them and of load
// balancers, and those that watch.
func Instant(kind v1alpha1.TaskType) (state v1alpha1.TaskState, message string, ok bool) {
	switch kind {
	case v1alpha1.TaskRestartService:
		return v1alpha1.TaskFailed, "no state asks for a restart by itself", true
	case v1alpha1.TaskAttachMonitor, v1alpha1.TaskPauseMonitor, v1alpha1.TaskNotify:
		return v1alpha1.TaskSucceeded, "", true // monitoring systems ask; who is told is an event's matter
	}
	return "", "", false
}
