package decide

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/internal/text"
)

// command of argosyctl's about this Release, as it can be typed from anywhere.
func (n *next) command(verb string) string {
	return fmt.Sprintf("argosyctl release %s %s -n %s", verb, n.Release.Name, n.Release.Namespace)
}

// condition is set, and said as an event when it turns to what people must know.
func (n *next) condition(kind string, status metav1.ConditionStatus, reason, message string) {
	if message == "" {
		message = "nothing is wrong"
	}
	old := meta.FindStatusCondition(n.before.Conditions, kind)
	if old != nil && old.Reason == reason && slices.Contains(quoting, reason) {
		message = text.Keep(old.Message, message)
	}
	meta.SetStatusCondition(&n.Status.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: text.Cut(message, mostOfMessage),
		ObservedGeneration: n.Release.Generation, LastTransitionTime: metav1.NewTime(n.Now),
	})
	if old != nil && old.Status == status {
		// What an earlier step said of it in this very look was no transition.
		meta.FindStatusCondition(n.Status.Conditions, kind).LastTransitionTime = old.LastTransitionTime
	}
	news := old == nil || old.Status != status || old.Reason != reason
	switch {
	case !news || status != metav1.ConditionTrue:
	case kind == v1alpha1.ConditionStalled:
		n.event(true, reason, "%s", message)
	case kind == v1alpha1.ConditionComplete, kind == v1alpha1.ConditionAwaitingApproval, kind == v1alpha1.ConditionRolledBack:
		n.event(false, reason, "%s", message)
	}
}

// quoting are the reasons whose messages have an error's text in them.
var quoting = []string{
	v1alpha1.ReasonUpdating, v1alpha1.ReasonGateUnwell, v1alpha1.ReasonGateUnanswered, v1alpha1.ReasonClusterUnreachable,
	v1alpha1.ReasonDeadlineExceeded,
}

// mostOfMessage keeps a condition with hundreds of clusters readable.
const mostOfMessage = 1024

func (n *next) event(warning bool, reason, format string, args ...any) {
	n.Events = append(n.Events, Event{Warning: warning, Reason: reason, Message: text.Cut(fmt.Sprintf(format, args...), mostOfMessage)})
}
