package statefulset

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/argosy-dev/argosy/interpreter/field"
	"github.com/argosy-dev/argosy/interpreter/rollout"
)

// Rules on the member's object.

func interpretHealth(observed *unstructured.Unstructured) (bool, error) {
	object := observed.Object
	r := field.Read(object)
	replicas := r.Count(defaultReplicas, replicasPath...)
	state := rollout.State{
		Generation:         r.Int64(0, "metadata", "generation"),
		ObservedGeneration: r.Int64(0, "status", "observedGeneration"),
		Held:               r.Bool(pausedPath...) || r.String(strategyPath...) == onDelete,
		Updated:            r.Count(0, "status", "updatedReplicas"),
		Available:          r.Count(0, "status", "availableReplicas"),
	}
	// OpenKruise reports no expectedUpdatedReplicas for this kind; the partition is never a percentage.
	state.Expected = replicas - min(replicas, r.Count(0, partitionPath...))
	if r.Err() != nil {
		return false, r.Err()
	}
	var err error
	if state.Needed, err = rollout.Needed(object, replicas, &defaultUnavailable, unavailablePath...); err != nil {
		return false, err
	}
	return state.Healthy(), nil
}

// defaultUnavailable is OpenKruise's.
var defaultUnavailable = intstr.FromInt32(1)
