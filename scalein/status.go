package scalein

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
	"github.com/argosy-dev/argosy/internal/text"
)

// longestMessage of a condition, in bytes: an order may name pods of hundreds of clusters, and the API server refuses a status that lists
// what each of them lacks.
const longestMessage = 4096

// settle is the status after the step.
func settle(f facts, s step) v1alpha1.PodScaleInStatus {
	status := *f.order.Status.DeepCopy()
	status.ObservedGeneration = f.order.Generation
	status.Phase = s.phase
	if s.plan != nil {
		status.Clusters = s.plan
	}
	now := metav1.Time{Time: f.now}
	if s.do == acceptPlan {
		// One order, one token: the UID is neither guessed nor used again.
		status.RequestID, status.StartTime = string(f.order.UID), &now
	}
	if f.template != nil && status.RequestID != "" && f.template.lowered != status.RequestID && s.phase != v1alpha1.PhaseRefused && !s.done {
		status.ReplicasBefore = ptr.To(f.template.replicas)
		status.ReplicasAfter = ptr.To(f.template.replicas - removed(status.Clusters))
	}
	if s.done {
		status.CompletionTime = &now
	}
	accepted, complete := metav1.ConditionTrue, metav1.ConditionFalse
	switch {
	case s.phase == v1alpha1.PhaseRefused:
		accepted = metav1.ConditionFalse
	case status.RequestID == "":
		accepted = metav1.ConditionUnknown
	case s.phase == v1alpha1.PhaseSucceeded:
		complete = metav1.ConditionTrue
	}
	set := func(name string, value metav1.ConditionStatus, reason, message string) {
		message = lasting(status.Conditions, name, reason, text.Cut(message, longestMessage))
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: name, Status: value, Reason: reason, Message: message, ObservedGeneration: f.order.Generation, LastTransitionTime: now,
		})
	}
	if accepted == metav1.ConditionTrue {
		if s.do == acceptPlan {
			set(v1alpha1.PodScaleInAccepted, accepted, v1alpha1.ReasonOrderAccepted, s.message)
		}
	} else {
		set(v1alpha1.PodScaleInAccepted, accepted, s.reason, s.message)
	}
	set(v1alpha1.PodScaleInComplete, complete, s.reason, s.message)
	return status
}

// lasting are a condition's words as they stood, where the new ones tell nothing else.
func lasting(conditions []metav1.Condition, name, reason, message string) string {
	if said := meta.FindStatusCondition(conditions, name); said != nil && said.Reason == reason {
		return text.Keep(said.Message, message)
	}
	return message
}

// news is whether the step is worth an event: it differs from what the status said before.
func news(before, after v1alpha1.PodScaleInStatus) bool {
	was, is := meta.FindStatusCondition(before.Conditions, v1alpha1.PodScaleInComplete),
		meta.FindStatusCondition(after.Conditions, v1alpha1.PodScaleInComplete)
	quiet := []string{v1alpha1.ReasonWaitingForWorks, v1alpha1.ReasonWaitingForBinding, v1alpha1.ReasonWaitingForPods}
	return is != nil && !slices.Contains(quiet, is.Reason) && (was == nil || was.Reason != is.Reason || before.Phase != after.Phase)
}
