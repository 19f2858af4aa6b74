package daemonset

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/field"
	"github.com/argosy-dev/argosy/interpreter/retain"
	"github.com/argosy-dev/argosy/interpreter/rollout"
)

// Rules on the member's object.

func retainMember(desired, observed *unstructured.Unstructured) (edit.List, error) {
	return retain.Owned(desired, observed, nil, partitionPath, pausedPath)
}

func interpretHealth(observed *unstructured.Unstructured) (bool, error) {
	object := observed.Object
	selected, err := field.Map(object, selectorPath...)
	if err != nil {
		return false, err
	}
	r := field.Read(object)
	nodes := r.Count(0, "status", "desiredNumberScheduled")
	state := rollout.State{
		Generation:         r.Int64(0, "metadata", "generation"),
		ObservedGeneration: r.Int64(0, "status", "observedGeneration"),
		// How many nodes a selector picks is not in the object: such a rollout is well when its pods are.
		Held:      r.Bool(pausedPath...) || r.String(strategyPath...) == onDelete || selected != nil,
		Updated:   r.Count(0, "status", "updatedNumberScheduled"),
		Available: r.Count(0, "status", "numberAvailable"),
	}
	state.Expected = nodes - min(nodes, r.Count(0, partitionPath...))
	if r.Err() != nil {
		return false, r.Err()
	}
	if state.Needed, err = rollout.Needed(object, nodes, &defaultUnavailable, unavailablePath...); err != nil {
		return false, err
	}
	return state.Healthy(), nil
}

// defaultUnavailable is OpenKruise's.
var defaultUnavailable = intstr.FromInt32(1)
