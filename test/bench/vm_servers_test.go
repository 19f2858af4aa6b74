package bench

import (
	"context"
	"encoding/pem"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/deploy"
	"github.com/argosy-dev/argosy/member/vm/deployments"
	machines "github.com/argosy-dev/argosy/member/vm/machine"
	"github.com/argosy-dev/argosy/member/vm/machine/httpdriver"
	"github.com/argosy-dev/argosy/member/vm/servers"
	"github.com/argosy-dev/argosy/member/vm/sets"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/iaas"
)

var (
	vmServers = flag.Int("servers", 1_000, "TestServers: how many servers there are; the aims are those of 10,000")
	vmSet     = flag.Int("servers-set", 100, "TestServers: how many servers a set has")
	vmSteady  = flag.Int("servers-seconds", 60, "TestServers: for how long it is measured while nothing happens")
)

const (
	// serversReady, serversHeap and serversWrites are the aims with 10,000: until all are Ready, of memory in use, and of writes in a second
	// while nothing happens.
	serversReady  = 10 * time.Minute
	serversHeap   = 400 << 20
	serversWrites = 5.0
	// serversAim is how many servers the aims are of.
	serversAim = 10_000
)

// atOnce is a system that has deployed whatever it is asked for.
type atOnce struct{}

func (atOnce) Start(context.Context, deploy.Job) error { return nil }
func (atOnce) Check(v1alpha1.Release) error            { return nil }
func (atOnce) Observe(context.Context, deploy.Job) (deploy.Progress, error) {
	return deploy.Progress{State: deploy.Succeeded}, nil
}

// vmMember is a member with a real API server, and a system of machines that has them in a table.
type vmMember struct {
	t   *testing.T
	api client.Client
	// seen is what the observer sees, by a watch: a list of all servers each second costs more than all that is measured.
	seen   client.Reader
	config *rest.Config
	system *iaas.Server
	writes atomic.Int64
	// kinds are the same by what was written.
	kinds sync.Map
	// reads are the controllers' requests that read, watches left out: what a cache does not save them.
	reads atomic.Int64
}

// reading counts requests that read.
type reading struct {
	next  http.RoundTripper
	reads *atomic.Int64
}

func (r reading) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodGet && !request.URL.Query().Has("watch") {
		r.reads.Add(1)
	}
	return r.next.RoundTrip(request)
}

// looks of a controller so far, and how long they took.
func looks(t *testing.T, controller string) (count uint64, took time.Duration) {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "controller_runtime_reconcile_time_seconds" {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetName() == "controller" && label.GetValue() == controller {
					count += m.GetHistogram().GetSampleCount()
					took += time.Duration(m.GetHistogram().GetSampleSum() * float64(time.Second))
				}
			}
		}
	}
	return count, took
}

