package server

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/argosy-dev/argosy/estimator/template"
)

// ReasonTemplateUnreadable is the reason of the event on a workload whose template could not be read when an estimate was asked for.
const ReasonTemplateUnreadable = "TemplateUnreadable"

// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch

// tell says it at the workload, where its people look: the wire to karmada-scheduler has only a number. client-go's recorder writes what it
// said before as a count.
func (s *Server) tell(object template.Object, unread error, found []candidate) {
	if s.events == nil || s.promises == nil {
		return
	}
	how := "how many fit is not known"
	if len(found) > 0 {
		how = map[string]string{"template": "estimated by the template as it was last read", "livePod": "estimated by a pod that runs",
			"request": "estimated by its requests alone"}[found[0].by]
	}
	for _, workload := range s.promises.Workloads(object.Kind, object.Namespace, object.Name) {
		s.events.Eventf(&corev1.ObjectReference{APIVersion: workload.APIVersion, Kind: workload.Kind, Namespace: workload.Namespace,
			Name: workload.Name, UID: workload.UID}, corev1.EventTypeWarning, ReasonTemplateUnreadable,
			"Replicas of this workload are counted for karmada-scheduler without reading its template: %s (%v)", how, unread)
	}
}
