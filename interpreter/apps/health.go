package apps

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/argosy-dev/argosy/interpreter/field"
	"github.com/argosy-dev/argosy/interpreter/rollout"
)

// statefulSetHealth wants all pods, and of the new revision those the partition does not hold back.
func statefulSetHealth(observed *unstructured.Unstructured) (bool, error) {
	r := field.Read(observed.Object)
	replicas := r.Count(defaultReplicas, replicasPath...)
	state := rollout.State{
		Generation:         r.Int64(0, "metadata", "generation"),
		ObservedGeneration: r.Int64(0, "status", "observedGeneration"),
		Held:               r.String(strategyPath...) == "OnDelete",
		Updated:            r.Count(0, "status", "updatedReplicas"),
		Expected:           replicas - min(replicas, r.Count(0, partitionPath...)),
		Available:          r.Count(0, "status", "availableReplicas"),
		Needed:             replicas,
	}
	if r.Err() != nil {
		return false, r.Err()
	}
	return state.Healthy(), nil
}

// deploymentHealth takes a paused Deployment for what its user wants, if as many pods are there as a rolling update would leave.
func deploymentHealth(observed *unstructured.Unstructured) (bool, error) {
	r := field.Read(observed.Object)
	replicas := r.Count(defaultReplicas, replicasPath...)
	state := rollout.State{
		Generation:         r.Int64(0, "metadata", "generation"),
		ObservedGeneration: r.Int64(0, "status", "observedGeneration"),
		Held:               r.Bool("spec", "paused"),
		Updated:            r.Count(0, "status", "updatedReplicas"),
		Expected:           replicas,
		Available:          r.Count(0, "status", "availableReplicas"),
	}
	if r.Err() != nil {
		return false, r.Err()
	}
	state.Needed = state.Updated
	if state.Held && state.Updated < replicas {
		var err error
		if state.Needed, err = rollout.Needed(observed.Object, replicas, &deploymentUnavailable, "spec", "strategy", "rollingUpdate",
			"maxUnavailable"); err != nil {
			return false, err
		}
	}
	return state.Healthy(), nil
}

// daemonSetHealth takes OnDelete for what it says: nothing is updated by itself.
func daemonSetHealth(observed *unstructured.Unstructured) (bool, error) {
	r := field.Read(observed.Object)
	nodes := r.Count(0, "status", "desiredNumberScheduled")
	state := rollout.State{
		Generation:         r.Int64(0, "metadata", "generation"),
		ObservedGeneration: r.Int64(0, "status", "observedGeneration"),
		Held:               r.String(strategyPath...) == "OnDelete",
		Updated:            r.Count(0, "status", "updatedNumberScheduled"),
		Expected:           nodes,
		Available:          r.Count(0, "status", "numberAvailable"),
	}
	if r.Err() != nil {
		return false, r.Err()
	}
	state.Needed = state.Updated
	if state.Held && state.Updated < nodes {
		var err error
		if state.Needed, err = rollout.Needed(observed.Object, nodes, &daemonSetUnavailable, unavailablePath...); err != nil {
			return false, err
		}
	}
	return state.Healthy(), nil
}

// The API's defaults.
var (
	deploymentUnavailable = intstr.FromString("25%")
	daemonSetUnavailable  = intstr.FromInt32(1)
)
