package template

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Mounts are the names of the claims that every replica mounts, in its own namespace.
func (p Pod) Mounts() []string {
	var names []string
	for _, volume := range p.Template.Spec.Volumes {
		if volume.PersistentVolumeClaim != nil {
			names = append(names, volume.PersistentVolumeClaim.ClaimName)
		}
	}
	return names
}

// Claim reads a claim of the control plane as the member will get it: not bound to anything yet.
func Claim(object *unstructured.Unstructured) (corev1.PersistentVolumeClaim, bool) {
	var claim corev1.PersistentVolumeClaim
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &claim); err != nil {
		return corev1.PersistentVolumeClaim{}, false
	}
	return corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: claim.Namespace, Name: claim.Name, Labels: claim.Labels},
		Spec:   claim.Spec,
		Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending}}, true
}

// ephemeralClaims are the claims of the pod's ephemeral volumes: each replica brings its own, as with a StatefulSet's.
func ephemeralClaims(pod *corev1.Pod) []corev1.PersistentVolumeClaim {
	var claims []corev1.PersistentVolumeClaim
	for _, volume := range pod.Spec.Volumes {
		if volume.Ephemeral != nil && volume.Ephemeral.VolumeClaimTemplate != nil {
			claims = append(claims, corev1.PersistentVolumeClaim{
				ObjectMeta: metav1.ObjectMeta{Name: volume.Name}, Spec: volume.Ephemeral.VolumeClaimTemplate.Spec,
			})
		}
	}
	return claims
}
