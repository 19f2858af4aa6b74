package vm

import (
	"cmp"
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2/textlogger"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/member/vm"
	"github.com/argosy-dev/argosy/member/vm/balance"
	"github.com/argosy-dev/argosy/member/vm/balance/service"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/deployments"
	"github.com/argosy-dev/argosy/member/vm/gates"
	"github.com/argosy-dev/argosy/member/vm/machine"
	"github.com/argosy-dev/argosy/member/vm/machine/httpdriver"
	"github.com/argosy-dev/argosy/member/vm/monitor"
	"github.com/argosy-dev/argosy/member/vm/pools"
	"github.com/argosy-dev/argosy/member/vm/servers"
	"github.com/argosy-dev/argosy/member/vm/sets"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/iaas"
)

var (
	scheme = runtime.NewScheme()
	config *rest.Config
	// api is a client of the tests' own: nothing is cached.
	api client.Client
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	iaas.BeMachine()
	if at := os.Getenv(serveAt); at != "" {
		return serve(at)
	}
	network = iaas.Own()
	ctrl.SetLogger(textlogger.NewLogger(textlogger.NewConfig()))
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			fmt.Fprintln(os.Stderr, "building the scheme:", err)
			return 1
		}
	}
	ctx := context.Background()
	server, err := lab.NewAPIServer(ctx, lab.APIServerOptions{CRDs: []lab.CRDs{lab.ArgosyCRDs()}})
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting an API server:", err)
		return 1
	}
	defer server.Close()
	config = server.Config
	if api, err = client.New(lab.Patient(config), client.Options{Scheme: scheme}); err != nil {
		fmt.Fprintln(os.Stderr, "making a client:", err)
		return 1
	}
	mux := http.NewServeMux()
	for path, handler := range vm.MemberHandlers(clock.RealClock{}) {
		mux.Handle(path, handler)
	}
	hooks := httptest.NewTLSServer(mux)
	defer hooks.Close()
	if err := admission(ctx, hooks); err != nil {
		fmt.Fprintln(os.Stderr, "registering:", err)
		return 1
	}
	return lab.Judge(m)
}

func trust(server *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

// admission registers what a member gets, and binds each role for people to a group of its name.
func admission(ctx context.Context, hooks *httptest.Server) error {
	objects, err := install.MemberAdmission(hooks.URL, trust(hooks))
	if err != nil {
		return err
	}
	users, err := install.MemberUsers()
	if err != nil {
		return err
	}
	for _, role := range users {
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: role.GetName()},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.GetName()},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: role.GetName()}},
		}
		if err := api.Create(ctx, binding); err != nil {
			return err
		}
	}
	for _, object := range append(users, objects...) {
		lab.WaitLonger(object)
		if err := api.Create(ctx, object.DeepCopy()); err != nil {
			return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

// shifted is the wall clock, moved on.
type shifted struct {
	clock.RealClock
	by atomic.Int64
}

func (s *shifted) Now() time.Time                  { return s.RealClock.Now().Add(time.Duration(s.by.Load())) }
func (s *shifted) Since(t time.Time) time.Duration { return s.Now().Sub(t) }
func (s *shifted) pass(d time.Duration)            { s.by.Add(int64(d)) }

// world is one test's namespace, and an IaaS of its own.
type world struct {
	*gomega.WithT
	t         *testing.T
	ctx       context.Context
	namespace string
	system    *iaas.Server
	driver    machine.Driver
	clock     *shifted
	// dial is how often a machine is dialled; 0 is as ever.
	dial time.Duration
	// alerts is whom alert queries are asked of, and how often; 0 is a second. allowed is below what gates may call.
	alerts      servers.Alerts
	alertPeriod time.Duration
	allowed     []string
}

const token = "of-this-test"

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "vm-"}}
	if err := api.Create(t.Context(), namespace); err != nil {
		t.Fatalf("creating a namespace: %v", err)
	}
	g := gomega.NewWithT(t)
	g.SetDefaultEventuallyTimeout(3 * time.Minute)
	g.SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	g.SetDefaultConsistentlyPollingInterval(50 * time.Millisecond)
	w := &world{WithT: g, t: t, ctx: t.Context(), namespace: namespace.Name, clock: &shifted{}}
	w.system = &iaas.Server{Store: &iaas.Store{Clock: clock.RealClock{}}, Token: token}
	listener := httptest.NewTLSServer(w.system.Handler())
	t.Cleanup(listener.Close)
	driver, err := httpdriver.New(httpdriver.Options{URL: listener.URL, CA: trust(listener)})
	if err != nil {
		t.Fatal(err)
	}
	w.driver = driver
	w.create(&corev1.Secret{ObjectMeta: w.meta("machines"), Data: map[string][]byte{httpdriver.TokenKey: []byte(token)}})
	return w
}

func (w *world) serverOptions(holder string) servers.Options {
	return servers.Options{
		Options: w.every(4), Drivers: map[string]machine.Driver{httpdriver.Name: w.driver}, Period: 200 * time.Millisecond, Holder: holder,
		Metrics: prometheus.NewRegistry(), DialPeriod: w.dial, Alerts: w.alerts, AlertPeriod: cmp.Or(w.alertPeriod, time.Second),
		Gates: gates.Options{AllowedURLs: w.allowed},
	}
}

// every controller's options.
func (w *world) every(concurrency int) control.Options {
	return control.Options{Concurrency: concurrency, Clock: w.clock}
}

// lead starts the controllers; the test's end kills them.
func (w *world) lead() { w.leadAs("leader") }

