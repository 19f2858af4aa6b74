package facts

import (
	"fmt"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// NotDelivered names what a template asks for that this version does not deliver: packages, health checks and queries of monitors are
// carried and not acted upon. Machines of such a template are not made: half a delivery would be paid for and serve nobody.
func NotDelivered(spec *v1alpha1.ServerTemplateSpec) []string {
	var out []string
	if n := len(spec.Packages); n > 0 {
		out = append(out, fmt.Sprintf("packages (%d)", n))
	}
	for _, m := range spec.Monitors {
		if m.AlertQuery != "" {
			out = append(out, fmt.Sprintf("alertQuery (monitor %s)", m.Name))
		}
	}
	if spec.HealthCheck != nil {
		out = append(out, "healthCheck")
	}
	return out
}

// Instant is the outcome of a task that asks nobody; ok is false for the others: those of machines and of load balancers, and those that
// watch.
func Instant(kind v1alpha1.TaskType, spec *v1alpha1.ServerSpec) (state v1alpha1.TaskState, message string, ok bool) {
	missing := func(n int, what string) (v1alpha1.TaskState, string, bool) {
		if n == 0 {
			return v1alpha1.TaskSucceeded, "", true
		}
		return v1alpha1.TaskFailed, what + " not delivered by this version of argosy-member-manager", true
	}
	switch kind {
	case v1alpha1.TaskInstallPackages, v1alpha1.TaskVerifyEnvironment:
		return missing(len(spec.Packages), "packages are")
	case v1alpha1.TaskCheckHealth:
		if spec.HealthCheck == nil {
			return missing(0, "")
		}
		return missing(1, "health checks are")
	case v1alpha1.TaskDeployCode, v1alpha1.TaskRestartService:
		return missing(1, "code is")
	case v1alpha1.TaskAttachMonitor, v1alpha1.TaskPauseMonitor, v1alpha1.TaskNotify:
		return v1alpha1.TaskSucceeded, "", true // monitoring systems ask; who is told is an event's matter
	}
	return "", "", false
}
