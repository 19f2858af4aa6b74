package release

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/release/hold"
)

// Paths of the admission of templates.
const (
	TemplatesPath      = "/mutate-release-template"
	CheckTemplatesPath = "/validate-release-template"
)

// Templates writes the marks of a staged template, from the status of its Release and from nothing else: whoever writes a template, and
// whatever marks they bring, opens nothing.
type Templates struct {
	// Reader reads past every cache: a cluster must not be open because of what was true a moment ago.
	Reader client.Reader
	// Check that the marks are right, after all other admissions, and write nothing.
	Check bool
}

// Handle a create or update of a template that bears the label, or did.
func (t *Templates) Handle(ctx context.Context, request admission.Request) admission.Response {
	template, old := &unstructured.Unstructured{}, &unstructured.Unstructured{}
	if err := template.UnmarshalJSON(request.Object.Raw); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	if request.Operation == admissionv1.Update {
		if err := old.UnmarshalJSON(request.OldObject.Raw); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
	}
	if !template.GetDeletionTimestamp().IsZero() && untouched(old, template) {
		return admission.Allowed("") // its finalizers are taken off, whatever becomes of the Release
	}
	changed, err := t.stamp(ctx, template, old)
	switch {
	case err != nil:
		return admission.Errored(http.StatusInternalServerError, err)
	case !changed:
		return admission.Allowed("")
	case t.Check:
		return admission.Denied(fmt.Sprintf("%s %s is released in stages, "+
			"and another admission changed it after argosy-release-templates had said what revision it is: "+
			"let that admission run before ours", template.GetKind(), template.GetName()))
	}
	raw, err := json.Marshal(template)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.PatchResponseFromRaw(request.Object.Raw, raw)
}

// stamp says whether the template bore other marks than it is to.
func (t *Templates) stamp(ctx context.Context, template, old *unstructured.Unstructured) (bool, error) {
	content, err := hold.Revision(template)
	if err != nil {
		return false, err
	}
	// The label that was there names the Release: who takes it off does not leave it.
	name := old.GetLabels()[v1alpha1.LabelStaged]
	if name == "" {
		name = template.GetLabels()[v1alpha1.LabelStaged]
	}
	release := &v1alpha1.Release{}
	switch err := t.Reader.Get(ctx, client.ObjectKey{Namespace: template.GetNamespace(), Name: name}, release); {
	case apierrors.IsNotFound(err):
		// Its finalizer was taken off by hand. What is held stays held, until a Release of its name takes it up.
		return hold.Stamp(template, name, hold.OfMarks(old), content), nil
	case err != nil:
		return false, fmt.Errorf("reading Release %s: %w", name, err)
	case !targets(release, template):
		// Of what only went out with a target nobody is left to open it. A target is held still: this Release has the name of its own by chance.
		held := hold.OfMarks(old)
		if family, _ := hold.FamilyOf(template.GroupVersionKind().GroupKind()); family.With {
			held = nil
		}
		return hold.Stamp(template, name, held, content), nil
	case release.Status.Dispatch == nil && !letsGo(release):
		// One that was made anew and has not looked yet, or may not: the same, also when it is deleted again.
		return hold.Stamp(template, name, hold.OfMarks(old), content), nil
	}
	return hold.Stamp(template, name, release.Status.Dispatch, content), nil
}

// letsGo says whether a Release has decided that it holds nothing any more.
func letsGo(release *v1alpha1.Release) bool {
	adopted := meta.FindStatusCondition(release.Status.Conditions, v1alpha1.ConditionAdopted)
	return !release.DeletionTimestamp.IsZero() && adopted != nil && adopted.Reason == v1alpha1.ReasonLetGo
}

// untouched says whether a write leaves what is released, and the marks, as they are.
func untouched(old, template *unstructured.Unstructured) bool {
	return equality.Semantic.DeepEqual(hold.Record(old), hold.Record(template)) &&
		maps.Equal(old.GetAnnotations(), template.GetAnnotations()) && maps.Equal(old.GetLabels(), template.GetLabels())
}

// targets says whether a Release is about an object, in any version: its target, or what goes out with it.
func targets(release *v1alpha1.Release, object *unstructured.Unstructured) bool {
	for _, ref := range release.Spec.With {
		if isOf(object, ref.APIVersion, ref.Kind, ref.Name) {
			return true
		}
	}
	ref := release.Spec.TargetRef
	return isOf(object, ref.APIVersion, ref.Kind, ref.Name)
}

func isOf(object *unstructured.Unstructured, apiVersion, kind, name string) bool {
	return name == object.GetName() && schema.FromAPIVersionAndKind(apiVersion, kind).GroupKind() == object.GroupVersionKind().GroupKind()
}
