package cloneset

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/field"
	"github.com/argosy-dev/argosy/interpreter/retain"
	"github.com/argosy-dev/argosy/interpreter/share"
)

// Rules on the member's object.

func retainMember(desired, observed *unstructured.Unstructured) (edit.List, error) {
	edits, err := share.Retain(desired, retain.Cluster(observed), fleetFields)
	if err != nil {
		return nil, err
	}
	var owned [][]string
	replicasOf := desired
	if retain.OwnsReplicas(desired) {
		owned = append(owned, replicasPath)
		replicasOf = observed
	}
	if retain.OwnsRollout(desired) {
		owned = append(owned, partitionPath, pausedPath)
	}
	for _, path := range owned {
		kept, err := retain.Field(observed, path...)
		if err != nil {
			return nil, field.Under(err, "observedObject")
		}
		edits = append(edits, kept)
	}
	replicas, err := field.Count(replicasOf.Object, defaultReplicas, replicasPath...)
	if err != nil {
		return nil, err
	}
	names, err := retain.Designated(desired, observed, replicas, podsToDeletePath...)
	if err != nil {
		return nil, err
	}
	return append(edits, names...), nil
}

// interpretHealth asks whether the workload should be thought of as failed, which can move it to another cluster. A
// rollout that stands where the user holds it, paused or at its partition, is well; so is one in whose pods no more are
// missing than the user allows. One that has not come to where it should is not well yet.
func interpretHealth(observed *unstructured.Unstructured) (bool, error) {
	s, err := readHealth(observed)
	if err != nil {
		return false, err
	}
	if s.observedGeneration < s.generation {
		return false, nil
	}
	if !s.paused && s.updated < s.expectedUpdated {
		return false, nil
	}
	return s.available >= s.needed, nil
}

// health is what interpretHealth compares.
type health struct {
	generation, observedGeneration int64
	paused                         bool
	updated, expectedUpdated       int32
	available, needed              int32
}

func readHealth(observed *unstructured.Unstructured) (s health, err error) {
	object := observed.Object
	replicas, err := field.Count(object, defaultReplicas, replicasPath...)
	if err != nil {
		return s, err
	}
	if s.generation, err = field.Int64(object, 0, "metadata", "generation"); err != nil {
		return s, err
	}
	if s.observedGeneration, err = field.Int64(object, 0, "status", "observedGeneration"); err != nil {
		return s, err
	}
	if s.paused, err = field.Bool(object, pausedPath...); err != nil {
		return s, err
	}
	if s.updated, err = field.Count(object, 0, "status", "updatedReplicas"); err != nil {
		return s, err
	}
	if s.available, err = field.Count(object, 0, "status", "availableReplicas"); err != nil {
		return s, err
	}
	held, err := part(object, replicas, true, nil, partitionPath...)
	if err != nil {
		return s, err
	}
	// OpenKruise omits the field when it is 0, and before 1.1 has none: what is held back tells it too.
	if s.expectedUpdated, err = field.Count(object, replicas-held, "status", "expectedUpdatedReplicas"); err != nil {
		return s, err
	}
	allowed, err := part(object, replicas, false, &defaultUnavailable, unavailablePath...)
	if err != nil {
		return s, err
	}
	// Of replicas there must be one, whatever is allowed: 20 % of one, rounded up, would be a workload that is never ill.
	s.needed = max(replicas-allowed, min(1, replicas))
	return s, nil
}

// defaultUnavailable is OpenKruise's.
var defaultUnavailable = intstr.FromString("20%")

// part is the field's number out of replicas, never more than them. A percentage is rounded up as OpenKruise does for
// a partition, or down, so that few replicas are not all allowed to be missing.
func part(object map[string]any, replicas int32, up bool, byDefault *intstr.IntOrString, path ...string) (int32, error) {
	value, err := field.IntOrPercent(object, path...)
	if err != nil {
		return 0, err
	}
	if value == nil {
		value = byDefault
	}
	if value == nil {
		return 0, nil
	}
	number, err := intstr.GetScaledValueFromIntOrPercent(value, int(replicas), up)
	if err != nil {
		return 0, field.Errorf(path, "%v", err)
	}
	return int32(min(max(number, 0), int(replicas))), nil
}
