package vmdeployment

import (
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/depend"
	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
	"github.com/argosy-dev/argosy/interpreter/retain"
)

// Family is the rules for VMDeployment.
func Family() *family.Family {
	return &family.Family{
		Name:                "vmdeployment",
		Kinds:               []schema.GroupVersionKind{{Group: "vm.argosy.dev", Version: "v1alpha1", Kind: "VMDeployment"}},
		Retain:              retainMember,
		AggregateStatus:     aggregateStatus,
		InterpretStatus:     aggregate.Reflect,
		InterpretHealth:     interpretHealth,
		InterpretDependency: interpretDependency,
	}
}

var pausedPath = []string{"spec", "paused"}

func retainMember(desired, observed *unstructured.Unstructured) (edit.List, error) {
	return retain.Owned(desired, observed, nil, pausedPath)
}

func interpretDependency(object *unstructured.Unstructured) ([]configv1alpha1.DependentObjectReference, error) {
	found := depend.On(object.GetNamespace())
	if err := found.Each(object.Object, []string{"spec", "gates"}, depend.GatePlaces...); err != nil {
		return nil, err
	}
	return found.List(), nil
}

// interpretHealth is false for a release that came to a stop by itself.
func interpretHealth(observed *unstructured.Unstructured) (bool, error) {
	r := field.Read(observed.Object)
	generation, seen := r.Int64(0, "metadata", "generation"), r.Int64(0, "status", "observedGeneration")
	paused := r.Bool(pausedPath...)
	if r.Err() != nil {
		return false, r.Err()
	}
	awaiting, err := aggregate.ConditionIs(observed.Object, vmv1alpha1.ConditionAwaitingApproval, "True")
	if err != nil {
		return false, err
	}
	stalled, err := aggregate.ConditionIs(observed.Object, vmv1alpha1.ConditionStalled, "True")
	if err != nil {
		return false, err
	}
	return seen >= generation && (paused || awaiting || !stalled), nil
}
