package decide

import (
	"fmt"
	"net"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/render"
)

// addresses tells where the Component is reached.
func (s *settling) addresses() {
	s.status.Endpoints, s.status.LoadBalancer = nil, v1alpha1.LoadBalancerStatus{}
	balancer, there := render.Balancer(s.in.Component), false
	// The Service comes first: every Component but the rarest has one, and a person looks at the first.
	for _, key := range s.mine("Service") {
		var service corev1.Service
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(s.out.Live[key].Object, &service); err == nil {
			s.service(&service)
			if key.Name == balancer {
				there = true
				s.balancer(&service)
			}
		}
	}
	switch {
	case balancer == "":
		meta.RemoveStatusCondition(&s.status.Conditions, v1alpha1.ConditionLoadBalancerReady)
	case !there:
		s.pending("Service %s is not there yet.", balancer)
	}
	for _, key := range s.mine("Ingress") {
		var ingress networkingv1.Ingress
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(s.out.Live[key].Object, &ingress); err == nil {
			s.ingress(&ingress)
		}
	}
	s.status.Endpoints = limited(s.status.Endpoints, v1alpha1.MaxEndpoints)
}

// mine are the objects of a kind that are the Component's, or were until it opted out.
func (s *settling) mine(kind string) []Key {
	var out []Key
	for _, key := range sortedKeys(s.out.Live) {
		if key.Kind == kind && s.isMine(s.out.Live[key]) {
			out = append(out, key)
		}
	}
	return out
}

func (s *settling) isMine(live *unstructured.Unstructured) bool {
	owner := OwnerOf(live, s.in.Component)
	return owner == Ours || owner == Left && s.in.Unmanaged()
}

func (s *settling) add(kind v1alpha1.EndpointType, url string) {
	s.status.Endpoints = append(s.status.Endpoints, v1alpha1.Endpoint{Type: kind, URL: url})
}

func (s *settling) service(service *corev1.Service) {
	for _, port := range service.Spec.Ports {
		// What a provider acts on is another name of the Component's own Service.
		if class := service.Spec.LoadBalancerClass; class == nil || service.Name == s.in.Component.Name {
			s.add(v1alpha1.EndpointService, "http://"+net.JoinHostPort(service.Name+"."+service.Namespace+".svc", strconv.Itoa(int(port.Port))))
		}
		if port.NodePort != 0 && service.Spec.Type == corev1.ServiceTypeNodePort {
			s.add(v1alpha1.EndpointNodePort, fmt.Sprintf("http://<any node>:%d", port.NodePort))
		}
		for _, address := range service.Status.LoadBalancer.Ingress {
			if service.DeletionTimestamp != nil {
				break // its provider is taking it away
			}
			host := address.Hostname
			if host == "" {
				host = address.IP
			}
			s.add(v1alpha1.EndpointLoadBalancer, "http://"+net.JoinHostPort(host, strconv.Itoa(int(port.Port))))
		}
	}
}

// balancer tells of the load balancer that is asked for.
func (s *settling) balancer(service *corev1.Service) {
	if service.Spec.Type != corev1.ServiceTypeLoadBalancer {
		meta.RemoveStatusCondition(&s.status.Conditions, v1alpha1.ConditionLoadBalancerReady)
		return
	}
	if service.DeletionTimestamp != nil {
		s.pending("Service %s is being deleted, and comes again when it is gone.", service.Name)
		return
	}
	for _, address := range service.Status.LoadBalancer.Ingress {
		ingress := v1alpha1.LoadBalancerIngress{IP: address.IP, Hostname: address.Hostname}
		s.status.LoadBalancer.Ingress = append(s.status.LoadBalancer.Ingress, ingress)
	}
	s.status.LoadBalancer.Ingress = limited(s.status.LoadBalancer.Ingress, v1alpha1.MaxLoadBalancerIngress)
	provider := "this cluster's own provider"
	if class := service.Spec.LoadBalancerClass; class != nil {
		provider = *class
	}
	said := meta.FindStatusCondition(service.Status.Conditions, v1alpha1.ConditionServiceLoadBalancer)
	switch {
	case said != nil && said.Status != metav1.ConditionTrue:
		s.set(v1alpha1.ConditionLoadBalancerReady, said.Status, said.Reason, "%s%s", said.Message, s.meanwhile())
	case len(s.status.LoadBalancer.Ingress) > 0:
		s.set(v1alpha1.ConditionLoadBalancerReady, metav1.ConditionTrue, v1alpha1.ReasonAddressAssigned, "The load balancer has its address.")
	default:
		s.pending("No address yet from %s.%s If none comes, this cluster has no such provider: ask your platform team, or use spec.ingress.",
			provider, s.meanwhile())
	}
}

// pending tells that there is no load balancer yet.
func (s *settling) pending(format string, args ...any) {
	s.set(v1alpha1.ConditionLoadBalancerReady, metav1.ConditionFalse, v1alpha1.ReasonAddressPending, format, args...)
}

// meanwhile names who serves until the load balancer does.
func (s *settling) meanwhile() string {
	out := ""
	for _, key := range s.mine("Service") {
		if s.in.standsIn(key) {
			out = fmt.Sprintf(" Service %s keeps its address until then.", key.Name)
		}
	}
	return out
}

func (s *settling) ingress(ingress *networkingv1.Ingress) {
	secure := map[string]bool{}
	for _, tls := range ingress.Spec.TLS {
		for _, host := range tls.Hosts {
			secure[host] = true
		}
	}
	for _, rule := range ingress.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		scheme := "http"
		if secure[rule.Host] {
			scheme = "https"
		}
		for _, path := range rule.HTTP.Paths {
			s.add(v1alpha1.EndpointIngress, scheme+"://"+rule.Host+path.Path)
		}
	}
}
