package component

import (
	"testing"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// address plays a provider of load balancers.
func (w *world) address(service, ip string) {
	w.t.Helper()
	w.Eventually(func() error {
		s := &corev1.Service{ObjectMeta: w.meta(service)}
		if err := api.Get(w.ctx, client.ObjectKeyFromObject(s), s); err != nil {
			return err
		}
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: ip}}
		return api.Status().Update(w.ctx, s)
	}).Should(gomega.Succeed())
}

// classes are the providers of the Services there are, by name.
func (w *world) classes() map[string]string {
	w.t.Helper()
	list := &corev1.ServiceList{}
	if err := api.List(w.ctx, list, client.InNamespace(w.namespace)); err != nil {
		w.t.Fatal(err)
	}
	out := map[string]string{}
	for _, s := range list.Items {
		out[s.Name] = string(s.Spec.Type)
		if s.Spec.LoadBalancerClass != nil {
			out[s.Name] = *s.Spec.LoadBalancerClass
		}
	}
	return out
}

// TestAnotherProvider: a Service's class can never be changed, so the new load balancer is another Service; the old one serves until the
// new one has its address, and the Service within the cluster is the same all the time.
func TestAnotherProvider(t *testing.T) {
	w := newWorld(t)
	w.lead(nil)
	first := w.five("demo")
	first.Spec.Svc.Type = "aliyun-slb"
	w.create(first)
	w.address("demo-aliyun-slb", "10.0.0.1")
	w.says("demo", v1alpha1.ConditionLoadBalancerReady, "True AddressAssigned")
	inside := &corev1.Service{ObjectMeta: w.meta("demo")}
	w.Expect(w.get(inside)).To(gomega.BeTrue())

	change(w, w.five("demo"), func(c *v1alpha1.Component) { c.Spec.Svc.Type = "luoji-slb" })
	message := w.says("demo", v1alpha1.ConditionLoadBalancerReady, "False AddressPending")
	w.Expect(message).To(gomega.ContainSubstring("Service demo-aliyun-slb keeps its address until then"))
	w.Expect(w.classes()).To(gomega.Equal(map[string]string{
		"demo": "ClusterIP", "demo-aliyun-slb": "aliyun-slb", "demo-luoji-slb": "luoji-slb",
	}))
	w.address("demo-luoji-slb", "10.9.0.1")
	w.Eventually(w.classes).Should(gomega.Equal(map[string]string{"demo": "ClusterIP", "demo-luoji-slb": "luoji-slb"}))
	w.says("demo", v1alpha1.ConditionLoadBalancerReady, "True AddressAssigned")
	after := &corev1.Service{ObjectMeta: w.meta("demo")}
	w.get(after)
	w.Expect(after.UID).To(gomega.Equal(inside.UID))
}
