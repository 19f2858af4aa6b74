package policy

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Kinds are those of objects an application may consist of. A member that lacks one simply has none of it.
type Kinds []schema.GroupVersionKind

// Carried are the kinds that this project's own rights let a migration handle in the control plane (the markers at
// migration/controller.go), and further ones that the controllers are configured with.
func Carried(further ...schema.GroupVersionKind) Kinds {
	return append(Kinds{
		{Group: "apps", Version: "v1", Kind: "Deployment"},
		{Group: "apps", Version: "v1", Kind: "StatefulSet"},
		{Group: "apps", Version: "v1", Kind: "DaemonSet"},
		{Group: "apps.kruise.io", Version: "v1alpha1", Kind: "CloneSet"},
		{Group: "apps.kruise.io", Version: "v1beta1", Kind: "StatefulSet"},
		{Group: "apps.kruise.io", Version: "v1alpha1", Kind: "DaemonSet"},
		{Version: "v1", Kind: "ConfigMap"},
		{Version: "v1", Kind: "Secret"},
		{Version: "v1", Kind: "ServiceAccount"},
		{Version: "v1", Kind: "PersistentVolumeClaim"},
		{Version: "v1", Kind: "Service"},
		{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"},
		{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"},
		{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
	}, further...)
}

// Has says whether objects of a kind can be part of a federated application, and so be rolled back with it.
func (k Kinds) Has(apiVersion, kind string) bool {
	return slices.Contains(k, schema.FromAPIVersionAndKind(apiVersion, kind))
}
