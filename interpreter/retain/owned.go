package retain

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/field"
)

// Owned keeps the fields the template's labels give to the member: replicas (nil where the kind has none) and those of
// the rollout.
func Owned(desired, observed *unstructured.Unstructured, replicas []string, rollout ...[]string) (edit.List, error) {
	var paths [][]string
	if replicas != nil && OwnsReplicas(desired) {
		paths = append(paths, replicas)
	}
	if OwnsRollout(desired) {
		paths = append(paths, rollout...)
	}
	var edits edit.List
	for _, path := range paths {
		kept, err := Field(observed, path...)
		if err != nil {
			return nil, field.Under(err, "observedObject")
		}
		edits = append(edits, kept)
	}
	return edits, nil
}
