package mirror

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
)

// trim drops what neither the scheduler nor the estimator reads, before the informer stores the object: at 100,000 pods most of the memory.
// Labels and annotations stay: plugins read them.
func trim(object any) (any, error) {
	if accessor, err := meta.Accessor(object); err == nil {
		accessor.SetManagedFields(nil)
		if annotations := accessor.GetAnnotations(); annotations[corev1.LastAppliedConfigAnnotation] != "" {
			delete(annotations, corev1.LastAppliedConfigAnnotation)
		}
	}
	switch o := object.(type) {
	case *corev1.Pod:
		trimPod(o)
	case *corev1.Node:
		o.Status.Conditions, o.Status.VolumesInUse, o.Status.VolumesAttached, o.Status.Config = nil, nil, nil, nil
	case *appsv1.ReplicaSet:
		trimMade(o)
		o.Status = appsv1.ReplicaSetStatus{}
	case *appsv1.StatefulSet:
		o.Spec.Template = corev1.PodTemplateSpec{}
		o.Status = appsv1.StatefulSetStatus{}
	case *appsv1.DaemonSet:
		o.Status = appsv1.DaemonSetStatus{}
	case *corev1.Service:
		o.Status = corev1.ServiceStatus{}
	}
	return object, nil
}

// trimMade keeps of a ReplicaSet's template what tells a member's additions to its pods from the workload's own, and nothing of one without
// pods.
func trimMade(set *appsv1.ReplicaSet) {
	made := set.Spec.Template
	set.Spec.Template = corev1.PodTemplateSpec{}
	if set.Spec.Replicas != nil && *set.Spec.Replicas == 0 {
		return
	}
	names := func(list []corev1.Container) (out []corev1.Container) {
		for i := range list {
			out = append(out, corev1.Container{Name: list[i].Name})
		}
		return out
	}
	set.Spec.Template.Labels = made.Labels
	set.Spec.Template.Spec = corev1.PodSpec{Containers: names(made.Spec.Containers), InitContainers: names(made.Spec.InitContainers),
		NodeSelector: made.Spec.NodeSelector,
		Tolerations:  made.Spec.Tolerations, PriorityClassName: made.Spec.PriorityClassName, RuntimeClassName: made.Spec.RuntimeClassName,
		SchedulerName: made.Spec.SchedulerName}
}

// trimPod keeps of the status what the scheduler reads (phase, nomination, resources in use) and the condition that says why a pod is
// pending.
func trimPod(pod *corev1.Pod) {
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			c := &list[i]
			*c = corev1.Container{
				Name: c.Name, Image: c.Image, Ports: c.Ports, Resources: c.Resources, ResizePolicy: c.ResizePolicy, RestartPolicy: c.RestartPolicy,
			}
		}
	}
	pod.Spec.EphemeralContainers = nil
	status := corev1.PodStatus{Phase: pod.Status.Phase, NominatedNodeName: pod.Status.NominatedNodeName, Resize: pod.Status.Resize,
		StartTime: pod.Status.StartTime, ResourceClaimStatuses: pod.Status.ResourceClaimStatuses}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled || condition.Type == corev1.PodResizePending {
			status.Conditions = append(status.Conditions, condition)
		}
	}
	status.InitContainerStatuses = trimStatuses(pod.Status.InitContainerStatuses)
	status.ContainerStatuses = trimStatuses(pod.Status.ContainerStatuses)
	pod.Status = status
}

func trimStatuses(statuses []corev1.ContainerStatus) []corev1.ContainerStatus {
	var kept []corev1.ContainerStatus
	for _, s := range statuses {
		if s.Resources != nil || s.AllocatedResources != nil {
			kept = append(kept, corev1.ContainerStatus{Name: s.Name, Resources: s.Resources, AllocatedResources: s.AllocatedResources})
		}
	}
	return kept
}
