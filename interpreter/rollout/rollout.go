package rollout

import (
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/argosy-dev/argosy/interpreter/field"
)

// State is what health compares.
type State struct {
	// Generation of the object, and the one its controller has seen.
	Generation, ObservedGeneration int64
	// Held is true while a person holds the rollout: Updated need not reach Expected.
	Held bool
	// Updated replicas, and how many should be by now.
	Updated, Expected int32
	// Available replicas, and how many must be.
	Available, Needed int32
}

// Healthy is false where Karmada should think of moving the workload.
func (s State) Healthy() bool {
	if s.ObservedGeneration < s.Generation {
		return false
	}
	if !s.Held && s.Updated < s.Expected {
		return false
	}
	return s.Available >= s.Needed
}

// Part is the field's number out of replicas, never more than them; a percentage is rounded up or down. byDefault
// stands in where the field is absent; nil is 0.
func Part(object map[string]any, replicas int32, up bool, byDefault *intstr.IntOrString, path ...string) (int32, error) {
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

// Needed is how many of replicas must be available when the field at path may be missing, rounded down, so that few
// replicas are not all allowed to be missing. Of replicas there must be one, whatever is allowed: a workload that is
// never ill is never helped.
func Needed(object map[string]any, replicas int32, byDefault *intstr.IntOrString, path ...string) (int32, error) {
	allowed, err := Part(object, replicas, false, byDefault, path...)
	return max(replicas-allowed, min(1, replicas)), err
}
