package vmreplicaset

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/field"
	"github.com/argosy-dev/argosy/interpreter/rollout"
)

// Rules on the member's object.

// interpretHealth takes waiting for a person as well: a human decision is above everything, and moving servers away
// while somebody is thinking would take it out of their hands. Servers that were given up without replacement are
// not missed.
func interpretHealth(observed *unstructured.Unstructured) (bool, error) {
	object := observed.Object
	awaiting, err := aggregate.ConditionIs(object, vmv1alpha1.ConditionAwaitingApproval, "True")
	if err != nil {
		return false, err
	}
	r := field.Read(object)
	replicas := r.Count(defaultReplicas, replicasPath...)
	state := rollout.State{
		Generation:         r.Int64(0, "metadata", "generation"),
		ObservedGeneration: r.Int64(0, "status", "observedGeneration"),
		Held:               r.Bool(pausedPath...) || r.String(strategyPath...) == string(vmv1alpha1.OnDelete),
		Updated:            r.Count(0, "status", "updatedReplicas"),
		Expected:           r.Count(0, "status", "expectedUpdatedReplicas"),
		Available:          r.Count(0, "status", "availableReplicas"),
	}
	kept := replicas - min(replicas, r.Count(0, "status", "abandonedReplicas"))
	if r.Err() != nil {
		return false, r.Err()
	}
	needed, err := rollout.Needed(object, kept, &defaultUnavailable, unavailablePath...)
	if err != nil {
		return false, err
	}
	// All given up is not well, whatever is allowed.
	state.Needed = max(needed, min(1, replicas))
	if awaiting {
		state.Held, state.Needed = true, 0
	}
	return state.Healthy(), nil
}

// defaultUnavailable is the CRD's.
var defaultUnavailable = intstr.FromInt32(1)
