package plan

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// outcome of a step: the next one follows, or the pass ends.
type outcome bool

const (
	proceed outcome = true
	stop    outcome = false
)

// How long until an application is looked at again without a change being seen. Members are not watched:
// they are read when there is something to decide.
const (
	soon    = 2 * time.Second
	waiting = 15 * time.Second
	resting = 5 * time.Minute
)

// Soon is the Requeue of who waits for Karmada, or for a write to be seen: what may well have happened earlier.
const Soon = soon

// wait for something that comes by itself, or from a person by right.
func (j *journey) wait(reason, message string, again time.Duration) outcome {
	j.condition(v1alpha1.ConditionAdvancing, metav1.ConditionFalse, reason, message)
	if again == waiting && j.Entry != nil && !j.Turn.Open && !j.opened() {
		again = resting // its turn wakes it, and so does whoever approves
	}
	j.decision.Requeue = again
	return stop
}

// block until what was found is put right; the message says what and how.
func (j *journey) block(reason, format string, args ...any) outcome {
	message := fmt.Sprintf(format, args...)
	j.warn(reason, message)
	j.next.Blocked = reason
	return j.wait(reason, message, waiting)
}

// warn of what is said in the condition Advancing, once for as long as it is the same.
func (j *journey) warn(reason, message string) {
	was := meta.FindStatusCondition(j.Status.Conditions, v1alpha1.ConditionAdvancing)
	if was == nil || was.Reason != reason || was.Message != short(message) {
		j.event(true, reason, message)
	}
}

// fail an attempt after a cluster was opened.
func (j *journey) fail(reason, format string, args ...any) outcome {
	message := fmt.Sprintf(format, args...)
	j.next.Failure = &v1alpha1.Failure{
		Attempt: max(j.Spec.Attempt, 1), Reason: reason, Message: short(message), Time: metav1.NewTime(j.Now), Action: j.Strategy.OnFailure,
	}
	j.condition(v1alpha1.ConditionUnchanged, metav1.ConditionFalse, reason, message)
	j.event(true, reason, message)
	j.history(reason, message)
	j.next.Blocked = reason
	if j.Strategy.OnFailure == v1alpha1.OnFailurePause {
		return j.wait(reason, message, waiting)
	}
	j.event(true, v1alpha1.ReasonRolledBack, "rolling back: "+message)
	// The failure is on record with the next write; the cut-off follows from it at once.
	j.shut(reason, message)
	return j.wait(reason, message, soon)
}

// written ends a pass after writes to the control plane, which are read back before the next step.
func (j *journey) written(what string) outcome {
	return j.wait(v1alpha1.ReasonAwaitingKarmada, "wrote "+what, soon)
}
