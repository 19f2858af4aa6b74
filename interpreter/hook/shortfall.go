package hook

import (
	"strings"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	corev1 "k8s.io/api/core/v1"

	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/field"
)

// shortfall is a condition of ours that is False: what was asked is not what is.
type shortfall struct{ reason, message string }

// shortfalls are those of a status, by the condition's type.
func shortfalls(status any) map[string]shortfall {
	object, _ := status.(map[string]any)
	conditions, _ := object["conditions"].([]any)
	out := map[string]shortfall{}
	for _, item := range conditions {
		condition, _ := item.(map[string]any)
		kind, _ := condition["type"].(string)
		if !aggregate.IsOwn(kind) || condition["status"] != "False" {
			continue
		}
		reason, _ := condition["reason"].(string)
		message, _ := condition["message"].(string)
		out[kind] = shortfall{reason: reason, message: message}
	}
	return out
}

// ReasonNamesIgnored is the event's reason on a template that names replicas to remove.
const ReasonNamesIgnored = "PodsToDeleteIgnored"

// tellOfNames says that names on the template reach no member. The recorder counts what is said again.
func (e *exchange) tellOfNames(q interpreter.Question, answer interpreter.Answer) {
	for _, edit := range answer.Edits {
		if !edit.Remove || edit.Path[0] != "spec" {
			continue
		}
		names, err := field.Strings(q.Object.Object, edit.Path...)
		if err != nil || len(names) == 0 {
			continue
		}
		e.Events.Eventf(q.Object, corev1.EventTypeWarning, ReasonNamesIgnored,
			"%s names %s and reaches no member: name them in a PodScaleIn (argosyctl scalein), which tells each member its own",
			strings.Join(edit.Path, "."), strings.Join(names, ", "))
	}
}

// tell says by an event on the template, once, what began to fall short with this status.
func (e *exchange) tell(q interpreter.Question, answer interpreter.Answer) {
	if q.Operation == configv1alpha1.InterpreterOperationReviseReplica {
		e.tellOfNames(q, answer)
	}
	if q.Operation != configv1alpha1.InterpreterOperationAggregateStatus || len(answer.Edits) == 0 {
		return
	}
	before := shortfalls(q.Object.Object["status"])
	for kind, now := range shortfalls(answer.Edits[0].Value) {
		// Each rollout begins with fewer than asked: who does not come to its end is known by time alone.
		if before[kind].reason == now.reason || now.reason == aggregate.ReasonFewerUpdated {
			continue
		}
		e.Metrics.short.WithLabelValues(q.Object.GetKind(), now.reason).Inc()
		e.Events.Event(q.Object, corev1.EventTypeWarning, now.reason, now.message)
	}
}
