package statefulset

import (
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/interpreter/field"
	"github.com/argosy-dev/argosy/interpreter/podtemplate"
)

// Rules on the template in the control plane.

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
