package render

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// names of the component's own objects and of its main container.
type names struct {
	workload, service, ingress, container string
}

// longestStatefulSet leaves room for the hash that Kubernetes adds to the name in a label of the pods.
const longestStatefulSet = 52

func namesOf(component *v1alpha1.Component) (names, error) {
	spec := component.Spec
	adopt := v1alpha1.Adopt{}
	if spec.Adopt != nil {
		adopt = *spec.Adopt
	}
	out := names{
		workload:  cmp.Or(adopt.Workload, component.Name),
		service:   cmp.Or(adopt.Service, component.Name),
		ingress:   cmp.Or(adopt.Ingress, component.Name),
		container: cmp.Or(adopt.Container, v1alpha1.MainContainer),
	}
	wrong := func(path *field.Path, problem string) (names, error) {
		return names{}, &Error{Kind: kindComponent, Name: component.Name, Field: path, Err: errors.New(problem)}
	}
	name := field.NewPath("metadata", "name")
	if problems := validation.IsDNS1123Label(component.Name); len(problems) > 0 {
		return wrong(name, "the name is a label of the pods: "+strings.Join(problems, "; "))
	}
	switch spec.WorkloadType {
	case v1alpha1.WorkloadDeployment:
	case v1alpha1.WorkloadStatefulSet:
		if spec.Adopt == nil && len(component.Name) > longestStatefulSet {
			return wrong(name, fmt.Sprintf("the name of a StatefulSet must be no more than %d characters", longestStatefulSet))
		}
	default:
		return wrong(field.NewPath("spec", "workloadType"), fmt.Sprintf("%q is neither Deployment nor StatefulSet", spec.WorkloadType))
	}
	if spec.Svc.Type == v1alpha1.ServiceNone {
		if spec.Ingress != nil {
			return wrong(field.NewPath("spec", "ingress"), "an ingress needs a Service: svc.type must not be None")
		}
		return out, nil
	}
	if problems := validation.IsDNS1035Label(out.service); len(problems) > 0 {
		return wrong(name, fmt.Sprintf("a Service cannot be called %q: %s", out.service, strings.Join(problems, "; ")))
	}
	return out, nil
}
