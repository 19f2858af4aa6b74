package cronhpa

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/record"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// event is what a person is told. Its reason is one of the conditions' vocabulary.
type event struct {
	reason, message string
}

// kind is Warning for everything that needs a person.
func (e event) kind() string {
	switch e.reason {
	case v1alpha1.CronHPAReasonFiringApplied, v1alpha1.CronHPAReasonRulesOverlap, v1alpha1.CronHPAReasonBoundsRestored,
		v1alpha1.CronHPAReasonBoundsHeld:
		return corev1.EventTypeNormal
	}
	return corev1.EventTypeWarning
}

func tell(recorder record.EventRecorder, about *v1alpha1.CronHPA, events []event) {
	for _, e := range events {
		recorder.Event(about, e.kind(), e.reason, e.message)
	}
}
