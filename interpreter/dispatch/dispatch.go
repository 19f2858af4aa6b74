package dispatch

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
)

// Manifest is one of a Work, with what the Work says of it.
type Manifest struct {
	Object  *unstructured.Unstructured
	Cluster string
	// Annotations of the Work.
	Annotations map[string]string
}

// Decide is what must change in the manifest.
func Decide(catalog interpreter.Catalog, m Manifest) (edit.List, error) {
	rules, ok := catalog[m.Object.GroupVersionKind().GroupKind()]
	if !ok || rules.Dispatch == nil {
		return nil, nil
	}
	applied, err := appliedOverrides(m.Annotations)
	if err != nil {
		return nil, err
	}
	return rules.Dispatch(m.Object, family.Destination{
		Cluster:    m.Cluster,
		Overridden: func(path ...string) bool { return applied.touch(m.Object.Object, path) },
	})
}
