package controller

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/text"
	"github.com/argosy-dev/argosy/migration/plan"
)

// maxMessage of an event; the API server refuses longer ones.
const maxMessage = 1000

// tell people what happened. The reason is the condition's own word.
func (c *Controller) tell(migration *v1alpha1.Migration, events []plan.Event) {
	for _, event := range events {
		kind := corev1.EventTypeNormal
		if event.Warning {
			kind = corev1.EventTypeWarning
		}
		c.Events.Event(migration, kind, event.Reason, text.Cut(event.Message, maxMessage))
	}
}
