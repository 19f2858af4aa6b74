package servicecomponent

import (
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
	"github.com/argosy-dev/argosy/interpreter/podtemplate"
	"github.com/argosy-dev/argosy/interpreter/retain"
	"github.com/argosy-dev/argosy/interpreter/share"
)

// Rules on the template in the control plane.

func interpretReplica(object *unstructured.Unstructured) (family.Replicas, error) {
	count, err := field.Count(object.Object, defaultReplicas, replicasPath...)
	if err != nil {
		return family.Replicas{}, err
	}
	template, err := podTemplate(object)
	if err != nil {
		return family.Replicas{}, err
	}
	requirements, err := podtemplate.Requirements(template, object.GetNamespace())
	if err != nil {
		return family.Replicas{}, field.Under(err, "rendered pod template")
	}
	reported, err := podtemplate.ResourceList(object.Object, "status", "requests")
	if err != nil {
		return family.Replicas{}, err
	}
	requirements.ResourceRequest = withReported(requirements.ResourceRequest, reported)
	return family.Replicas{Count: count, Requirements: requirements}, nil
}

func needsDivision(object *unstructured.Unstructured, _ int32) bool {
	total, err := field.Count(object.Object, defaultReplicas, replicasPath...)
	if err != nil || retain.CutOff(object) {
		return false
	}
	steps, err := readSteps(object, total)
	return err == nil && (share.Needed(object, total, fleetFields) || share.Needed(steps.held, total, steps.fields))
}

func reviseReplica(object *unstructured.Unstructured, target family.Target) (edit.List, error) {
	if retain.CutOff(object) {
		return nil, nil
	}
	total, err := field.Count(object.Object, defaultReplicas, replicasPath...)
	if err != nil {
		return nil, err
	}
	steps, err := readSteps(object, total)
	if err != nil {
		return nil, err
	}
	// A strategy is either rolling or canary, and each has its numbers.
	var edits edit.List
	if len(steps.list) > 0 {
		edits, err = steps.revise(target)
	} else {
		edits, err = share.Revise(object, share.Asked{Target: target, Total: total}, fleetFields)
	}
	if err != nil {
		return nil, err
	}
	return append(edits, edit.Set(int64(target.Replicas), replicasPath...)), nil
}

func interpretDependency(object *unstructured.Unstructured) ([]configv1alpha1.DependentObjectReference, error) {
	template, err := podTemplate(object)
	if err != nil {
		return nil, err
	}
	dependencies, err := podtemplate.Dependencies(template, object.GetNamespace(), nil)
	if err != nil {
		return nil, field.Under(err, "rendered pod template")
	}
	return dependencies, nil
}
