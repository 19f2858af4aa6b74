package v1beta1

import (
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/conversion"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// ConvertPath is where argosy-member-manager converts Components from one version to another.
const ConvertPath = "/convert"

var _ conversion.Convertible = &Component{}

// ConvertTo the stored version: nothing is lost, since the name of a provider is no type of a Service.
func (c *Component) ConvertTo(hub conversion.Hub) error {
	to, ok := hub.(*v1alpha1.Component)
	if !ok {
		return fmt.Errorf("converting a Component: %T is not the stored version", hub)
	}
	to.ObjectMeta, to.Status = c.ObjectMeta, c.Status
	to.Spec = v1alpha1.ComponentSpec{
		WorkloadType: c.Spec.WorkloadType, DevelopLanguage: c.Spec.DevelopLanguage, RunType: c.Spec.RunType,
		Image: c.Spec.Image, Port: c.Spec.Port, Replicas: c.Spec.Replicas, Resources: c.Spec.Resources, Env: c.Spec.Env,
		EnvFrom: c.Spec.EnvFrom, Ingress: c.Spec.Ingress, Strategy: c.Spec.Strategy, Approvals: c.Spec.Approvals,
		Patches: c.Spec.Patches, Adopt: c.Spec.Adopt,
		Svc: v1alpha1.ServiceSpec{Type: v1alpha1.ServiceType(c.Spec.Svc.Type)},
	}
	if balancer := c.Spec.Svc.LoadBalancer; balancer != nil && balancer.Provider != "" {
		to.Spec.Svc.Type = v1alpha1.ServiceType(balancer.Provider)
	}
	return nil
}

// ConvertFrom the stored version.
func (c *Component) ConvertFrom(hub conversion.Hub) error {
	from, ok := hub.(*v1alpha1.Component)
	if !ok {
		return fmt.Errorf("converting a Component: %T is not the stored version", hub)
	}
	c.ObjectMeta, c.Status = from.ObjectMeta, from.Status
	c.Spec = ComponentSpec{
		WorkloadType: from.Spec.WorkloadType, DevelopLanguage: from.Spec.DevelopLanguage, RunType: from.Spec.RunType,
		Image: from.Spec.Image, Port: from.Spec.Port, Replicas: from.Spec.Replicas, Resources: from.Spec.Resources,
		Env: from.Spec.Env, EnvFrom: from.Spec.EnvFrom, Ingress: from.Spec.Ingress, Strategy: from.Spec.Strategy,
		Approvals: from.Spec.Approvals, Patches: from.Spec.Patches, Adopt: from.Spec.Adopt,
		Svc: ServiceSpec{Type: ServiceType(from.Spec.Svc.Type)},
	}
	switch from.Spec.Svc.Type {
	case "", v1alpha1.ServiceClusterIP, v1alpha1.ServiceNodePort, v1alpha1.ServiceLoadBalancer, v1alpha1.ServiceNone:
	default:
		c.Spec.Svc = ServiceSpec{
			Type: ServiceType(v1alpha1.ServiceLoadBalancer), LoadBalancer: &LoadBalancer{Provider: string(from.Spec.Svc.Type)},
		}
	}
	return nil
}
