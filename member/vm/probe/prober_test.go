package probe

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

func port(t *testing.T, address string) int32 {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return int32(n)
}

// running prober, and of whom it has told since it was last asked that.
func running(t *testing.T) (p *Prober, told func() []string) {
	t.Helper()
	var mu sync.Mutex
	names := sets.New[string]()
	p = New(Options{Tell: func(name types.NamespacedName) {
		mu.Lock()
		defer mu.Unlock()
		names.Insert(name.Name)
	}})
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = p.Start(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-gone
	})
	return p, func() []string {
		mu.Lock()
		defer mu.Unlock()
		defer names.Clear()
		return sets.List(names)
	}
}

func target(name, epoch string, check v1alpha1.HealthCheck) Target {
	check.PeriodSeconds, check.TimeoutSeconds, check.FailureThreshold, check.StartupSeconds = 1, 1, 1, ptr.To[int32](0)
	return Target{
		UID: types.UID(name), Name: types.NamespacedName{Name: name}, Set: types.NamespacedName{Name: name}, Address: "127.0.0.1",
		Check: &check, Epoch: epoch, Verdict: NotKnown,
	}
}

// TestKindsOfProbes: each kind of check asks what it says, of real servers, and hears that they fail.
func TestKindsOfProbes(t *testing.T) {
	var sick atomic.Bool
	web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sick.Load() || r.URL.Path != "/healthz" {
			http.Error(w, "no", http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(web.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rpc, answers := grpc.NewServer(), health.NewServer()
	grpc_health_v1.RegisterHealthServer(rpc, answers)
	answers.SetServingStatus("shop", grpc_health_v1.HealthCheckResponse_SERVING)
	go func() { _ = rpc.Serve(listener) }()
	t.Cleanup(rpc.Stop)
	open, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = open.Close() })

	p, told := running(t)
	g := gomega.NewWithT(t)
	g.SetDefaultEventuallyTimeout(time.Minute)
	targets := map[string]Target{
		"http": target("http", "1", v1alpha1.HealthCheck{HTTPGet: &v1alpha1.HTTPGetCheck{
			Path: "/healthz", Port: port(t, web.Listener.Addr().String()), Scheme: "HTTPS",
		}}),
		"tcp":  target("tcp", "1", v1alpha1.HealthCheck{TCPSocket: &v1alpha1.TCPSocketCheck{Port: port(t, open.Addr().String())}}),
		"grpc": target("grpc", "1", v1alpha1.HealthCheck{GRPC: &v1alpha1.GRPCCheck{Port: port(t, listener.Addr().String()), Service: "shop"}}),
	}
	for name, one := range targets {
		g.Eventually(func() Verdict { return p.Watch(one).Verdict }).Should(gomega.Equal(Healthy), name)
	}
	told()
	sick.Store(true)
	answers.SetServingStatus("shop", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	g.Expect(open.Close()).To(gomega.Succeed())
	heard := sets.New[string]()
	g.Eventually(func() []string { return sets.List(heard.Insert(told()...)) }).Should(gomega.Equal([]string{"grpc", "http", "tcp"}))
	for name, one := range targets {
		// What it told of may have been that one did not answer in time before.
		g.Eventually(func() Verdict { return p.Watch(one).Verdict }).Should(gomega.Equal(Unhealthy), name)
		opinion := p.Watch(one)
		g.Expect(opinion.Blind).To(gomega.BeEmpty(), name)
		g.Expect(opinion.Message).To(gomega.ContainSubstring("127.0.0.1:"), name)
	}
}

// TestUpElsewhere: a server that was up and is somewhere else now, or is asked otherwise, is not coming up: its failures count at once. One
// that is coming up has its time.
func TestUpElsewhere(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	check := v1alpha1.HealthCheck{TCPSocket: &v1alpha1.TCPSocketCheck{Port: port(t, closed.Addr().String())}}
	g := gomega.NewWithT(t)
	g.SetDefaultEventuallyTimeout(time.Minute)
	p, _ := running(t)
	watch := func(name, epoch string, up bool) Verdict {
		one := target(name, epoch, check)
		one.Check.StartupSeconds, one.Up = ptr.To[int32](3600), up
		return p.Watch(one).Verdict
	}
	for _, name := range []string{"up", "new"} {
		g.Eventually(func() Verdict { return watch(name, "here", false) }).Should(gomega.Equal(Healthy))
	}
	g.Expect(closed.Close()).To(gomega.Succeed())
	g.Eventually(func() Verdict { return watch("up", "there", true) }).Should(gomega.Equal(Unhealthy))
	g.Consistently(func() Verdict { return watch("new", "there", false) }, 2*time.Second).Should(gomega.Equal(NotKnown))
}

// TestAnotherEpoch: what was seen of a release says nothing of the next, and who is forgotten is asked no more.
func TestAnotherEpoch(t *testing.T) {
	var asked atomic.Int64
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(web.Close)
	p, _ := running(t)
	g := gomega.NewWithT(t)
	g.SetDefaultEventuallyTimeout(time.Minute)
	check := v1alpha1.HealthCheck{HTTPGet: &v1alpha1.HTTPGetCheck{Path: "/", Port: port(t, web.Listener.Addr().String())}}
	g.Eventually(func() Verdict { return p.Watch(target("a", "1", check)).Verdict }).Should(gomega.Equal(Healthy))
	g.Expect(p.Watch(target("a", "2", check)).Verdict).To(gomega.Equal(NotKnown))
	g.Eventually(func() Verdict { return p.Watch(target("a", "2", check)).Verdict }).Should(gomega.Equal(Healthy))
	p.Forget("a")
	p.Forget("a")
	g.Eventually(func() bool {
		n := asked.Load()
		for range 20 {
			p.wake()
		}
		return asked.Load() == n
	}).Should(gomega.BeTrue())
	now := asked.Load()
	g.Consistently(asked.Load, 2500*time.Millisecond).Should(gomega.BeNumerically("<=", now+1), "one may have been on its way")
	p.mu.Lock()
	defer p.mu.Unlock()
	g.Expect(p.queue).To(gomega.BeEmpty())
	g.Expect(p.sets).To(gomega.BeEmpty())
}

// TestDial: whatever answers at one of the ports is an answer, a refusal too; silence is none, and who answered once is missed.
func TestDial(t *testing.T) {
	open, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = open.Close() })
	shut, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := shut.Close(); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		address string
		ports   []int32
		want    bool
	}{
		"open":    {"127.0.0.1", []int32{port(t, open.Addr().String())}, true},
		"refused": {"127.0.0.1", []int32{port(t, shut.Addr().String())}, true},
		"nowhere": {"fe80::1%nosuch", []int32{22, 80}, false}, // there is no way to it
	} {
		passed, message := dial(tc.address, tc.ports, time.Minute)
		if passed != tc.want || (message == "") != tc.want {
			t.Errorf("%s: %v %q", name, passed, message)
		}
	}
	p, _ := running(t)
	g := gomega.NewWithT(t)
	g.SetDefaultEventuallyTimeout(time.Minute)
	one := target("a", "1", v1alpha1.HealthCheck{TCPSocket: &v1alpha1.TCPSocketCheck{Port: 1}})
	one.Ports = []int32{port(t, open.Addr().String())}
	g.Eventually(func() Verdict { return p.Watch(one).Verdict }).Should(gomega.Equal(Healthy), "Ports are asked, and not what the check asks")
}
