package delivery

import (
	"context"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/crypto/ssh"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/internal/manifest"
	"github.com/argosy-dev/argosy/member/vm/balance"
	"github.com/argosy-dev/argosy/member/vm/balance/haproxy"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/deployments"
	"github.com/argosy-dev/argosy/member/vm/machine"
	"github.com/argosy-dev/argosy/member/vm/machine/httpdriver"
	"github.com/argosy-dev/argosy/member/vm/monitor"
	"github.com/argosy-dev/argosy/member/vm/pools"
	"github.com/argosy-dev/argosy/member/vm/remote/remotetest"
	"github.com/argosy-dev/argosy/member/vm/servers"
	"github.com/argosy-dev/argosy/member/vm/sets"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/iaas"
	"github.com/argosy-dev/argosy/test/machines/proxy"
)

// shifted is the wall clock, moved on.
type shifted struct {
	clock.RealClock
	by atomic.Int64
}

func (s *shifted) Now() time.Time                  { return s.RealClock.Now().Add(time.Duration(s.by.Load())) }
func (s *shifted) Since(t time.Time) time.Duration { return s.Now().Sub(t) }

// shop is a member whose controllers have the lab's IaaS and one HAProxy.
type shop struct {
	*gomega.WithT
	t      *testing.T
	api    client.Client
	system *iaas.Server
	proxy  *proxy.Proxy
	clock  *shifted
}

const (
	namespace = "default"
	token     = "of-this-test"
)

