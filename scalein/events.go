package scalein

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

// longestEvent is what the API server takes.
const longestEvent = 1000

// kindOf is Warning for everything that needs a person.
func kindOf(phase v1alpha1.PodScaleInPhase) string {
	if phase == v1alpha1.PhaseRefused || phase == v1alpha1.PhaseFailed {
		return corev1.EventTypeWarning
	}
	return corev1.EventTypeNormal
}
