package hold

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// revisionLength in hex digits: 48 bits tell the few revisions of one application apart.
const revisionLength = 12

// restLength in hex digits, for what a revision names beside its target.
const restLength = 8

// Revision names what an object is: its content without the live fields and without a partition. The version in which it is read does not
// matter, and neither do its own labels and annotations: they are not released.
func Revision(object *unstructured.Unstructured) (string, error) {
	family, ok := FamilyOf(object.GroupVersionKind().GroupKind())
	if !ok {
		return "", fmt.Errorf("%s of %s is not released in stages", object.GetKind(), object.GetAPIVersion())
	}
	if _, is := object.Object["spec"].(map[string]any); !is && !family.With {
		return "", fmt.Errorf("%s %s has no spec", object.GetKind(), object.GetName())
	}
	what := &unstructured.Unstructured{Object: map[string]any{}}
	content(what, object, family)
	for _, path := range append(family.Live, family.Partition) {
		remove(what.Object, path)
	}
	raw, err := json.Marshal(what.Object)
	if err != nil {
		return "", fmt.Errorf("content of %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return digest(raw, revisionLength), nil
}

// Key of an object in the contents of a revision.
func Key(object *unstructured.Unstructured) string { return object.GetKind() + "/" + object.GetName() }

// Whole is the revision of an application: that of its target, and what else it names, told apart by their content.
func Whole(target string, rest map[string]string) string {
	if len(rest) == 0 {
		return target
	}
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(rest)) {
		fmt.Fprintf(&text, "%s=%s\n", key, rest[key])
	}
	return target + "-" + digest([]byte(text.String()), restLength)
}

// digest in hex digits.
func digest(raw []byte, length int) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])[:length]
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
	if family, ok := FamilyOf(object.GroupVersionKind().GroupKind()); ok {
		content(out, object, family)
		remove(out.Object, family.Partition)
	}
	return out
}

// content of an object, as another has it.
func content(into, from *unstructured.Unstructured, family Family) {
	for _, field := range family.Content {
		delete(into.Object, field)
		value, ok := from.Object[field]
		if inner, is := value.(map[string]any); !ok || family.With && is && len(inner) == 0 {
			continue // no data is no data
		}
		into.Object[field] = runtime.DeepCopyJSONValue(value)
	}
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
