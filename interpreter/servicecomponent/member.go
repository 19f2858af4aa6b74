package servicecomponent

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	componentv1alpha1 "github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
	"github.com/argosy-dev/argosy/interpreter/retain"
	"github.com/argosy-dev/argosy/interpreter/rollout"
	"github.com/argosy-dev/argosy/interpreter/share"
)

// Rules on the member's object.

// dispatch makes the manifest that of the destination.
func dispatch(manifest *unstructured.Unstructured, to family.Destination) (edit.List, error) {
	replicas, err := field.Count(manifest.Object, defaultReplicas, replicasPath...)
	if err != nil {
		return nil, err
	}
	steps, err := readSteps(manifest, replicas)
	if err != nil {
		return nil, err
	}
	if len(steps.list) > 0 {
		return steps.dispatch(to)
	}
	return share.Dispatch(manifest, replicas, to, fleetFields)
}

func retainMember(desired, observed *unstructured.Unstructured) (edit.List, error) {
	return retain.Owned(desired, observed, replicasPath, strategyPath)
}

// interpretHealth takes a Component somebody has opted out of as well: its status is nobody's any more, and moving the
// service to another cluster because of it is the last thing they want.
func interpretHealth(observed *unstructured.Unstructured) (bool, error) {
	if field.Annotation(observed.Object, componentv1alpha1.AnnotationUnmanaged) == "true" {
		return true, nil
	}
	object := observed.Object
	unrendered, err := aggregate.ConditionIs(object, componentv1alpha1.ConditionRendered, "False")
	if err != nil || unrendered {
		return false, err
	}
	r := field.Read(object)
	replicas := r.Count(defaultReplicas, replicasPath...)
	state := rollout.State{
		Generation:         r.Int64(0, "metadata", "generation"),
		ObservedGeneration: r.Int64(0, "status", "observedGeneration"),
		Updated:            r.Count(0, "status", "updatedReplicas"),
		// A canary that waits after a step expects that step's replicas and no more.
		Expected:  min(replicas, r.Count(0, "status", "expectedUpdatedReplicas")),
		Available: r.Count(0, "status", "availableReplicas"),
	}
	if r.Err() != nil {
		return false, r.Err()
	}
	if state.Needed, err = rollout.Needed(object, replicas, &defaultUnavailable, unavailablePath...); err != nil {
		return false, err
	}
	comes, err := changeServes(object, state, replicas)
	return comes && state.Healthy(), err
}

// changeServes says whether as many copies of the current version serve as must. Those of before serve until they are relieved, and say
// nothing about a change: of one copy the next version is made beside the first, and counted as updated, whether it comes up or not. While
// a canary waits its own controller has seen it serve.
func changeServes(object map[string]any, state rollout.State, replicas int32) (bool, error) {
	r := field.Read(object)
	before := max(0, r.Count(0, "status", "replicas")-state.Updated)
	paused := r.String("status", "canary", "state") == string(componentv1alpha1.CanaryPaused)
	needed := state.Needed
	if state.Expected < replicas {
		needed = state.Expected
	}
	return paused || state.Available-before >= needed, r.Err()
}

// defaultUnavailable is the CRD's.
var defaultUnavailable = intstr.FromString("25%")
