package bench

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	karmadaautoscaling "github.com/karmada-io/karmada/pkg/apis/autoscaling/v1alpha1"
	"github.com/karmada-io/karmada/pkg/controllers/cronfederatedhpa"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/cronhpa"
	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/test/lab"
)

const (
	// timetables is how many come due in one second.
	timetables = 10_000
	// writers is how many requests of one client are under way at once: CronHPA's default concurrency.
	writers = 32
)

// cronBench is one API server with the targets, for one controller after the other.
type cronBench struct {
	t      *testing.T
	config *rest.Config
	scheme *kruntime.Scheme
	client client.Client
	clock  clock.Clock
}

// cronFigures are what one controller did.
type cronFigures struct {
	lateness             []time.Duration
	heap                 uint64
	goroutines           int
	idleCPU              time.Duration
	idleRequests, writes int64
}

// idleFor is how long a controller with nothing due is watched.
const idleFor = 20 * time.Second

// TestCronHPADueInOneSecond lets 10,000 timetables come due at once against a real API server, ours and Karmada's own
// CronFederatedHPA on the same Deployments. The API server, etcd and the controller share the machine.
func TestCronHPADueInOneSecond(t *testing.T) {
	Only(t)
	b := newCronBench(t)
	ctrl.SetLogger(logr.Discard())
	b.create("Deployment", func(name string) client.Object { return cronTarget(name) })
	floor := b.floor()
	ours := b.measure("CronHPA", func(name, schedule string) client.Object {
		c := &v1alpha1.CronHPA{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
		c.Spec.ScaleTargetRef = cronTargetRef(name)
		c.Spec.Rules = []v1alpha1.CronHPARule{{Name: "out", Schedule: schedule, TargetReplicas: ptr.To[int32](5)}}
		return c
	}, func(mgr ctrl.Manager) error {
		if err := autoscalers.AddIndexes(t.Context(), mgr.GetFieldIndexer()); err != nil {
			return err
		}
		return cronhpa.AddToManager(t.Context(), mgr, cronhpa.Options{Concurrency: writers, Metrics: prometheus.NewRegistry()})
	})
	peer := b.measure("CronFederatedHPA", func(name, schedule string) client.Object {
		c := &karmadaautoscaling.CronFederatedHPA{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
		c.Spec.ScaleTargetRef = cronTargetRef(name)
		c.Spec.Rules = []karmadaautoscaling.CronFederatedHPARule{
			{Name: "out", Schedule: schedule, TimeZone: ptr.To("UTC"), TargetReplicas: ptr.To[int32](7)},
		}
		return c
	}, func(mgr ctrl.Manager) error {
		events := mgr.GetEventRecorderFor("peer") //nolint:staticcheck // SA1019: the recorder the peer takes
		return (&cronfederatedhpa.CronFHPAController{Client: mgr.GetClient(), EventRecorder: events}).SetupWithManager(mgr)
	})
	cronTable(floor, ours, peer).Print(os.Stdout)
}

func cronTable(floor time.Duration, ours, peer cronFigures) Table {
	table := Table{
		Title: fmt.Sprintf("CronHPA: %d timetables due in one second", timetables), Peer: "Karmada's CronFederatedHPA",
		Notes: []string{
			"Lateness: from the due second to the API server's answer to the write of the target's scale. Real kube-apiserver and etcd (which " +
				"waits for the " +
				"disk) on the same cores; the figure is that of all three, and no controller can be faster than the bare writes. Requests: of " +
				"targets and " +
				"results, without events. Heap: after a collection, with every object in the cache, before the firing.",
		},
	}
	at := func(f cronFigures, q float64) time.Duration {
		if len(f.lateness) == 0 {
			return 0
		}
		return f.lateness[int(q*float64(len(f.lateness)-1))]
	}
	for _, q := range []struct {
		name string
		q    float64
	}{{"lateness p50", .5}, {"lateness p99", .99}, {"lateness, the last", 1}} {
		row := Row{
			What: q.name, Ours: at(ours, q.q).Round(10 * time.Millisecond).String(), Peer: at(peer, q.q).Round(10 * time.Millisecond).String(),
		}
		if own := at(ours, q.q); own > 0 {
			row.Ratio = float64(at(peer, q.q)) / float64(own)
		}
		table.Rows = append(table.Rows, row)
	}
	table.Rows = append(table.Rows, Row{
		What: fmt.Sprintf("the %d scales alone, written by a bare client with %d at once", timetables, writers),
		Ours: floor.Round(10 * time.Millisecond).String(),
	})
	count := func(n, m int64) Row {
		return Row{Ours: fmt.Sprint(n), Peer: fmt.Sprint(m), Ratio: float64(m) / float64(max(n, 1))}
	}
	add := func(what string, row Row) {
		row.What = what
		table.Rows = append(table.Rows, row)
	}
	add("targets set", Row{Ours: fmt.Sprint(len(ours.lateness)), Peer: fmt.Sprint(len(peer.lateness))})
	add("requests for all of it", count(ours.writes, peer.writes))
	add("heap", Row{Ours: mib(ours.heap), Peer: mib(peer.heap), Ratio: float64(peer.heap) / float64(ours.heap)})
	add("goroutines", count(int64(ours.goroutines), int64(peer.goroutines)))
	add(fmt.Sprintf("CPU of %.0f s with nothing due", idleFor.Seconds()), Row{
		Ours: ours.idleCPU.Round(time.Millisecond).String(), Peer: peer.idleCPU.Round(time.Millisecond).String(),
		Ratio: float64(peer.idleCPU) / float64(max(ours.idleCPU, 1)),
	})
	add("requests meanwhile", count(ours.idleRequests, peer.idleRequests))
	return table
}

func mib(n uint64) string { return fmt.Sprintf("%d MiB", n>>20) }

func newCronBench(t *testing.T) *cronBench {
	t.Helper()
	b := &cronBench{t: t, scheme: kruntime.NewScheme(), clock: clock.RealClock{}}
	for _, add := range []func(*kruntime.Scheme) error{clientgoscheme.AddToScheme, karmadaautoscaling.Install, v1alpha1.AddToScheme} {
		if err := add(b.scheme); err != nil {
			t.Fatal(err)
		}
	}
	plane := lab.KarmadaPlane()
	plane.Durable = true
	b.config = rest.CopyConfig(lab.StartAPIServer(t, plane).Config)
	b.config.QPS = -1
	var err error
	if b.client, err = client.New(b.config, client.Options{Scheme: b.scheme}); err != nil {
		t.Fatal(err)
	}
	return b
}

func cronTargetRef(name string) autoscalingv2.CrossVersionObjectReference {
	return autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name}
}

func cronTarget(name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](1), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "web:1"}}},
			},
		},
	}
}

