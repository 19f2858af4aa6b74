package component

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// quiet reasons say what follows from others, or what passes by itself.
var quiet = []string{
	v1alpha1.ReasonNotApplied, v1alpha1.ReasonNotObserved, v1alpha1.ReasonAsAsked, v1alpha1.ReasonReplicasNotReady,
	v1alpha1.ReasonFewerReplicas, v1alpha1.ReasonManaged,
}

// wellReasons are no trouble, whatever their condition says.
var wellReasons = []string{
	v1alpha1.ReasonRendered, v1alpha1.ReasonAdoptedWithForeignFields, v1alpha1.ReasonReplicasReady, v1alpha1.ReasonRollingOut,
	v1alpha1.ReasonCanaryPaused, v1alpha1.ReasonRolloutComplete, v1alpha1.ReasonOptedOut, v1alpha1.ReasonAddressAssigned,
	v1alpha1.ReasonAddressPending, v1alpha1.ReasonScaledToZero,
}

// tell makes an event of each condition that says something new.
func (r *Reconciler) tell(component *v1alpha1.Component, before, after []metav1.Condition) {
	for _, now := range after {
		was := meta.FindStatusCondition(before, now.Type)
		if was != nil && was.Status == now.Status && was.Reason == now.Reason || slices.Contains(quiet, now.Reason) {
			continue
		}
		if was == nil && now.Reason == v1alpha1.ReasonRolloutComplete {
			continue
		}
		kind := corev1.EventTypeWarning
		if slices.Contains(wellReasons, now.Reason) {
			kind = corev1.EventTypeNormal
		}
		r.recorder.Event(component, kind, now.Reason, now.Message)
	}
}
