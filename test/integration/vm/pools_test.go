package vm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/balance"
	"github.com/argosy-dev/argosy/member/vm/balance/balancetest"
	"github.com/argosy-dev/argosy/member/vm/balance/service"
)

func makeService(namespace, name string, ports ...string) *corev1.Service {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	for i, port := range ports {
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: port, Port: int32(80 + i)})
	}
	return s
}

// TestServiceDriver holds the driver service against a real API server.
func TestServiceDriver(t *testing.T) {
	balancetest.Run(t, func(t *testing.T) balancetest.Rig {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "pool-"}}
		foreign := &discoveryv1.EndpointSlice{
			AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.7"}}},
			Ports: []discoveryv1.EndpointPort{{Name: ptr.To("http"), Port: ptr.To[int32](80)}},
		}
		if err := api.Create(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
		foreign.Namespace, foreign.Name = namespace.Name, "web-of-a-person"
		foreign.Labels = map[string]string{discoveryv1.LabelServiceName: "web"}
		for _, o := range []client.Object{makeService(namespace.Name, "web", "http", "admin"), foreign} {
			if err := api.Create(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
		broken := false
		within, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
		if err != nil {
			t.Fatal(err)
		}
		away := interceptor.NewClient(within, interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
				if broken {
					return errors.New("no API server")
				}
				return c.Get(ctx, key, o, options...)
			},
		})
		return balancetest.Rig{
			Driver: service.New(away, away), Pool: balance.Pool{Namespace: namespace.Name, Name: "web:http", Owner: "of-this-test"},
			Addresses: []string{"10.9.0.1", "10.9.0.2", "fd00::3"}, Port: 8443, Nowhere: "nowhere:http",
			Others: func() string {
				if err := api.Get(t.Context(), client.ObjectKeyFromObject(foreign), foreign); err != nil {
					t.Fatal(err)
				}
				return foreign.ResourceVersion
			},
			Break: func() func() {
				broken = true
				return func() { broken = false }
			},
		}
	})
}

// TestServicesThatAreNoPools are refused with what is wrong with them.
func TestServicesThatAreNoPools(t *testing.T) {
	w := newWorld(t)
	selecting := makeService(w.namespace, "selecting", "http")
	selecting.Spec.Selector = map[string]string{"app": "web"}
	external := &corev1.Service{ObjectMeta: w.meta("external")}
	external.Spec.Type, external.Spec.ExternalName = corev1.ServiceTypeExternalName, "web.example.com"
	w.create(selecting, external, makeService(w.namespace, "two", "http", "admin"), makeService(w.namespace, "one", ""))
	driver := service.New(api, api)
	for name, says := range map[string]string{
		"selecting":      "has a selector",
		"external":       "is of type ExternalName",
		"two":            `has the ports ["http" "admin"]: say which, as two:PORT`,
		"two:https":      `has the ports ["http" "admin"]`,
		"Not-A-Service!": "is no name of a Service",
	} {
		err := driver.Ensure(w.ctx, balance.Pool{Namespace: w.namespace, Name: name, Owner: "o"}, nil)
		if !errors.Is(err, balance.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", name, err, says)
		}
	}
	w.Expect(driver.Ensure(w.ctx, balance.Pool{Namespace: w.namespace, Name: "one", Owner: "o"}, nil)).To(gomega.Succeed())
}

// endpoints behind the Service, as "address ready|draining|silent".
func (w *world) endpoints() []string {
	w.t.Helper()
	list := &discoveryv1.EndpointSliceList{}
	err := api.List(w.ctx, list, client.InNamespace(w.namespace), client.MatchingLabels{discoveryv1.LabelServiceName: "web"})
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, slice := range list.Items {
		for _, e := range slice.Endpoints {
			is := "silent"
			switch {
			case ptr.Deref(e.Conditions.Ready, false):
				is = "ready"
			case ptr.Deref(e.Conditions.Terminating, false):
				is = "draining"
			}
			out = append(out, fmt.Sprintf("%s:%d %s", e.Addresses[0], *slice.Ports[0].Port, is))
		}
	}
	return out
}

// balanced set of servers, behind a Service, for a time that is drained in.
func (w *world) balanced(replicas, drainSeconds int32) *v1alpha1.VMReplicaSet {
	w.create(makeService(w.namespace, "web", "http"))
	set := w.set("web", replicas)
	set.Spec.Template.Spec.LoadBalancers = []v1alpha1.LoadBalancer{{
		Name: "public", Driver: service.Name, Pool: "web", Port: 8443, DrainSeconds: ptr.To(drainSeconds),
	}}
	set.Spec.Template.Spec.Monitors = []v1alpha1.Monitor{{Name: "node", Template: "linux", Port: 9100}}
	return set
}

// force a server into a state, as an operator.
func (w *world) force(name string, state v1alpha1.ServerPhase, skip ...string) {
	w.t.Helper()
	body := fmt.Sprintf(`{"spec":{"override":{"state":%q,"reason":"of this test"`, state)
	if len(skip) > 0 {
		body += fmt.Sprintf(`,"skipTasks":["%s"]`, strings.Join(skip, `","`))
	}
	w.Eventually(func() error {
		return patch(w.ctx, w.as("olga", operator), &v1alpha1.Server{ObjectMeta: w.meta(name)}, body+"}}}")
	}).Should(gomega.Succeed())
}

