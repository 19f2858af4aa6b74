package podtemplate

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
)

// Replicas is the answer to InterpretReplica for a workload with spec.replicas and spec.template. An absent number is
// 1, as in Kubernetes and OpenKruise: OpenKruise's webhook sets it in members, not in a control plane that has only
// its CRDs.
func Replicas(object *unstructured.Unstructured) (family.Replicas, error) {
	count, err := field.Count(object.Object, 1, "spec", "replicas")
	if err != nil {
		return family.Replicas{}, err
	}
	requirements, err := Requirements(object.Object, object.GetNamespace(), "spec", "template")
	if err != nil {
		return family.Replicas{}, err
	}
	return family.Replicas{Count: count, Requirements: requirements}, nil
}
