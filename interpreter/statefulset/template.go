package statefulset

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

func needsDivision(object *unstructured.Unstructured, _ int32) bool {
	total, err := field.Count(object.Object, defaultReplicas, replicasPath...)
	return err == nil && !retain.CutOff(object) && share.Needed(object, total, fleetFields)
}

func reviseReplica(object *unstructured.Unstructured, target family.Target) (edit.List, error) {
	if retain.CutOff(object) {
		return nil, nil
	}
	total, err := field.Count(object.Object, defaultReplicas, replicasPath...)
	if err != nil {
		return nil, err
	}
	edits, err := share.Revise(object, total, target, fleetFields)
	if err != nil {
		return nil, err
	}
	return append(edits, edit.Set(int64(target.Replicas), replicasPath...)), nil
}

// interpretDependency adds the governing Service: without it the pods have no names, and OpenKruise makes none.
func interpretDependency(object *unstructured.Unstructured) ([]configv1alpha1.DependentObjectReference, error) {
	claims, err := podtemplate.ClaimTemplates(object.Object, claimsPath...)
	if err != nil {
		return nil, err
	}
	dependencies, err := podtemplate.Dependencies(object.Object, object.GetNamespace(), claims, templatePath...)
	if err != nil {
		return nil, err
	}
	service, err := field.String(object.Object, "spec", "serviceName")
	if err != nil || service == "" {
		return dependencies, err
	}
	return append(dependencies, configv1alpha1.DependentObjectReference{
		APIVersion: "v1", Kind: "Service", Namespace: object.GetNamespace(), Name: service,
	}), nil
}