func newVMMember(t *testing.T) *vmMember {
	t.Helper()
	scheme := k8sruntime.NewScheme()
	for _, add := range []func(*k8sruntime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	server, err := lab.NewAPIServer(context.WithoutCancel(t.Context()), lab.APIServerOptions{CRDs: []lab.CRDs{lab.ArgosyCRDs()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	m := &vmMember{t: t, config: server.Config, system: &iaas.Server{Store: &iaas.Store{Clock: clock.RealClock{}}}}
	if m.api, err = client.New(lab.Patient(server.Config), client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	m.seen = observer(t, lab.Patient(server.Config), scheme)
	listener := httptest.NewTLSServer(m.system.Handler())
	t.Cleanup(listener.Close)
	driver, err := httpdriver.New(httpdriver.Options{
		URL: listener.URL, CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: listener.Certificate().Raw}),
	})
	if err != nil {
		t.Fatal(err)
	}
	asked := rest.CopyConfig(server.Config)
	asked.QPS = -1 // as argosy-member-manager asks
	asked.Wrap(func(next http.RoundTripper) http.RoundTripper { return reading{next: next, reads: &m.reads} })
	fixture.Leader{
		Config: asked, Scheme: scheme, Namespace: metav1.NamespaceDefault, Requests: m.counted(),
		Add: func(_ context.Context, mgr ctrl.Manager) error {
			every := control.Options{Concurrency: 4}
			err := servers.AddToManager(mgr, servers.Options{
				Options: control.Options{Concurrency: 16}, Drivers: map[string]machines.Driver{httpdriver.Name: driver}, Period: 15 * time.Second,
				Holder: "leader", Systems: map[string]deploy.System{"at-once": atOnce{}}, Metrics: prometheus.NewRegistry(),
			})
			if err != nil {
				return err
			}
			if err := deployments.AddToManager(mgr, deployments.Options{Options: every}); err != nil {
				return err
			}
			return sets.AddToManager(mgr, sets.Options{Options: every, Drivers: []string{httpdriver.Name}})
		},
	}.Start(t)
	return m
}

// observer reads from a cache of its own.
func observer(t *testing.T, config *rest.Config, scheme *k8sruntime.Scheme) client.Reader {
	t.Helper()
	seen, err := cache.New(config, cache.Options{Scheme: scheme, DefaultUnsafeDisableDeepCopy: ptr.To(true)})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = seen.Start(t.Context()) }() // ends without an error when the test does
	return seen
}

// counted is a client that counts writes, those of events left out.
func (m *vmMember) counted() *interceptor.Funcs {
	return &interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			m.wrote("create", o)
			return c.Create(ctx, o, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			m.wrote("patch", o)
			return c.Patch(ctx, o, p, opts...)
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch,
			opts ...client.SubResourcePatchOption,
		) error {
			m.wrote(sub, o)
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	}
}

// used is what was used so far: the processor time of this process, that of the API server by its own account, and what it was asked.
type used struct {
	own, server time.Duration
	requests    map[string]float64
}

func (m *vmMember) used() used {
	m.t.Helper()
	families, err := scrape(m.t.Context(), m.config)
	if err != nil {
		m.t.Fatal(err)
	}
	out := used{own: cpu(m.t), requests: map[string]float64{}}
	out.server = time.Duration(families.sum("process_cpu_seconds_total", nil) * float64(time.Second))
	for _, one := range families["apiserver_request_total"] {
		what := strings.TrimSuffix(one.labels["resource"]+"/"+one.labels["subresource"], "/")
		if what != "leases" && one.labels["verb"] != "WATCH" {
			out.requests[one.labels["verb"]+" "+what] += one.value
		}
	}
	return out
}

// since is what was used since before, of requests those of which there is a twentieth for each of so many Servers.
func (u used) since(before used, all int) (own, server time.Duration, requests string) {
	var out []string
	for what, n := range u.requests {
		if each := (n - before.requests[what]) / float64(all); each >= 0.05 {
			out = append(out, fmt.Sprintf("%s %.1f", what, each))
		}
	}
	slices.Sort(out)
	return u.own - before.own, u.server - before.server, strings.Join(out, ", ")
}

// wrote counts a write of a verb, or of a sub-resource.
func (m *vmMember) wrote(what string, o client.Object) {
	m.writes.Add(1)
	n, _ := m.kinds.LoadOrStore(fmt.Sprintf("%s %s", strings.TrimPrefix(fmt.Sprintf("%T", o), "*v1alpha1."), what), &atomic.Int64{})
	n.(*atomic.Int64).Add(1)
}

// byKind are the writes so far, for each of so many Servers.
func (m *vmMember) byKind(all int) string {
	var out []string
	m.kinds.Range(func(what, n any) bool {
		out = append(out, fmt.Sprintf("%s %.1f", what, float64(n.(*atomic.Int64).Load())/float64(all)))
		return true
	})
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// create so many sets, each with its release.
func (m *vmMember) create(count int) {
	m.t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "iaas"}}
	secret.Data = map[string][]byte{httpdriver.TokenKey: []byte("any")}
	if err := m.api.Create(m.t.Context(), secret); err != nil {
		m.t.Fatal(err)
	}
	for i := range count {
		name := fmt.Sprint("set-", i)
		meta := metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: name}
		set := &v1alpha1.VMReplicaSet{ObjectMeta: meta}
		set.Spec.Replicas = ptr.To(int32(*vmSet))
		set.Spec.Selector.MatchLabels = map[string]v1alpha1.LabelValue{"app": v1alpha1.LabelValue(name)}
		set.Spec.Template.Metadata.Labels = set.Spec.Selector.MatchLabels
		set.Spec.Template.Spec.Machine = v1alpha1.Machine{
			Driver: httpdriver.Name, Image: "lab/debian", Class: "small", CredentialsRef: &v1alpha1.LocalReference{Name: secret.Name},
		}
		code := &v1alpha1.VMDeployment{ObjectMeta: meta}
		code.Spec.TargetRef = v1alpha1.TargetReference{Name: name}
		code.Spec.Release = v1alpha1.Release{Version: "1", System: "at-once"}
		code.Spec.Strategy.MaxUnavailable = ptr.To(intstr.FromString("10%"))
		for _, o := range []client.Object{set, code} {
			if err := m.api.Create(m.t.Context(), o); err != nil {
				m.t.Fatal(err)
			}
		}
	}
}

