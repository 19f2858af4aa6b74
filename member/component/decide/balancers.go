package decide

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/render"
)

// A switch of load balancers: the new one comes first, and the old one goes when the new one has its address. Each provider has a Service
// of its own, since the class of a Service can never be changed.

// hasAddress is true of a Service that a provider of load balancers gave an address.
func hasAddress(service *unstructured.Unstructured) bool {
	if service == nil {
		return false
	}
	kind, _, _ := unstructured.NestedString(service.Object, "spec", "type")
	addresses, _, _ := unstructured.NestedSlice(service.Object, "status", "loadBalancer", "ingress")
	return kind == string(corev1.ServiceTypeLoadBalancer) && len(addresses) > 0
}

// serves is true of one that stays and that its provider, where that is one of ours, has seen well.
func serves(service *unstructured.Unstructured) bool {
	if !hasAddress(service) || service.GetDeletionTimestamp() != nil {
		return false
	}
	conditions, _, _ := unstructured.NestedSlice(service.Object, "status", "conditions")
	for _, c := range conditions {
		if said, ok := c.(map[string]any); ok && said["type"] == v1alpha1.ConditionServiceLoadBalancer {
			return said["status"] == string(metav1.ConditionTrue)
		}
	}
	return true
}

// standsIn is true of a Service that serves in the place of the Component's load balancer, until that one does.
func (in *Input) standsIn(key Key) bool {
	if key.Kind != "Service" || !hasAddress(in.Live[key]) {
		return false
	}
	name := render.Balancer(in.Component)
	return name != "" && name != key.Name && !serves(in.Live[Key{"Service", name}])
}
