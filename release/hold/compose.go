package hold

import (
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/internal/mark"
)

// Recording is a revision of the history, as a cluster is to have it.
type Recording struct {
	Object *unstructured.Unstructured
	// Generation of the template it was recorded at.
	Generation string
}

// Compose the manifest of a Work. recorded is needed where the want is from the history.
func Compose(work Work, want Want, recorded Recording) (*unstructured.Unstructured, error) {
	kind := work.New.GroupVersionKind()
	family, ok := FamilyOf(kind.GroupKind())
	if !ok {
		return nil, fmt.Errorf("%s of %s is not released in stages", kind.Kind, kind.GroupVersion())
	}
	var base *unstructured.Unstructured
	switch want.From {
	case New:
		base = withOverridesOf(recorded, work.New, family)
	case Old:
		base = work.Old
	default:
		base = recorded.Object
	}
	if base.GroupVersionKind() != kind {
		return nil, fmt.Errorf(
			"revision %s was recorded as %s, and the template is %s now: put the template's apiVersion back, or open the cluster",
			want.Revision, base.GetAPIVersion(), kind.GroupVersion())
	}
	out := base.DeepCopy()
	if err := live(out, work.New, family); err != nil {
		return nil, err
	}
	out.SetLabels(merged(base.GetLabels(), work.New.GetLabels()))
	annotations := merged(base.GetAnnotations(), work.New.GetAnnotations())
	if want.From != New {
		ofRevision(annotations, work, want, recorded)
	}
	if HoldsOverrides(work.New) {
		annotations[v1alpha1.AnnotationOverrides] = want.Revision
	}
	delete(annotations, v1alpha1.AnnotationShare)
	if want.Share != nil {
		annotations[v1alpha1.AnnotationShare] = strconv.FormatInt(*want.Share, 10)
	}
	out.SetAnnotations(annotations)
	return out, partition(out, family, want)
}

// withOverridesOf the record, where they are held: those of today may be others than the revision's. Without a record the manifest is as
// Karmada rendered it.
func withOverridesOf(recorded Recording, rendered *unstructured.Unstructured, family Family) *unstructured.Unstructured {
	if !HoldsOverrides(rendered) || recorded.Object == nil || recorded.Object.GroupVersionKind() != rendered.GroupVersionKind() {
		return rendered
	}
	// Live fields, and marks of the object itself, are of today.
	if equality.Semantic.DeepEqual(released(recorded.Object, family), released(rendered, family)) {
		return rendered
	}
	out := rendered.DeepCopy()
	content(out, recorded.Object, family)
	return out
}

// released content of an object.
func released(object *unstructured.Unstructured, family Family) map[string]any {
	all, out := Released(object), map[string]any{}
	for _, field := range family.Content {
		if value, ok := all.Object[field]; ok {
			out[field] = value
		}
	}
	return out
}

// live fields come from the template as it is.
func live(out, from *unstructured.Unstructured, family Family) error {
	for _, path := range family.Live {
		value, ok, err := unstructured.NestedFieldNoCopy(from.Object, path...)
		if err != nil {
			return err
		}
		if !ok {
			unstructured.RemoveNestedField(out.Object, path...)
			continue
		}
		if err := unstructured.SetNestedField(out.Object, runtime.DeepCopyJSONValue(value), path...); err != nil {
			return err
		}
	}
	return nil
}

// merged marks: the user's are of the revision, Karmada's and ours of the template as it is.
func merged(base, now map[string]string) map[string]string {
	out := map[string]string{}
	for key, value := range base {
		if !system(key) {
			out[key] = value
		}
	}
	for key, value := range now {
		if system(key) {
			out[key] = value
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// ofRevision are the marks that belong to the revision. Those of a manifest that stays are left as they were, so that a member sees no
// write while others are opened.
func ofRevision(annotations map[string]string, work Work, want Want, recorded Recording) {
	put := func(key, value string) {
		delete(annotations, key)
		if value != "" {
			annotations[key] = value
		}
	}
	if work.Old != nil && work.Old.GetAnnotations()[v1alpha1.AnnotationRevision] == want.Revision {
		for _, key := range append(marks[:], mark.TemplateGeneration) {
			put(key, work.Old.GetAnnotations()[key])
		}
		return
	}
	put(v1alpha1.AnnotationRevision, want.Revision)
	put(mark.TemplateGeneration, recorded.Generation)
}

// partition holds back the replicas beyond the share.
func partition(out *unstructured.Unstructured, family Family, want Want) error {
	if family.Partition == nil {
		return nil
	}
	if want.Share == nil {
		// What a release of a number left there; a staged template has none of its own.
		remove(out.Object, family.Partition)
		return nil
	}
	replicas, ok, err := unstructured.NestedInt64(out.Object, "spec", "replicas")
	if err != nil {
		return err
	}
	if !ok {
		replicas = 1 // as Kubernetes and OpenKruise default it
	}
	return unstructured.SetNestedField(out.Object, max(0, replicas-*want.Share), family.Partition...)
}
