package decide

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/member/component/render"
)

// A switch of load balancers: the new one comes first, and the old one goes when the new one has its address. Each provider has a Service
// of its own, since the class of a Service can never be changed.

// serves is true of a Service that a provider of load balancers gave an address.
func serves(service *unstructured.Unstructured) bool {
	if service == nil {
		return false
	}
	kind, _, _ := unstructured.NestedString(service.Object, "spec", "type")
	addresses, _, _ := unstructured.NestedSlice(service.Object, "status", "loadBalancer", "ingress")
	return kind == string(corev1.ServiceTypeLoadBalancer) && len(addresses) > 0
}

// standsIn is true of a Service that serves in the place of the Component's load balancer, until that one has an address.
func (in *Input) standsIn(key Key) bool {
	if key.Kind != "Service" || !serves(in.Live[key]) {
		return false
	}
	name := render.Balancer(in.Component)
	return name != "" && name != key.Name && !serves(in.Live[Key{"Service", name}])
}
