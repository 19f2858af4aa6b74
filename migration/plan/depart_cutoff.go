package plan

import (
	"fmt"
	"maps"
	"slices"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

func (j *journey) cutOff() outcome {
	j.enter(v1alpha1.PhaseCutOff, v1alpha1.ReasonCutOff, "cut off: static management is open again, nothing was deleted")
	message := "put it back on the whitelist to adopt it again, or 'argosyctl migration leave' to remove it from the control plane"
	if j.Spec.Rollback != nil {
		message = j.rolledBack() + ", whatever whitelists say: 'argosyctl migration readopt' adopts it again, 'argosyctl migration leave' " +
			"removes it from the control plane"
	}
	for _, ref := range slices.SortedFunc(maps.Keys(j.Control.Unread), byUser) {
		message += fmt.Sprintf("; the template of %s could not be read or marked (%s)", policy.User(ref), j.Control.Unread[ref])
	}
	if j.Control.ScalersUnread != "" {
		message += "; whether an autoscaler is still dispatched is not known (" + j.Control.ScalersUnread + ")"
	}
	if j.Status.Failure != nil && j.Entry != nil {
		j.next.Blocked = v1alpha1.ReasonFailedBefore
		message := "rolled back: " + j.Status.Failure.Message + "; 'argosyctl migration readopt' tries again"
		return j.wait(v1alpha1.ReasonFailedBefore, message, resting)
	}
	again := resting
	if j.Entry != nil || j.Spec.AfterCutOff == v1alpha1.AfterCutOffLeave {
		again = soon // it was listed again, or asked to leave, while it was being cut off
	}
	return j.wait(v1alpha1.ReasonCutOff, message, again)
}