// pooled is what the servers record of their pools, as "name state".
func (w *world) pooled() []string {
	w.t.Helper()
	var out []string
	for _, s := range w.servers() {
		for _, a := range s.Status.LoadBalancers {
			out = append(out, s.Name+" "+string(a.State))
		}
	}
	return out
}

// TestServersInPools: nobody is in the pool who is not Ready; a server drains before it leaves, and is let go when it has left.
func TestServersInPools(t *testing.T) {
	w := newWorld(t)
	w.lead()
	set := w.balanced(2, 60)
	set.Spec.RemovalPolicy = v1alpha1.RemovalDelete
	w.create(set)
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-2 Deploying Running"}))
	w.Eventually(w.pooled).Should(gomega.Equal([]string{"web-1 Detached", "web-2 Detached"}), "they are recorded before they come in")
	w.Expect(w.endpoints()).To(gomega.BeEmpty())

	w.force("web-1", v1alpha1.ServerReady)
	w.Eventually(w.pooled).Should(gomega.Equal([]string{"web-1 Attached", "web-2 Detached"}))
	w.Expect(w.endpoints()).To(gomega.ConsistOf(gomega.HaveSuffix(":8443 ready")))
	w.Eventually(w.seen).Should(gomega.ContainElement("web-1 Ready Running"))

	// Its weight is 0 for a while.
	change(w, &v1alpha1.Server{ObjectMeta: w.meta("web-1")}, func(s *v1alpha1.Server) { s.Spec.TrafficWeight = ptr.To[int32](0) })
	w.Eventually(w.endpoints).Should(gomega.ConsistOf(gomega.HaveSuffix(":8443 silent")))
	change(w, &v1alpha1.Server{ObjectMeta: w.meta("web-1")}, func(s *v1alpha1.Server) { s.Spec.TrafficWeight = nil })
	w.Eventually(w.endpoints).Should(gomega.ConsistOf(gomega.HaveSuffix(":8443 ready")))

	// Somebody takes its endpoint away: it is put back.
	w.Expect(api.DeleteAllOf(w.ctx, &discoveryv1.EndpointSlice{}, client.InNamespace(w.namespace))).To(gomega.Succeed())
	w.Eventually(w.endpoints).Should(gomega.ConsistOf(gomega.HaveSuffix(":8443 ready")))

	// Named to go, it drains for its time, and no longer.
	w.Expect(api.Delete(w.ctx, &v1alpha1.Server{ObjectMeta: w.meta("web-1")})).To(gomega.Succeed())
	w.Eventually(w.pooled).Should(gomega.ContainElement("web-1 Draining"))
	w.Expect(w.endpoints()).To(gomega.ConsistOf(gomega.HaveSuffix(":8443 draining")))
	w.Consistently(w.machines, time.Second).Should(gomega.ContainElement("web-1"), "the machine goes after the pool, never before")
	w.clock.pass(time.Minute)
	w.Eventually(w.endpoints).Should(gomega.BeEmpty())
	w.Eventually(func() error {
		return api.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: "web-1"}, &v1alpha1.Server{})
	}).Should(gomega.Satisfy(apierrors.IsNotFound))
	w.Eventually(w.machines).Should(gomega.ConsistOf("web-2", "web-3"))
}

// TestAPoolThatIsNotThere: the server waits and says for what; when the pool comes, it goes on by itself.
func TestAPoolThatIsNotThere(t *testing.T) {
	w := newWorld(t)
	w.lead()
	set := w.balanced(1, 0)
	w.Expect(api.Delete(w.ctx, &corev1.Service{ObjectMeta: w.meta("web")})).To(gomega.Succeed())
	w.create(set)
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running"}))
	w.force("web-1", v1alpha1.ServerReady)
	w.Eventually(func() string {
		for _, task := range w.servers()[0].Status.Tasks {
			if task.Type == v1alpha1.TaskAttachLoadBalancer {
				return string(task.State) + " " + task.Message
			}
		}
		return ""
	}).Should(gomega.HavePrefix("Running public (web) is Attaching there is no Service "))
	w.create(makeService(w.namespace, "web", "http"))
	w.Eventually(w.pooled).Should(gomega.Equal([]string{"web-1 Attached"}))

	// Deleted with the pool gone for good, it leaves: nothing reaches it through a pool that is not there.
	w.Expect(api.Delete(w.ctx, &corev1.Service{ObjectMeta: w.meta("web")})).To(gomega.Succeed())
	w.Expect(api.Delete(w.ctx, &v1alpha1.Server{ObjectMeta: w.meta("web-1")})).To(gomega.Succeed())
	w.Eventually(w.machines).ShouldNot(gomega.ContainElement("web-1"))
}

// TestALoadBalancerThatIsNotConfigured: no machine is made for it, and it is said what there is.
func TestALoadBalancerThatIsNotConfigured(t *testing.T) {
	w := newWorld(t)
	w.lead()
	set := w.balanced(1, 0)
	set.Spec.Template.Spec.LoadBalancers[0].Driver = "f5"
	w.create(set)
	w.Eventually(func() string { return w.says("web", v1alpha1.ConditionReplicaFailure) }).Should(
		gomega.HavePrefix(`True TemplateNotSupported: load balancer driver "f5" is not configured here; there is: service`))
	w.Expect(w.machines()).To(gomega.BeEmpty())
}
