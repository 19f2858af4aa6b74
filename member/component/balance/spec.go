package balance

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// What Kubernetes' own service controller goes by, too.
const (
	// labelExclude on a node keeps load balancers away from it.
	labelExclude = corev1.LabelNodeExcludeBalancers
	// taintToBeDeleted is set by the cluster autoscaler before it takes a node away.
	taintToBeDeleted = "ToBeDeletedByClusterAutoscaler"
)

// ClassOf is the provider that a Service asks for; empty where it asks for none, or leaves the choice to its cluster.
func ClassOf(service *corev1.Service) string {
	if service.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return ""
	}
	return ptr.Deref(service.Spec.LoadBalancerClass, "")
}

// SpecOf is what a Service's load balancer is to be; an error says in words for people why there can be none.
func SpecOf(service *corev1.Service, nodes []corev1.Node, owner string) (Spec, error) {
	out := Spec{
		Owner: owner, Name: service.Namespace + "/" + service.Name, Targets: targets(nodes),
		SourceRanges:    slices.Clone(service.Spec.LoadBalancerSourceRanges),
		HealthCheckPort: service.Spec.HealthCheckNodePort, Params: map[string]string{},
	}
	slices.Sort(out.SourceRanges)
	if service.Spec.SessionAffinity == corev1.ServiceAffinityClientIP {
		out.AffinitySeconds = corev1.DefaultClientIPServiceAffinitySeconds
		if c := service.Spec.SessionAffinityConfig; c != nil && c.ClientIP != nil {
			out.AffinitySeconds = ptr.Deref(c.ClientIP.TimeoutSeconds, out.AffinitySeconds)
		}
	}
	for _, port := range service.Spec.Ports {
		if port.NodePort == 0 {
			return Spec{}, fmt.Errorf("port %d of Service %s has no node port, through which the load balancer reaches it: "+
				"take allocateLoadBalancerNodePorts: false out of the patch", port.Port, service.Name)
		}
		out.Ports = append(out.Ports, Port{Name: port.Name, Protocol: string(port.Protocol), Port: port.Port, NodePort: port.NodePort})
	}
	for name, value := range service.Annotations {
		if param, ok := strings.CutPrefix(name, v1alpha1.LoadBalancerParams); ok {
			out.Params[param] = value
		}
	}
	return out, nil
}

// targets are one address of each node that may be one: whether it is well is for the load balancer's health check.
func targets(nodes []corev1.Node) []string {
	out := map[string]bool{}
	for i := range nodes {
		node := &nodes[i]
		_, excluded := node.Labels[labelExclude]
		goes := node.DeletionTimestamp != nil ||
			slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == taintToBeDeleted })
		if excluded || goes {
			continue
		}
		at := slices.IndexFunc(node.Status.Addresses, func(a corev1.NodeAddress) bool { return a.Type == corev1.NodeInternalIP })
		if at >= 0 {
			out[node.Status.Addresses[at].Address] = true
		}
	}
	return slices.Sorted(maps.Keys(out))
}

// Slim keeps of a node what targets looks at.
func Slim(object any) (any, error) {
	node, ok := object.(*corev1.Node)
	if !ok {
		return cache.TransformStripManagedFields()(object)
	}
	out := &corev1.Node{ObjectMeta: node.ObjectMeta, Status: corev1.NodeStatus{Addresses: node.Status.Addresses}}
	out.ManagedFields, out.Annotations, out.Labels = nil, nil, nil
	if value, ok := node.Labels[labelExclude]; ok {
		out.Labels = map[string]string{labelExclude: value}
	}
	for _, taint := range node.Spec.Taints {
		if taint.Key == taintToBeDeleted {
			out.Spec.Taints = append(out.Spec.Taints, taint)
		}
	}
	return out, nil
}
