package chart

import (
	"net"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
)

// end is one end of a connection: a pod, or, with an ip, something outside the cluster's pods.
type end struct {
	namespace string
	labels    labels.Set
	// ports by name, of a pod that is connected to.
	ports map[string]int32
	ip    string
}

// policies evaluates NetworkPolicies as their API documents it: a pod that none selects is open, one that some select lets through what any
// of them allows.
type policies []networkingv1.NetworkPolicy

// allow a new connection from one end to the other.
func (p policies) allow(from, to end, protocol corev1.Protocol, port int32) bool {
	return p.out(from, to, protocol, port) && p.in(from, to, protocol, port)
}

func (p policies) out(from, to end, protocol corev1.Protocol, port int32) bool {
	applying := p.applying(from, networkingv1.PolicyTypeEgress)
	return len(applying) == 0 || slices.ContainsFunc(applying, func(policy networkingv1.NetworkPolicy) bool {
		return slices.ContainsFunc(policy.Spec.Egress, func(rule networkingv1.NetworkPolicyEgressRule) bool {
			return matchesPort(rule.Ports, to, protocol, port) && matchesPeer(rule.To, policy.Namespace, to)
		})
	})
}

func (p policies) in(from, to end, protocol corev1.Protocol, port int32) bool {
	applying := p.applying(to, networkingv1.PolicyTypeIngress)
	return len(applying) == 0 || slices.ContainsFunc(applying, func(policy networkingv1.NetworkPolicy) bool {
		return slices.ContainsFunc(policy.Spec.Ingress, func(rule networkingv1.NetworkPolicyIngressRule) bool {
			return matchesPort(rule.Ports, to, protocol, port) && matchesPeer(rule.From, policy.Namespace, from)
		})
	})
}

func (p policies) applying(pod end, direction networkingv1.PolicyType) policies {
	var out policies
	for _, policy := range p {
		if pod.ip == "" && pod.namespace == policy.Namespace && selects(&policy.Spec.PodSelector, pod.labels) &&
			slices.Contains(policy.Spec.PolicyTypes, direction) {
			out = append(out, policy)
		}
	}
	return out
}

func matchesPort(ports []networkingv1.NetworkPolicyPort, to end, protocol corev1.Protocol, port int32) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(allowed networkingv1.NetworkPolicyPort) bool {
		if ptr.Deref(allowed.Protocol, corev1.ProtocolTCP) != protocol {
			return false
		}
		switch {
		case allowed.Port == nil:
			return true
		case allowed.Port.StrVal != "":
			return to.ports[allowed.Port.StrVal] == port
		}
		return allowed.Port.IntVal == port || (allowed.EndPort != nil && port > allowed.Port.IntVal && port <= *allowed.EndPort)
	})
}

func matchesPeer(peers []networkingv1.NetworkPolicyPeer, namespace string, other end) bool {
	return len(peers) == 0 || slices.ContainsFunc(peers, func(peer networkingv1.NetworkPolicyPeer) bool {
		if peer.IPBlock != nil {
			return inBlock(peer.IPBlock, other.ip)
		}
		if other.ip != "" {
			return false
		}
		inNamespace := other.namespace == namespace
		if peer.NamespaceSelector != nil {
			inNamespace = selects(peer.NamespaceSelector, labels.Set{corev1.LabelMetadataName: other.namespace})
		}
		return inNamespace && (peer.PodSelector == nil || selects(peer.PodSelector, other.labels))
	})
}

func inBlock(block *networkingv1.IPBlock, ip string) bool {
	contains := func(cidr string) bool {
		_, network, err := net.ParseCIDR(cidr)
		return err == nil && network.Contains(net.ParseIP(ip))
	}
	return contains(block.CIDR) && !slices.ContainsFunc(block.Except, contains)
}

func selects(selector *metav1.LabelSelector, set labels.Set) bool {
	compiled, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && compiled.Matches(set)
}
