package component

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/member/component"
	"github.com/argosy-dev/argosy/member/component/balance"
	"github.com/argosy-dev/argosy/member/component/balance/httpbalance"
	"github.com/argosy-dev/argosy/test/lab/iaas"
)

// provider is the lab's IaaS, as a provider of load balancers, and a driver for it.
func provider(t *testing.T) (*iaas.Server, balance.Driver) {
	t.Helper()
	server := &iaas.Server{Store: &iaas.Store{Clock: clock.RealClock{}}, Balancers: &iaas.Balancers{Clock: clock.RealClock{}}}
	listener := httptest.NewTLSServer(server.Handler())
	t.Cleanup(listener.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: listener.Certificate().Raw})
	driver, err := httpbalance.New(httpbalance.Options{URL: listener.URL, CA: ca})
	if err != nil {
		t.Fatal(err)
	}
	return server, driver
}

// leadWithProviders starts the controllers, as argosy-member-manager does with providers in its configuration.
func (w *world) leadWithProviders(drivers map[string]balance.Driver) (kill func()) {
	w.t.Helper()
	return fixture.Leader{
		Config: config, Scheme: scheme, Namespace: w.namespace,
		Add: func(ctx context.Context, mgr ctrl.Manager) error {
			err := component.AddToManager(ctx, mgr, component.Options{
				Concurrency: 4, Namespace: w.namespace, Metrics: prometheus.NewRegistry(),
			})
			if err != nil {
				return err
			}
			return balance.AddToManager(mgr, balance.Options{
				Concurrency: 4, Drivers: drivers, Period: 200 * time.Millisecond, Metrics: prometheus.NewRegistry(),
			})
		},
	}.Start(w.t)
}

// node that load balancers send to.
func (w *world) node(name, address string) {
	w.t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: w.namespace + "-" + name}}
	w.create(node)
	w.t.Cleanup(func() { _ = api.Delete(context.Background(), node) })
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}}
	w.Expect(api.Status().Update(w.ctx, node)).To(gomega.Succeed())
}

// balanced are the names of the Services that a provider has load balancers for.
func balanced(server *iaas.Server) []string {
	out := []string{}
	for _, b := range server.Balancers.List() {
		out = append(out, b.Spec.Name)
	}
	return out
}

// TestAProvider: a load balancer at a company's own system, told as it is seen there, from the first request, whose answer is lost, to its
// end.
func TestAProvider(t *testing.T) {
	w := newWorld(t)
	server, driver := provider(t)
	var lost atomic.Bool
	server.Fail(func(r *http.Request) iaas.Fault {
		if r.Method == http.MethodPut && lost.CompareAndSwap(false, true) {
			return iaas.Lost
		}
		return iaas.None
	})
	kill := w.leadWithProviders(map[string]balance.Driver{"luoji-slb": driver})
	w.node("one", "10.7.0.1")
	c := w.five("demo")
	c.Spec.Svc.Type = "luoji-slb"
	w.create(c)
	w.says("demo", v1alpha1.ConditionLoadBalancerReady, "True AddressAssigned")
	w.Expect(server.Balancers.Made()).To(gomega.Equal(1))
	c = w.five("demo")
	w.get(c)
	w.Expect(c.Status.LoadBalancer.Ingress).To(gomega.HaveLen(1))
	w.Expect(c.Status.LoadBalancer.Ingress[0].IP).To(gomega.HavePrefix("198.51.100."))

	w.node("two", "10.7.0.2")
	w.Eventually(func() []string { return server.Balancers.List()[0].Spec.Targets }).Should(gomega.ContainElements("10.7.0.1", "10.7.0.2"))
	key := server.Balancers.List()[0].Key
	server.Balancers.Sicken(key, true)
	w.says("demo", v1alpha1.ConditionLoadBalancerReady, "False TargetsUnhealthy")
	server.Balancers.Sicken(key, false)
	w.says("demo", v1alpha1.ConditionLoadBalancerReady, "True AddressAssigned")

	server.Fail(func(*http.Request) iaas.Fault { return iaas.Page })
	w.says("demo", v1alpha1.ConditionLoadBalancerReady, "Unknown ProviderUnanswered")
	c = w.five("demo") // a fresh one: what is no longer there would stay in the old
	w.get(c)
	w.Expect(c.Status.LoadBalancer.Ingress).To(gomega.HaveLen(1), "who cannot be asked takes no address away")
	server.Fail(nil)
	w.says("demo", v1alpha1.ConditionLoadBalancerReady, "True AddressAssigned")

	change(w, w.five("demo"), func(c *v1alpha1.Component) { c.Spec.Patches = sized(w, "enormous") })
	message := w.says("demo", v1alpha1.ConditionLoadBalancerReady, "False ProviderRefused")
	w.Expect(message).To(gomega.ContainSubstring(`size "enormous" is none of small, large`))
	change(w, w.five("demo"), func(c *v1alpha1.Component) { c.Spec.Patches = sized(w, "small") })
	w.says("demo", v1alpha1.ConditionLoadBalancerReady, "True AddressAssigned")
	w.Expect(server.Balancers.List()[0].Spec.Params).To(gomega.Equal(map[string]string{"size": "small"}))

	// Nobody asks for it any more while its provider is away: the Service waits, and whoever comes after a dead manager ends it.
	server.Fail(func(*http.Request) iaas.Fault { return iaas.Refused })
	change(w, w.five("demo"), func(c *v1alpha1.Component) { c.Spec.Svc.Type, c.Spec.Patches = v1alpha1.ServiceClusterIP, nil })
	service := &corev1.Service{}
	w.Eventually(func() string {
		service = &corev1.Service{ObjectMeta: w.meta("demo-luoji-slb")}
		w.get(service)
		if service.DeletionTimestamp == nil || len(service.Status.Conditions) == 0 {
			return ""
		}
		return service.Status.Conditions[0].Reason
	}).Should(gomega.Equal(v1alpha1.ReasonLoadBalancerRemoving))
	kill()
	server.Fail(nil)
	w.leadWithProviders(map[string]balance.Driver{"luoji-slb": driver})
	w.Eventually(func() bool { return w.get(service) }).Should(gomega.BeFalse())
	w.Expect(balanced(server)).To(gomega.BeEmpty())
	w.Expect(server.Balancers.Made()).To(gomega.Equal(1))
}