// until all are Ready with a release, and how long that took.
func (m *vmMember) until(all int, version string) time.Duration {
	m.t.Helper()
	now := clock.RealClock{}
	start, have, said := now.Now(), 0, time.Duration(0)
	err := wait.PollUntilContextTimeout(m.t.Context(), time.Second, time.Hour, true, func(ctx context.Context) (bool, error) {
		list := &v1alpha1.ServerList{}
		if err := m.seen.List(ctx, list, client.InNamespace(metav1.NamespaceDefault)); err != nil {
			return false, err
		}
		have = 0
		for i := range list.Items {
			s := &list.Items[i].Status
			if s.Release != nil && s.Release.Version == version && apimeta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReady) {
				have++
			}
		}
		if took := now.Since(start); took > said+time.Minute {
			said = took
			m.t.Logf("%d of %d servers are Ready with release %s after %s", have, all, version, took.Round(time.Second))
		}
		return have == all, nil
	})
	if err != nil {
		m.t.Fatalf("%d of %d servers are Ready with release %s: %v", have, all, version, err)
	}
	return now.Since(start)
}

// TestServers measures the controllers of a member with many servers: until all are Ready, what they hold, what they write while nothing
// happens, and how long one release takes over all, 10 % of each set at a time. Real: the API server. The system of machines is a table in
// this process, which is measured with it, and releases succeed at once: what is left is the controllers' own.
func TestServers(t *testing.T) {
	Only(t)
	ctrl.SetLogger(logr.Discard())
	m := newVMMember(t)
	count := (*vmServers + *vmSet - 1) / *vmSet
	all := count * *vmSet
	before := m.used()
	m.create(count)
	ready := m.until(all, "1")
	took, tookServer, requests := m.used().since(before, all)
	made, kinds := m.writes.Load(), m.byKind(all)
	firstLooks, _ := looks(t, "server")
	setLooks, _ := looks(t, "vmreplicaset")
	codeLooks, _ := looks(t, "vmdeployment")
	pass(t, 20*time.Second) // what was written is seen

	m.writes.Store(0)
	m.reads.Store(0)
	before = m.used()
	looked, spent := looks(t, "server")
	pass(t, time.Duration(*vmSteady)*time.Second)
	reads := float64(m.reads.Load()) / float64(*vmSteady)
	again, spentThen := looks(t, "server")
	look := time.Duration(0)
	if again > looked {
		look = (spentThen - spent) / time.Duration(again-looked)
	}
	writes := float64(m.writes.Load()) / float64(*vmSteady)
	atRest, atRestServer, _ := m.used().since(before, all)
	cores, coresServer := atRest.Seconds()/float64(*vmSteady), atRestServer.Seconds()/float64(*vmSteady)
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)

	for i := range count {
		code := &v1alpha1.VMDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: fmt.Sprint("set-", i)}}
		body := []byte(`{"spec":{"release":{"version":"2"}}}`)
		if err := m.api.Patch(t.Context(), code, client.RawPatch("application/merge-patch+json", body)); err != nil {
			t.Fatal(err)
		}
	}
	pushed := m.until(all, "2")
	fmt.Fprintf(os.Stdout, "\n### Servers: %d in sets of %d\n\n%s\n\n", all, *vmSet, machine())
	fmt.Fprintf(os.Stdout, "| | |\n|---|---|\n| from nothing to all Ready | %s |\n"+
		"| processor time of that, and of the API server | %s, %s |\n"+
		"| writes a server | %.1f: %s |\n| requests to the API server, a server | %s |\n"+
		"| looks at Servers, sets and VMDeployments, a server | %.1f, %.1f, %.1f |\n",
		ready.Round(time.Second), took.Round(time.Second), tookServer.Round(time.Second), float64(made)/float64(all), kinds, requests,
		float64(firstLooks)/float64(all), float64(setLooks)/float64(all), float64(codeLooks)/float64(all))
	fmt.Fprintf(os.Stdout, "| memory in use, with the system of machines | %d MiB |\n| writes a second while nothing happens | %.1f |\n"+
		"| requests a second that read then | %.1f |\n| looks at Servers then, and how long one takes | %d, %s |\n"+
		"| processors then, and of the API server | %.2f, %.2f |\n| another release on all | %s |\n",
		memory.HeapInuse>>20, writes, reads, again-looked, look.Round(time.Microsecond), cores, coresServer, pushed.Round(time.Second))
	if made := m.system.Made(); made != all {
		t.Errorf("%d machines were made for %d servers", made, all)
	}
	if all > serversAim {
		return
	}
	if ready > serversReady {
		t.Errorf("all are Ready after %s, the aim with %d is %s", ready, serversAim, serversReady)
	}
	if memory.HeapInuse > serversHeap {
		t.Errorf("%d MiB are in use, the aim with %d is %d", memory.HeapInuse>>20, serversAim, serversHeap>>20)
	}
	if writes > serversWrites {
		t.Errorf("%.1f writes a second while nothing happens, the aim with %d is %.1f", writes, serversAim, serversWrites)
	}
}