// create makes one object for each timetable.
func (b *cronBench) create(what string, object func(name string) client.Object) {
	b.t.Helper()
	took := b.each(func(ctx context.Context, name string) error { return b.client.Create(ctx, object(name)) })
	b.t.Logf("%d objects %s created in %.0f s", timetables, what, took.Seconds())
}

// floor is what the same writes of the targets take without any controller.
func (b *cronBench) floor() time.Duration {
	b.t.Helper()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":3}}`))
	took := b.each(func(ctx context.Context, name string) error {
		return b.client.SubResource("scale").Patch(ctx, cronTarget(name), patch)
	})
	b.t.Logf("%d scales written by a bare client in %v", timetables, took)
	return took
}

// each asks once for each timetable, and measures all of it.
func (b *cronBench) each(ask func(ctx context.Context, name string) error) time.Duration {
	b.t.Helper()
	start := b.clock.Now()
	var next atomic.Int64
	var failed atomic.Value
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for i := next.Add(1); i <= timetables && failed.Load() == nil; i = next.Add(1) {
				if err := ask(b.t.Context(), fmt.Sprintf("t%05d", i)); err != nil {
					failed.Store(err)
				}
			}
		})
	}
	group.Wait()
	if err := failed.Load(); err != nil {
		b.t.Fatal(err)
	}
	return b.clock.Since(start)
}