func sized(w *world, size string) []v1alpha1.Patch {
	w.t.Helper()
	out := fixture.Parse(w.t, `spec: {patches: [{target: {kind: Service, name: demo-luoji-slb}, patch: {metadata: {annotations: {"`+
		v1alpha1.LoadBalancerParams+`size": `+size+`}}}}]}`)
	var spec struct {
		Spec v1alpha1.ComponentSpec `json:"spec"`
	}
	w.Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(out.Map(), &spec)).To(gomega.Succeed())
	return spec.Spec.Patches
}

// TestFromOneProviderToAnother: the load balancer of before goes at its provider too, and no sooner than the new one reaches somebody.
func TestFromOneProviderToAnother(t *testing.T) {
	w := newWorld(t)
	first, one := provider(t)
	second, other := provider(t)
	w.leadWithProviders(map[string]balance.Driver{"aliyun-slb": one, "luoji-slb": other})
	w.node("one", "10.8.0.1")
	c := w.five("demo")
	c.Spec.Svc.Type = "aliyun-slb"
	w.create(c)
	w.says("demo", v1alpha1.ConditionLoadBalancerReady, "True AddressAssigned")

	second.Fail(func(*http.Request) iaas.Fault { return iaas.Overloaded })
	change(w, w.five("demo"), func(c *v1alpha1.Component) { c.Spec.Svc.Type = "luoji-slb" })
	w.Eventually(func() string {
		_, message := w.condition("demo", v1alpha1.ConditionLoadBalancerReady)
		return message
	}).Should(gomega.And(gomega.ContainSubstring("luoji-slb has no time or room yet"),
		gomega.ContainSubstring("Service demo-aliyun-slb keeps its address until then")))
	w.Expect(balanced(first)).To(gomega.Equal([]string{w.namespace + "/demo-aliyun-slb"}))
	second.Fail(nil)
	w.says("demo", v1alpha1.ConditionLoadBalancerReady, "True AddressAssigned")
	w.Eventually(func() []string { return balanced(first) }).Should(gomega.BeEmpty())
	w.Expect(balanced(second)).To(gomega.Equal([]string{w.namespace + "/demo-luoji-slb"}))
	w.Eventually(w.classes).Should(gomega.Equal(map[string]string{"demo": "ClusterIP", "demo-luoji-slb": "luoji-slb"}))
}