// leadAs starts them in the name of a process, which is killed by the function returned.
func (w *world) leadAs(holder string) (kill func()) {
	w.t.Helper()
	return fixture.Leader{
		Config: config, Scheme: scheme, Namespace: w.namespace,
		Add: func(_ context.Context, mgr ctrl.Manager) error {
			if err := servers.AddToManager(mgr, w.serverOptions(holder)); err != nil {
				return err
			}
			calls := gates.Options{AllowedURLs: w.allowed}
			if err := deployments.AddToManager(mgr, deployments.Options{Options: w.every(2), Gates: calls}); err != nil {
				return err
			}
			err := pools.AddToManager(mgr, pools.Options{
				Concurrency: 2, Drivers: map[string]balance.Driver{service.Name: service.New(mgr.GetAPIReader(), mgr.GetClient())},
				Period: 500 * time.Millisecond, Clock: w.clock, Metrics: prometheus.NewRegistry(),
			})
			if err != nil {
				return err
			}
			if err := monitor.AddToManager(mgr, monitor.Options{Concurrency: 2}); err != nil {
				return err
			}
			return sets.AddToManager(mgr, sets.Options{
				Options: w.every(2), Drivers: []string{httpdriver.Name}, Balancers: []string{service.Name}, AlertQueries: w.alerts != nil,
				Gates: gates.Options{AllowedURLs: w.allowed},
			})
		},
	}.Start(w.t)
}

func (w *world) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.namespace, Name: name}
}

func (w *world) create(objects ...client.Object) {
	w.t.Helper()
	for _, o := range objects {
		if err := api.Create(w.ctx, o); err != nil {
			w.t.Fatalf("creating %T %s: %v", o, o.GetName(), err)
		}
	}
}

// set of so many servers.
func (w *world) set(name string, replicas int32) *v1alpha1.VMReplicaSet {
	set := &v1alpha1.VMReplicaSet{ObjectMeta: w.meta(name)}
	set.Spec.Replicas = ptr.To(replicas)
	set.Spec.Selector.MatchLabels = map[string]v1alpha1.LabelValue{"app": v1alpha1.LabelValue(name)}
	set.Spec.Template.Metadata.Labels = set.Spec.Selector.MatchLabels
	set.Spec.Template.Spec.Machine = v1alpha1.Machine{
		Driver: httpdriver.Name, Image: "lab/debian", Class: "small", CredentialsRef: &v1alpha1.LocalReference{Name: "machines"},
	}
	return set
}

// change edits an object.
func change[T client.Object](w *world, o T, edit func(T)) T {
	w.t.Helper()
	w.Eventually(func() error {
		if err := api.Get(w.ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		edit(o)
		return api.Update(w.ctx, o)
	}).Should(gomega.Succeed())
	return o
}

func (w *world) servers() []v1alpha1.Server {
	w.t.Helper()
	list := &v1alpha1.ServerList{}
	if err := api.List(w.ctx, list, client.InNamespace(w.namespace)); err != nil {
		w.t.Fatal(err)
	}
	return list.Items
}

// seen are the servers as "name phase machine", in order.
func (w *world) seen() []string {
	w.t.Helper()
	var out []string
	for _, s := range w.servers() {
		state := v1alpha1.MachineAbsent
		if s.Status.Machine != nil {
			state = s.Status.Machine.State
		}
		out = append(out, fmt.Sprintf("%s %s %s", s.Name, s.Status.Phase, state))
	}
	return out
}

// machines of the IaaS, by the names of their servers.
func (w *world) machines() []string {
	var out []string
	for _, m := range w.system.Machines() {
		out = append(out, strings.TrimPrefix(m.Name, w.namespace+"/"))
	}
	return out
}

func (w *world) key(server string) string {
	w.t.Helper()
	s := &v1alpha1.Server{ObjectMeta: w.meta(server)}
	if err := api.Get(w.ctx, client.ObjectKeyFromObject(s), s); err != nil {
		w.t.Fatal(err)
	}
	return string(s.UID)
}

// says is a condition of a set, as "Status Reason: message".
func (w *world) says(name, kind string) string {
	w.t.Helper()
	set := w.set(name, 0)
	if err := api.Get(w.ctx, client.ObjectKeyFromObject(set), set); err != nil {
		return "gone"
	}
	c := apimeta.FindStatusCondition(set.Status.Conditions, kind)
	if c == nil {
		return ""
	}
	return string(c.Status) + " " + c.Reason + ": " + c.Message
}

func (w *world) pending() []gatev1alpha1.PendingApproval {
	w.t.Helper()
	set := w.set("web", 0)
	if err := api.Get(w.ctx, client.ObjectKeyFromObject(set), set); err != nil {
		return nil
	}
	return set.Status.PendingApprovals
}

// as a person of a role.
func (w *world) as(user, role string) client.Client {
	w.t.Helper()
	out, err := client.New(lab.Person(config, user, role), client.Options{Scheme: scheme, Mapper: api.RESTMapper()})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// patch an object's field of the spec.
func patch(ctx context.Context, c client.Client, o client.Object, body string) error {
	u := &unstructured.Unstructured{}
	gvk, err := c.GroupVersionKindFor(o)
	if err != nil {
		return err
	}
	u.SetGroupVersionKind(gvk)
	u.SetNamespace(o.GetNamespace())
	u.SetName(o.GetName())
	return c.Patch(ctx, u, client.RawPatch("application/merge-patch+json", []byte(body)))
}
