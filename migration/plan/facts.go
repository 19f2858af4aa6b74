package plan

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/migration/policy"
)

// workload is the application's main object.
func (w *World) workload() Ref {
	return Ref{APIVersion: w.Spec.APIVersion, Kind: w.Spec.Kind, Name: w.Spec.Name}
}

// live is an object as a member holds it; nil when it does not.
func (w *World) live(cluster string, ref Ref) *unstructured.Unstructured {
	for _, object := range w.Clusters[cluster].Objects {
		if policy.RefOf(object) == ref {
			return object
		}
	}
	return nil
}
