package hold

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// revisionLength in hex digits: 48 bits tell the few revisions of one application apart.
const revisionLength = 12

// Revision names what an object is: its specification without the live fields and without a partition. The version in which it is
// read does not matter, and neither do its own labels and annotations: they are not released.
func Revision(object *unstructured.Unstructured) (string, error) {
	family, ok := FamilyOf(object.GroupVersionKind().GroupKind())
	if !ok {
		return "", fmt.Errorf("%s of %s is not released in stages", object.GetKind(), object.GetAPIVersion())
	}
	spec, ok, err := unstructured.NestedMap(object.Object, "spec")
	if err != nil {
		return "", fmt.Errorf("reading spec of %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	if !ok {
		return "", fmt.Errorf("%s %s has no spec", object.GetKind(), object.GetName())
	}
	content := map[string]any{"spec": spec}
	for _, path := range append(family.Live, family.Partition) {
		remove(content, path)
	}
	raw, err := json.Marshal(content)
	if err != nil {
		return "", fmt.Errorf("spec of %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])[:revisionLength], nil
}

// remove a field, and the objects around it that are empty then: an empty one means what its absence means.
func remove(content map[string]any, path []string) {
	if len(path) == 0 {
		return
	}
	if len(path) == 1 {
		delete(content, path[0])
		return
	}
	inner, ok := content[path[0]].(map[string]any)
	if !ok {
		return
	}
	remove(inner, path[1:])
	if len(inner) == 0 {
		delete(content, path[0])
	}
}

// Record is what is kept of a revision: the object without what the control plane adds.
func Record(object *unstructured.Unstructured) *unstructured.Unstructured {
	out := &unstructured.Unstructured{Object: map[string]any{}}
	out.SetGroupVersionKind(object.GroupVersionKind())
	out.SetNamespace(object.GetNamespace())
	out.SetName(object.GetName())
	out.SetLabels(own(object.GetLabels()))
	out.SetAnnotations(own(object.GetAnnotations()))
	if spec, ok := object.Object["spec"]; ok {
		out.Object["spec"] = runtime.DeepCopyJSONValue(spec)
	}
	if family, ok := FamilyOf(object.GroupVersionKind().GroupKind()); ok {
		remove(out.Object, family.Partition)
	}
	return out
}

// Released is what of an object is released: its record without the live fields.
func Released(object *unstructured.Unstructured) *unstructured.Unstructured {
	out := Record(object)
	if family, ok := FamilyOf(object.GroupVersionKind().GroupKind()); ok {
		for _, path := range family.Live {
			remove(out.Object, path)
		}
	}
	return out
}

// own are the marks that are the user's.
func own(marks map[string]string) map[string]string {
	var out map[string]string
	for key, value := range marks {
		if !system(key) && key != lastApplied {
			if out == nil {
				out = map[string]string{}
			}
			out[key] = value
		}
	}
	return out
}

// lastApplied is kubectl's own copy of the object.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// system is true for marks of Karmada's and of ours.
func system(key string) bool {
	domain, _, _ := strings.Cut(key, "/")
	for _, ours := range []string{"karmada.io", "argosy.dev"} {
		if domain == ours || strings.HasSuffix(domain, "."+ours) {
			return true
		}
	}
	return false
}
