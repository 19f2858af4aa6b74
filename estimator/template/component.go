package template

import (
	"cmp"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	componentv1alpha1 "github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// rendered is what the control plane knows of the workload that a member will make of a Component: the main container, and what
// spec.patches say about the workload's pods. A member's own templates may add to it; a live pod shows what they added.
func rendered(object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	var component componentv1alpha1.Component
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &component); err != nil {
		return nil, err
	}
	spec := component.Spec
	container, workload := componentv1alpha1.MainContainer, object.GetName()
	if spec.Adopt != nil {
		container, workload = cmp.Or(spec.Adopt.Container, container), cmp.Or(spec.Adopt.Workload, workload)
	}
	main := corev1.Container{Name: container, Image: spec.Image, Env: spec.Env, EnvFrom: spec.EnvFrom,
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList(spec.Resources.Requests),
			Limits: corev1.ResourceList(spec.Resources.Limits)}}
	pod, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&corev1.PodTemplateSpec{
		Spec: corev1.PodSpec{Containers: []corev1.Container{main}},
	})
	if err != nil {
		return nil, err
	}
	out := &unstructured.Unstructured{Object: map[string]any{}}
	for i, patch := range spec.Patches {
		if string(patch.Target.Kind) != string(spec.WorkloadType) || patch.Target.Name != "" && patch.Target.Name != workload {
			continue
		}
		if pod, err = patched(pod, patch.Patch.Raw, out); err != nil {
			return nil, fmt.Errorf("spec.patches[%d]: %w", i, err)
		}
	}
	if err := unstructured.SetNestedMap(out.Object, pod, "spec", "template"); err != nil {
		return nil, err
	}
	out.SetKind(object.GetKind())
	out.SetNamespace(object.GetNamespace())
	out.SetName(object.GetName())
	return out, nil
}

// patched applies what one patch says about the pod template, and notes in workload the claims it adds.
func patched(pod map[string]any, patch []byte, workload *unstructured.Unstructured) (map[string]any, error) {
	var says map[string]any
	if err := json.Unmarshal(patch, &says); err != nil {
		return nil, err
	}
	claims, _, err := unstructured.NestedSlice(says, "spec", "volumeClaimTemplates")
	if err != nil {
		return nil, err
	}
	if len(claims) > 0 {
		if err := unstructured.SetNestedSlice(workload.Object, claims, "spec", "volumeClaimTemplates"); err != nil {
			return nil, err
		}
	}
	template, found, err := unstructured.NestedMap(says, "spec", "template")
	if err != nil || !found {
		return pod, err
	}
	return strategicpatch.StrategicMergeMapPatch(pod, template, corev1.PodTemplateSpec{})
}
