package cloneset

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/argosy-dev/argosy/interpreter/field"
	"github.com/argosy-dev/argosy/interpreter/rollout"
)

// Rules on the member's object.

// interpretHealth asks whether the workload should be thought of as failed, which can move it to another cluster. A
// rollout that stands where the user holds it, paused or at its partition, is well; so is one in whose pods no more are
// missing than the user allows. One that has not come to where it should is not well yet.
func interpretHealth(observed *unstructured.Unstructured) (bool, error) {
	object := observed.Object
	r := field.Read(object)
	replicas := r.Count(defaultReplicas, replicasPath...)
	state := rollout.State{
		Generation:         r.Int64(0, "metadata", "generation"),
		ObservedGeneration: r.Int64(0, "status", "observedGeneration"),
		Held:               r.Bool(pausedPath...),
		Updated:            r.Count(0, "status", "updatedReplicas"),
		Available:          r.Count(0, "status", "availableReplicas"),
	}
	if r.Err() != nil {
		return false, r.Err()
	}
	held, err := rollout.Part(object, replicas, true, nil, partitionPath...)
	if err != nil {
		return false, err
	}
	// OpenKruise omits the field when it is 0, and before 1.1 has none: what is held back tells it too.
	if state.Expected, err = field.Count(object, replicas-held, "status", "expectedUpdatedReplicas"); err != nil {
		return false, err
	}
	if state.Needed, err = rollout.Needed(object, replicas, &defaultUnavailable, unavailablePath...); err != nil {
		return false, err
	}
	return state.Healthy(), nil
}

// defaultUnavailable is OpenKruise's.
var defaultUnavailable = intstr.FromString("20%")
