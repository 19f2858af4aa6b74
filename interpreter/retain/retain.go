package retain

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	appsv1alpha1 "github.com/argosy-dev/argosy/api/apps/v1alpha1"
	migrationv1alpha1 "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/field"
)

// Cluster is the member an object is in, by the annotation Karmada puts on it; empty when it has none.
func Cluster(observed *unstructured.Unstructured) string {
	cluster, ok := strings.CutPrefix(field.Annotation(observed.Object, mark.WorkNamespace), mark.ExecutionNamespacePrefix)
	if !ok {
		return ""
	}
	return cluster
}

// CutOff is true for a template under rollback, whose manifests must be left as they are.
func CutOff(template *unstructured.Unstructured) bool {
	metadata, _ := template.Object["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	value, marked := annotations[migrationv1alpha1.AnnotationCutOff]
	return marked && value != "false"
}

// OwnsReplicas is true when the member's replicas belong to the member.
func OwnsReplicas(desired *unstructured.Unstructured) bool {
	return field.Label(desired.Object, mark.RetainReplicas) == "true"
}

// OwnsRollout is true when a tool in the member owns the rollout: partition and paused.
func OwnsRollout(desired *unstructured.Unstructured) bool {
	return field.Label(desired.Object, mark.Retain) == mark.RetainRollout ||
		field.Annotation(desired.Object, mark.Retain) == mark.RetainRollout
}

// Field keeps the member's value at path; where the member has none, the manifest gets none.
func Field(observed *unstructured.Unstructured, path ...string) (edit.Edit, error) {
	value, err := field.Value(observed.Object, path...)
	if err != nil {
		return edit.Edit{}, err
	}
	if value == nil {
		return edit.Remove(path...), nil
	}
	return edit.Set(value, path...), nil
}

// Designated is the list of names to be removed in this member, at path. The list belongs to the member, whose
// controller takes names off as it works. A request of the control plane adds this member's names once, when the
// manifest bears the lowered replicas too (ScaleInRequest.Deliver says when): the one update, guarded by the resource
// version, brings names, replicas and the mark of delivery. replicas are those the update will bring.
func Designated(desired, observed *unstructured.Unstructured, replicas int32, path ...string) (edit.List, error) {
	have, err := field.Strings(observed.Object, path...)
	if err != nil {
		return nil, field.Under(err, "observedObject")
	}
	request, named, err := requested(desired, observed, replicas)
	if err != nil {
		return nil, err
	}
	list := make([]any, 0, len(have)+len(named))
	for _, name := range have {
		list = append(list, name)
	}
	for _, name := range named {
		if !slices.Contains(have, name) {
			list = append(list, name)
		}
	}
	names := edit.Remove(path...)
	if len(list) > 0 {
		names = edit.Set(list, path...)
	}
	if request == "" {
		return edit.List{names}, nil
	}
	return edit.List{names, edit.Annotate(appsv1alpha1.ScaleInDeliveredAnnotation, request)}, nil
}

// requested is the id of a request due in this member, and its names; nothing when none is.
func requested(desired, observed *unstructured.Unstructured, replicas int32) (id string, names []string, err error) {
	text := field.Annotation(desired.Object, appsv1alpha1.ScaleInRequestAnnotation)
	if text == "" {
		return "", nil, nil
	}
	request, err := appsv1alpha1.ParseScaleInRequest(text)
	if err != nil {
		return "", nil, field.Errorf([]string{"metadata", "annotations"}, "%v", err)
	}
	delivered := field.Annotation(observed.Object, appsv1alpha1.ScaleInDeliveredAnnotation)
	names, due := request.Deliver(Cluster(observed), replicas, delivered)
	if !due {
		return "", nil, nil
	}
	return request.ID, names, nil
}
