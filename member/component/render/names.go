package render

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
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
	// balancer is the Service that the provider of load balancers acts on; empty where the component names none.
	balancer string
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
	out.balancer = balancerName(out.service, Provider(component))
	return out, nil
}

// Provider of load balancers that the component names; empty where it leaves the choice to its cluster, or wants none.
func Provider(component *v1alpha1.Component) string {
	switch asked := component.Spec.Svc.Type; asked {
	case "", v1alpha1.ServiceClusterIP, v1alpha1.ServiceNodePort, v1alpha1.ServiceLoadBalancer, v1alpha1.ServiceNone:
		return ""
	default:
		return string(asked)
	}
}

// Balancer is the name of the Service that a provider of load balancers acts on; empty where the component wants none.
func Balancer(component *v1alpha1.Component) string {
	service := component.Name
	if adopt := component.Spec.Adopt; adopt != nil {
		service = cmp.Or(adopt.Service, service)
	}
	if component.Spec.Svc.Type == v1alpha1.ServiceLoadBalancer {
		return service
	}
	return balancerName(service, Provider(component))
}

// balancerName is the Service of one provider: the class of a Service can never be changed, so each provider has one of its own, and
// two can be there at the same time.
func balancerName(service, provider string) string {
	if provider == "" {
		return ""
	}
	plain := strings.NewReplacer("/", "-", ".", "-").Replace(provider)
	if out := service + "-" + plain; len(out) <= validation.DNS1035LabelMaxLength && plain == provider {
		return out
	}
	// Two providers whose plain names are alike are two.
	sum := sha256.Sum256([]byte(provider))
	end := "-" + hex.EncodeToString(sum[:4])
	return strings.TrimRight((service + "-" + plain)[:min(len(service)+1+len(plain), validation.DNS1035LabelMaxLength-len(end))], "-") + end
}
