package decide

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// Ownership is whose an existing object is.
type Ownership int

const (
	// Nobody owns it, as far as it says: it was there before.
	Nobody Ownership = iota
	// Ours was made for this very Component.
	Ours
	// Left was made for a Component of this name, and let go or orphaned since.
	Left
	// Foreign has another owner.
	Foreign
)

// OwnerOf says whose the object is. Only an owner reference with this Component's UID makes it ours: names come again.
func OwnerOf(object *unstructured.Unstructured, component *v1alpha1.Component) Ownership {
	owner := metav1.GetControllerOf(object)
	switch {
	case owner != nil && owner.UID == component.UID:
		return Ours
	case owner != nil:
		return Foreign
	case object.GetLabels()[v1alpha1.LabelComponent] == component.Name &&
		object.GetAnnotations()[v1alpha1.AnnotationRenderedHash] != "" &&
		slices.ContainsFunc(object.GetManagedFields(), applied):
		return Left
	}
	return Nobody
}

// applied is true of our own entry. The marks alone could have been copied with the object.
func applied(entry metav1.ManagedFieldsEntry) bool {
	return entry.Manager == v1alpha1.FieldManager && entry.Operation == metav1.ManagedFieldsOperationApply
}

// Whose tells a person who has the object now.
func Whose(object *unstructured.Unstructured) string {
	if owner := metav1.GetControllerOf(object); owner != nil {
		return fmt.Sprintf("it belongs to %s %s", owner.Kind, owner.Name)
	}
	if release := object.GetAnnotations()["meta.helm.sh/release-name"]; release != "" {
		return "it belongs to the Helm release " + release
	}
	if app := object.GetAnnotations()["argocd.argoproj.io/tracking-id"]; app != "" {
		app, _, _ = strings.Cut(app, ":")
		return "it belongs to the Argo CD application " + app
	}
	var managers []string
	for _, entry := range object.GetManagedFields() {
		if entry.Subresource == "" && !slices.Contains(managers, entry.Manager) {
			managers = append(managers, entry.Manager)
		}
	}
	if len(managers) == 0 {
		return "it does not say who made it"
	}
	return "it was made by " + strings.Join(managers, ", ")
}
