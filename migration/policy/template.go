package policy

import (
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/mark"
)

// Template is what the control plane keeps of a live object: what its owner wrote, without what the
// member's machinery added. Pod template annotations stay, all of them: without
// kubectl.kubernetes.io/restartedAt and its like the pods would restart.
func Template(live *unstructured.Unstructured) *unstructured.Unstructured {
	template := live.DeepCopy()
	delete(template.Object, "status")
	metadata := map[string]any{"name": live.GetName()}
	if live.GetNamespace() != "" {
		metadata["namespace"] = live.GetNamespace()
	}
	template.Object["metadata"] = metadata
	template.SetLabels(without(live.GetLabels(), clusterOwned))
	template.SetAnnotations(without(live.GetAnnotations(), clusterOwned))
	if strip, ok := clusterOwnedFields[live.GetKind()]; ok {
		strip(template)
	}
	return template
}

// clusterOwned says whether a label or annotation is the member's or Karmada's own. The member keeps it:
// Karmada never removes metadata it did not bring.
func clusterOwned(key string) bool {
	domain, _, _ := strings.Cut(key, "/")
	switch {
	case strings.HasSuffix(domain, "karmada.io"), domain == "migration.argosy.dev":
		return true
	case domain == "deployment.kubernetes.io", domain == "pv.kubernetes.io",
		domain == "volume.kubernetes.io", domain == "volume.beta.kubernetes.io":
		return true
	}
	return key == corev1.LastAppliedConfigAnnotation || key == "deprecated.daemonset.template.generation"
}

// clusterOwnedFields are the fields each cluster's machinery fills in for itself.
var clusterOwnedFields = map[string]func(*unstructured.Unstructured){
	"Service": func(o *unstructured.Unstructured) {
		if ip, _, _ := unstructured.NestedString(o.Object, "spec", "clusterIP"); ip != corev1.ClusterIPNone {
			unstructured.RemoveNestedField(o.Object, "spec", "clusterIP")
			unstructured.RemoveNestedField(o.Object, "spec", "clusterIPs")
		}
		unstructured.RemoveNestedField(o.Object, "spec", "healthCheckNodePort")
	},
	"PersistentVolumeClaim": func(o *unstructured.Unstructured) {
		unstructured.RemoveNestedField(o.Object, "spec", "volumeName")
	},
	"ServiceAccount": func(o *unstructured.Unstructured) {
		unstructured.RemoveNestedField(o.Object, "secrets")
	},
	"CloneSet": func(o *unstructured.Unstructured) {
		unstructured.RemoveNestedField(o.Object, "spec", "scaleStrategy", "podsToDelete")
	},
}

// Merge puts desired into the template that exists, keeping what the control plane and Karmada own of it.
// With nothing existing it is desired itself. The caller writes the result as a full update, so that a
// field which is gone in the members goes from the template too, whoever set it.
func Merge(existing, desired *unstructured.Unstructured) *unstructured.Unstructured {
	if existing == nil {
		return desired.DeepCopy()
	}
	merged := existing.DeepCopy()
	for key := range merged.Object {
		switch key {
		case "apiVersion", "kind", "metadata", "status":
		default:
			delete(merged.Object, key)
		}
	}
	for key, value := range desired.DeepCopy().Object {
		if key != "metadata" && key != "status" {
			merged.Object[key] = value
		}
	}
	merged.SetLabels(union(kept(existing.GetLabels()), desired.GetLabels()))
	merged.SetAnnotations(union(kept(existing.GetAnnotations()), desired.GetAnnotations()))
	if existing.GetKind() == "Service" {
		// Allocated by karmada-apiserver and immutable there; Karmada prunes them from the Works.
		for _, field := range []string{"clusterIP", "clusterIPs", "healthCheckNodePort"} {
			if value, ok, _ := unstructured.NestedFieldCopy(existing.Object, "spec", field); ok {
				_ = unstructured.SetNestedField(merged.Object, value, "spec", field)
			}
		}
	}
	return merged
}

// kept is the metadata of a template that Karmada put there (its claim), apart from our own marks.
func kept(metadata map[string]string) map[string]string {
	return without(metadata, func(key string) bool {
		return !strings.Contains(key, "karmada.io/") || key == mark.RetainReplicas
	})
}

func without(from map[string]string, drop func(string) bool) map[string]string {
	out := make(map[string]string, len(from))
	for key, value := range from {
		if !drop(key) {
			out[key] = value
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func union(a, b map[string]string) map[string]string {
	out := make(map[string]string, len(a)+len(b))
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}

// RefOf names an object.
func RefOf(object *unstructured.Unstructured) v1alpha1.ResourceReference {
	return v1alpha1.ResourceReference{APIVersion: object.GetAPIVersion(), Kind: object.GetKind(), Name: object.GetName()}
}

// Replicas a workload asks for; the API's default is 1. Kinds without replicas have none.
func Replicas(workload *unstructured.Unstructured) (int32, bool) {
	if !Divisible(workload.GetKind()) {
		return 0, false
	}
	value, found, err := unstructured.NestedFieldNoCopy(workload.Object, "spec", "replicas")
	if err != nil || !found {
		return 1, true
	}
	replicas, ok := number(value).(float64)
	if !ok {
		return 1, true
	}
	return int32(replicas), true
}

// Divisible kinds have replicas that clusters share; the others run in full in each cluster.
func Divisible(kind string) bool {
	switch kind {
	case "Deployment", "StatefulSet", "CloneSet":
		return true
	}
	return false
}

// Supported says whether workloads of this kind can be migrated: they bear a pod template at spec.template.
func Supported(apiVersion, kind string) bool {
	group, _, _ := strings.Cut(apiVersion, "/")
	switch group {
	case "apps":
		return kind == "Deployment" || kind == "StatefulSet" || kind == "DaemonSet"
	case "apps.kruise.io":
		return kind == "CloneSet" || kind == "StatefulSet" || kind == "DaemonSet"
	}
	return false
}
