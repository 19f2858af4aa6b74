package cloneset

import (
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/interpreter/podtemplate"
)

// Rules on the template in the control plane.

func interpretDependency(object *unstructured.Unstructured) ([]configv1alpha1.DependentObjectReference, error) {
	claims, err := podtemplate.ClaimTemplates(object.Object, claimsPath...)
	if err != nil {
		return nil, err
	}
	return podtemplate.Dependencies(object.Object, object.GetNamespace(), claims, templatePath...)
}
