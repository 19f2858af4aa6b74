package facts

import (
	"fmt"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// NotDelivered names what a template asks for that this version does not deliver: queries of monitors are carried and not acted upon.
// Machines of such a template are not made: half a delivery would be paid for and serve nobody.
func NotDelivered(spec *v1alpha1.ServerTemplateSpec) []string {
	var out []string
	for _, m := range spec.Monitors {
		if m.AlertQuery != "" {
			out = append(out, fmt.Sprintf("alertQuery (monitor %s)", m.Name))
		}
	}
	return out
}

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
