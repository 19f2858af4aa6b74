package decide

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// counts of a workload, and what its controller says beside.
type counts struct {
	// observed is false while the numbers speak of an earlier spec; anew is set while there are none, since it was just made.
	observed, anew                                         bool
	desired, replicas, ready, updated, available, unwanted int32
	selector                                               *metav1.LabelSelector
	template                                               *corev1.PodTemplateSpec
	// current and update name revisions where the workload has them.
	current, update string
	// refused is why the cluster makes no pods, stuck why a change stands still.
	refused, stuck string
}

func countsOf(live *unstructured.Unstructured) (counts, error) {
	if live.GetKind() == string(v1alpha1.WorkloadStatefulSet) {
		return statefulSetCounts(live)
	}
	return deploymentCounts(live)
}

func deploymentCounts(live *unstructured.Unstructured) (counts, error) {
	var d appsv1.Deployment
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, &d); err != nil {
		return counts{}, fmt.Errorf("reading Deployment %s: %w", live.GetName(), err)
	}
	s := d.Status
	out := counts{
		observed: s.ObservedGeneration >= d.Generation, anew: s.ObservedGeneration == 0, desired: ptr.Deref(d.Spec.Replicas, 1),
		replicas: s.Replicas, ready: s.ReadyReplicas, updated: s.UpdatedReplicas, available: s.AvailableReplicas,
		unwanted: max(0, s.Replicas-s.UpdatedReplicas), selector: d.Spec.Selector, template: &d.Spec.Template,
	}
	for _, c := range s.Conditions {
		switch {
		case c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue:
			out.refused = c.Message
		case c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse:
			out.stuck = c.Message
		}
	}
	return out, nil
}

func statefulSetCounts(live *unstructured.Unstructured) (counts, error) {
	var s appsv1.StatefulSet
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, &s); err != nil {
		return counts{}, fmt.Errorf("reading StatefulSet %s: %w", live.GetName(), err)
	}
	updated := s.Status.UpdatedReplicas
	if s.Status.CurrentRevision == s.Status.UpdateRevision {
		// Kubernetes counts nobody as updated once a change is complete.
		updated = s.Status.Replicas
	}
	return counts{
		observed: s.Status.ObservedGeneration >= s.Generation, anew: s.Status.ObservedGeneration == 0, desired: ptr.Deref(s.Spec.Replicas, 1),
		replicas: s.Status.Replicas, ready: s.Status.ReadyReplicas, updated: updated, available: s.Status.AvailableReplicas,
		unwanted: max(0, s.Status.Replicas-updated), selector: s.Spec.Selector, template: &s.Spec.Template,
		current: s.Status.CurrentRevision, update: s.Status.UpdateRevision,
	}, nil
}