// measure runs one controller: create, let it settle, watch it idle, then the second in which everything is due.
func (b *cronBench) measure(what string, object func(name, schedule string) client.Object, add func(ctrl.Manager) error) cronFigures {
	t := b.t
	t.Helper()
	// Creating and settling 10,000 objects takes about half a minute, the idle span 20 s.
	due := b.clock.Now().UTC().Add(150 * time.Second).Truncate(time.Minute)
	b.create(what, func(name string) client.Object { return object(name, due.Format("4 15 2 1 *")) })

	seen := &counter{clock: b.clock, due: due}
	ctx, cancel := context.WithCancel(t.Context())
	var stopped sync.WaitGroup
	defer stopped.Wait()
	defer cancel()
	mgr, err := ctrl.NewManager(b.config, ctrl.Options{
		Scheme: b.scheme, Metrics: metricsserver.Options{BindAddress: "0"}, NewClient: seen.newClient,
	})
	if err == nil {
		err = add(mgr)
	}
	if err != nil {
		t.Fatal(err)
	}
	stopped.Go(func() {
		if err := mgr.Start(ctx); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	})
	b.await("the controller to settle", 3*time.Minute, seen.quiet())
	var figures cronFigures
	figures.idleCPU, figures.idleRequests = b.idle(seen)
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	figures.heap, figures.goroutines = memory.HeapAlloc, runtime.NumGoroutine()
	if left := due.Sub(b.clock.Now()); left < 2*time.Second {
		t.Fatalf("%s: settled only %v before the firing: the machine is too busy to measure", what, left)
	}
	before := seen.requests.Load()
	// A controller that loses firings would never reach the number: what it set by then is the figure.
	b.await("every target to be set", due.Sub(b.clock.Now())+90*time.Second, func() bool { return seen.set() >= timetables })
	b.await("the results to be written", 2*time.Minute, seen.quiet())
	figures.lateness, figures.writes = seen.sorted(), seen.requests.Load()-before
	if n := len(figures.lateness); n > 0 {
		t.Logf("%s: %d of %d targets set, p50 %v, p99 %v, last %v; heap %s, %d goroutines; idle: %v CPU and %d requests in %v", what, n,
			timetables,
			figures.lateness[n/2], figures.lateness[n*99/100], figures.lateness[n-1], mib(figures.heap), figures.goroutines,
			figures.idleCPU, figures.idleRequests, idleFor)
	}
	return figures
}

func (b *cronBench) await(what string, within time.Duration, done func() bool) {
	err := wait.PollUntilContextTimeout(b.t.Context(), 500*time.Millisecond, within, true,
		func(context.Context) (bool, error) { return done(), nil })
	if err != nil {
		b.t.Logf("gave up waiting for %s after %s", what, within)
	}
}

// idle is the CPU time of this process, controller included, and its requests while nothing is due.
func (b *cronBench) idle(seen *counter) (time.Duration, int64) {
	requests, cpu, start := seen.requests.Load(), cpuTime(), b.clock.Now()
	b.await("the idle span to pass", idleFor+time.Second, func() bool { return b.clock.Since(start) >= idleFor })
	return cpuTime() - cpu, seen.requests.Load() - requests
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// counter sees every request of a controller that is not served from its cache.
type counter struct {
	clock    clock.Clock
	due      time.Time
	requests atomic.Int64

	mu       sync.Mutex
	lateness []time.Duration
}

func (c *counter) newClient(config *rest.Config, options client.Options) (client.Client, error) {
	inner, err := client.NewWithWatch(config, options)
	if err != nil {
		return nil, err
	}
	return interceptor.NewClient(inner, interceptor.Funcs{
		SubResourceGet: func(ctx context.Context, inner client.Client, sub string, o, body client.Object,
			opts ...client.SubResourceGetOption) error {
			c.requests.Add(1)
			return inner.SubResource(sub).Get(ctx, o, body, opts...)
		},
		SubResourcePatch: func(ctx context.Context, inner client.Client, sub string, o client.Object, p client.Patch,
			opts ...client.SubResourcePatchOption) error {
			return c.written(sub, inner.SubResource(sub).Patch(ctx, o, p, opts...))
		},
		SubResourceUpdate: func(ctx context.Context, inner client.Client, sub string, o client.Object,
			opts ...client.SubResourceUpdateOption) error {
			return c.written(sub, inner.SubResource(sub).Update(ctx, o, opts...))
		},
	}), nil
}

func (c *counter) written(sub string, err error) error {
	c.requests.Add(1)
	if err == nil && sub == "scale" {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.lateness = append(c.lateness, c.clock.Since(c.due))
	}
	return err
}

func (c *counter) set() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.lateness)
}

func (c *counter) sorted() []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(slices.Values(c.lateness))
}

// quiet is true once a second and a half passed without a request, some having been made.
func (c *counter) quiet() func() bool {
	last, still := int64(-1), 0
	return func() bool {
		if now := c.requests.Load(); now != last || now == 0 {
			last, still = now, 0
			return false
		}
		still++
		return still >= 3
	}
}