func newShop(t *testing.T) *shop {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	server, err := lab.NewAPIServer(context.WithoutCancel(t.Context()), lab.APIServerOptions{CRDs: []lab.CRDs{lab.ArgosyCRDs()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	s := &shop{WithT: gomega.NewWithT(t), t: t, clock: &shifted{}}
	s.SetDefaultEventuallyTimeout(4 * time.Minute)
	s.SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	if s.api, err = client.New(lab.Patient(server.Config), client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	s.startProxy()
	s.lead(server.Config, scheme, s.machines())
	return s
}

// startProxy with a backend of the set's name, and what keeps customers from a server that died a moment ago: another is tried.
func (s *shop) startProxy() {
	s.t.Helper()
	root, err := haproxyAt()
	if err != nil {
		s.t.Fatal(err)
	}
	s.proxy, err = proxy.Start(s.t.Context(), root, proxy.Options{
		Defaults: "  timeout connect 10s\n  timeout client 1m\n  timeout server 1m\n  retries 3\n  option redispatch 1\n" +
			"  retry-on conn-failure empty-response\n  option http-server-close",
		Backend: "shop", Said: s.t.Output(),
	})
	if s.proxy != nil {
		s.t.Cleanup(s.proxy.Close)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// machines in namespaces, and the store that they fetch from.
func (s *shop) machines() machine.Driver {
	s.t.Helper()
	yard, err := iaas.NewYard(s.t.TempDir())
	if err != nil {
		s.t.Fatalf("machines need namespaces: %v", err)
	}
	store, err := iaas.ServeStore(yard.Host())
	if err != nil {
		s.t.Fatal(err)
	}
	s.system = &iaas.Server{Store: &iaas.Store{Clock: clock.RealClock{}, Guests: &iaas.Guests{Yard: yard}}, Token: token}
	listener := httptest.NewTLSServer(s.system.Handler())
	s.t.Cleanup(func() {
		listener.Close()
		s.system.Guests.Close()
		_, _ = store.Close(), yard.Close()
	})
	driver, err := httpdriver.New(httpdriver.Options{
		URL: listener.URL, CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: listener.Certificate().Raw}),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return driver
}

// lead starts the controllers of argosy-member-manager, until the test's end.
func (s *shop) lead(config *rest.Config, scheme *runtime.Scheme, machines machine.Driver) {
	s.t.Helper()
	balancer, err := haproxy.New([]string{"unix:" + s.proxy.Admin()})
	if err != nil {
		s.t.Fatal(err)
	}
	every := control.Options{Concurrency: 4, Clock: s.clock}
	fixture.Leader{Config: config, Scheme: scheme, Namespace: namespace, Add: func(_ context.Context, mgr ctrl.Manager) error {
		err := servers.AddToManager(mgr, servers.Options{
			Options: every, Drivers: map[string]machine.Driver{httpdriver.Name: machines}, Period: time.Second, Holder: "leader",
			Metrics: prometheus.NewRegistry(),
		})
		if err != nil {
			return err
		}
		if err := deployments.AddToManager(mgr, deployments.Options{Options: every}); err != nil {
			return err
		}
		err = pools.AddToManager(mgr, pools.Options{
			Concurrency: 2, Drivers: map[string]balance.Driver{haproxy.Name: balancer}, Period: 500 * time.Millisecond, Clock: s.clock,
			Metrics: prometheus.NewRegistry(),
		})
		if err != nil {
			return err
		}
		if err := monitor.AddToManager(mgr, monitor.Options{Concurrency: 2}); err != nil {
			return err
		}
		return sets.AddToManager(mgr, sets.Options{Options: every, Drivers: []string{httpdriver.Name}, Balancers: []string{haproxy.Name}})
	}}.Start(s.t)
}

func meta(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }

// apply the sample of a delivery, with load balancer driver haproxy, after its two Secrets.
func (s *shop) apply() {
	s.t.Helper()
	key, public, err := remotetest.Key()
	s.Expect(err).NotTo(gomega.HaveOccurred())
	objects := []client.Object{
		&corev1.Secret{ObjectMeta: meta("shop-access"), Type: corev1.SecretTypeSSHAuth, Data: map[string][]byte{corev1.SSHAuthPrivateKey: key}},
		&corev1.Secret{ObjectMeta: meta("shop-boot"), Data: map[string][]byte{
			httpdriver.TokenKey: []byte(token),
			"userData":          []byte("#cloud-config\nssh_authorized_keys:\n- " + string(ssh.MarshalAuthorizedKey(public))),
		}},
	}
	text, err := os.ReadFile("../../../deploy/samples/vmreplicaset-delivered.yaml")
	s.Expect(err).NotTo(gomega.HaveOccurred())
	sample, err := manifest.Parse(text)
	s.Expect(err).NotTo(gomega.HaveOccurred())
	for _, object := range sample {
		switch object.GetKind() {
		case "PropagationPolicy", "Service":
			continue // a member has no policies, and HAProxy needs no Service
		case "VMReplicaSet":
			path := []string{"spec", "template", "spec", "loadBalancers"}
			list, _, err := unstructured.NestedSlice(object.Object, path...)
			s.Expect(err).NotTo(gomega.HaveOccurred())
			list[0].(map[string]any)["driver"] = haproxy.Name
			s.Expect(unstructured.SetNestedSlice(object.Object, list, path...)).To(gomega.Succeed())
			// A machine that stands still for a while is no sick service; one that died its driver tells of.
			for field, value := range map[string]int64{"failureThreshold": 10, "periodSeconds": 3, "startupSeconds": 10} {
				path := []string{"spec", "template", "spec", "healthCheck", field}
				s.Expect(unstructured.SetNestedField(object.Object, value, path...)).To(gomega.Succeed())
			}
		}
		objects = append(objects, object)
	}
	for _, object := range objects {
		s.Expect(s.api.Create(s.t.Context(), object)).To(gomega.Succeed())
	}
}

// release another version, in other steps.
func (s *shop) release(version string, change func(*v1alpha1.ReleaseStrategy)) {
	s.t.Helper()
	artifact, checksum := iaas.Artifact("/shop/" + version + ".tar")
	edit(s, &v1alpha1.VMDeployment{ObjectMeta: meta("shop")}, func(d *v1alpha1.VMDeployment) {
		d.Spec.Release.Version, d.Spec.Release.Artifact, d.Spec.Release.Checksum = version, artifact, checksum
		change(&d.Spec.Strategy)
	})
}

func (s *shop) delivery() *v1alpha1.VMDeployment {
	s.t.Helper()
	out := &v1alpha1.VMDeployment{ObjectMeta: meta("shop")}
	s.Expect(s.api.Get(s.t.Context(), client.ObjectKeyFromObject(out), out)).To(gomega.Succeed())
	return out
}

// asked is what the release waits for, as it says it to whom it asks.
func (s *shop) asked() []string {
	var out []string
	for _, p := range s.delivery().Status.PendingApprovals {
		out = append(out, p.Summary)
	}
	return out
}

// approve what it waits for. There is no admission here, so the name is said.
func (s *shop) approve() {
	s.t.Helper()
	edit(s, s.delivery(), func(d *v1alpha1.VMDeployment) {
		for _, p := range d.Status.PendingApprovals {
			d.Spec.Approvals = append(d.Spec.Approvals, gatev1alpha1.Approval{
				Gate: p.Gate, OperationID: p.OperationID, Decision: gatev1alpha1.Approve, By: "ann", At: ptr.To(metav1.NewTime(s.clock.Now())),
			})
		}
	})
}

// says is a condition of the release that is True, as "Reason: message".
func (s *shop) says(kind string) string {
	c := apimeta.FindStatusCondition(s.delivery().Status.Conditions, kind)
	if c == nil || c.Status != metav1.ConditionTrue {
		return ""
	}
	return c.Reason + ": " + c.Message
}

// weights that HAProxy gives the servers, in the order of their names.
func (s *shop) weights() ([]int32, error) {
	seen, err := s.members()
	slices.SortFunc(seen, func(a, b balance.Seen) int { return strings.Compare(a.ID, b.ID) })
	var out []int32
	for _, member := range seen {
		out = append(out, member.Weight)
	}
	return out, err
}

// members of the backend, as HAProxy has them.
func (s *shop) members() ([]balance.Seen, error) {
	driver, err := haproxy.New([]string{"unix:" + s.proxy.Admin()})
	if err != nil {
		return nil, err
	}
	cluster, err := (&control.Identity{}).Of(s.t.Context(), s.api)
	if err != nil {
		return nil, err
	}
	return driver.Observe(s.t.Context(), balance.Pool{
		Namespace: namespace, Name: "shop", Owner: "vm.argosy.dev/" + namespace, Cluster: cluster,
	})
}

// serving are the servers that HAProxy sends customers to, by the machines' addresses.
func (s *shop) serving() ([]string, error) {
	seen, err := s.members()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, member := range seen {
		if !member.Draining && !member.Mixed && member.Weight > 0 {
			out = append(out, member.Address)
		}
	}
	slices.Sort(out)
	return out, nil
}
