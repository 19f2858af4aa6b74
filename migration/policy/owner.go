package policy

import (
	"cmp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ControlledBy names the controller that an object belongs to, such as ExternalSecret web: External Secrets' Secrets, KEDA's
// autoscalers, cert-manager's certificates and their like. Its content is that controller's: it is written again whenever it rotates.
func ControlledBy(object *unstructured.Unstructured) string {
	if owner := metav1.GetControllerOfNoCopy(object); owner != nil {
		return owner.Kind + " " + owner.Name
	}
	return ""
}

// Marks name the tools that apply an object from somewhere else, by what they mark it with. Such a tool goes on writing it in
// the member until it is told of the control plane.
func Marks(object *unstructured.Unstructured) []string {
	labels, annotations := object.GetLabels(), object.GetAnnotations()
	var out []string
	for _, mark := range []struct{ tool, name string }{
		{"Argo CD application", cmp.Or(annotations["argocd.argoproj.io/tracking-id"], labels["argocd.argoproj.io/instance"])},
		{"Flux Kustomization", labels["kustomize.toolkit.fluxcd.io/name"]},
		{"Flux HelmRelease", labels["helm.toolkit.fluxcd.io/name"]},
		{"Helm release", annotations["meta.helm.sh/release-name"]},
	} {
		if mark.name != "" {
			out = append(out, mark.tool+" "+mark.name)
		}
	}
	return out
}
