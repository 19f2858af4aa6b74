package bench

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/test/fedhpaplane"
)

const (
	fedhpas       = 1000
	fedhpaMembers = 3
	fedhpaIdle    = 30 * time.Second
	// pace spreads the change of every workload's load over the time in which autoscalers look once.
	pace = 15 * time.Second
)

// fedhpaFleet is a thousand workloads over three members, on a real API server.
type fedhpaFleet struct {
	t     *testing.T
	clock clock.Clock
	plane *fedhpaplane.Plane
	apps  []fedhpaplane.App
	// patience is how long each phase of making the fleet may take.
	patience time.Duration
	// members are the API servers a controller may ask beside the control plane.
	members []*rest.Config
}

// fedhpaCost is what one side cost.
type fedhpaCost struct {
	// idle: nothing changes. change: the load of each workload changed once.
	idle, change spent
	idleFor      time.Duration
	heap         uint64
	goroutines   int
	reactions    Latencies
	reacted      int
}

// spent is what was used in a span of time.
type spent struct {
	// plane are requests to the control plane, members those to members.
	plane, members int64
	// process is this process's CPU, servers that of the API servers.
	process, servers time.Duration
}

func (s spent) cpu() time.Duration { return s.process + s.servers }

// TestFedHPACost measures what a thousand autoscaled workloads over three members cost the control plane, at rest and while the load of
// each changes once: FedHPA, then Karmada's own FederatedHPA controller on the same API server and the same workloads.
func TestFedHPACost(t *testing.T) {
	Only(t)
	plane, err := fedhpaplane.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plane.Close)
	ctrl.SetLogger(logr.Discard())
	f := &fedhpaFleet{t: t, clock: clock.RealClock{}, plane: plane, patience: 5 * time.Minute}
	f.build()
	ours := f.measureFedHPA()
	peer := f.measureFederatedHPA()
	fedhpaTable(ours, peer).Print(os.Stdout)
	if p99 := ours.reactions.At(.99); p99 > 10*time.Second {
		t.Errorf("p99 from a member's word to true books is %s, the aim is 10 s", p99)
	}
	if perMinute := perMinute(ours.idle.plane, ours.idleFor); perMinute > fedhpas/10 {
		t.Errorf("%.0f requests a minute at rest for %d FedHPAs, the aim is near none", perMinute, fedhpas)
	}
}

func fedhpaTable(ours, peer fedhpaCost) Table {
	rate := func(what string, of func(fedhpaCost) int64) Row {
		a, b := perMinute(of(ours), ours.idleFor), perMinute(of(peer), peer.idleFor)
		return Row{What: what, Ours: fmt.Sprintf("%.0f", a), Peer: fmt.Sprintf("%.0f", b), Ratio: b / max(a, 1)}
	}
	cores := func(what string, of func(spent) time.Duration) Row {
		a, b := of(ours.idle).Seconds()/ours.idleFor.Seconds(), of(peer.idle).Seconds()/peer.idleFor.Seconds()
		return Row{What: what, Ours: fmt.Sprintf("%.3f cores", a), Peer: fmt.Sprintf("%.3f cores", b), Ratio: b / max(a, .001)}
	}
	each := func(what string, of func(fedhpaCost) float64, format string) Row {
		a, b := of(ours), of(peer)
		return Row{What: what, Ours: fmt.Sprintf(format, a), Peer: fmt.Sprintf(format, b), Ratio: b / a}
	}
	rows := []Row{
		rate("at rest: requests to the control plane a minute", func(c fedhpaCost) int64 { return c.idle.plane }),
		rate("at rest: requests to members a minute", func(c fedhpaCost) int64 { return c.idle.members }),
		cores("at rest: CPU of the controller", func(s spent) time.Duration { return s.process }),
		cores("at rest: CPU with the API servers", spent.cpu),
		{What: "heap, all objects cached", Ours: mib(ours.heap), Peer: mib(peer.heap), Ratio: float64(peer.heap) / float64(ours.heap)},
		{
			What: "goroutines", Ours: fmt.Sprint(ours.goroutines), Peer: fmt.Sprint(peer.goroutines),
			Ratio: float64(peer.goroutines) / float64(ours.goroutines),
		},
		each(fmt.Sprintf("%d loads change within %s: requests each, all servers", fedhpas, pace),
			func(c fedhpaCost) float64 { return float64(c.change.plane+c.change.members) / fedhpas }, "%.1f"),
		each("the same: CPU each, controller, API servers and test",
			func(c fedhpaCost) float64 { return c.change.cpu().Seconds() * 1000 / fedhpas }, "%.1f ms"),
	}
	for _, q := range []struct {
		name string
		q    float64
	}{{"p50", .5}, {"p99", .99}} {
		a, b := ours.reactions.At(q.q), peer.reactions.At(q.q)
		rows = append(rows, Row{What: "the same: until the control plane has acted, " + q.name, Ours: a.Round(time.Millisecond).String(),
			Peer:  b.Round(10 * time.Millisecond).String(),
			Ratio: float64(b) / float64(max(a, 1))})
	}
	rows = append(rows, Row{What: "the same: acted upon in time", Ours: fmt.Sprint(ours.reacted), Peer: fmt.Sprint(peer.reacted)})
	return Table{
		Title: fmt.Sprintf("FedHPA: %d over %d members", fedhpas, fedhpaMembers), Peer: "Karmada's FederatedHPA", Rows: rows,
		Notes: []string{
			"Real: kube-apiserver and etcd, every object, both controllers as they ship (FedHPA without estimators; FederatedHPA with its default " +
				"period of 15 s, and no limit on its " +
				"requests to the control plane, where Karmada's default is 40 a second). Played by the test: Karmada's scheduler and binding " +
				"controller, what members report in their Works, " +
				"and for FederatedHPA three members by one more API server, and metrics.k8s.io by stored PodMetrics.",
			"Acted, FedHPA: from a member's report that its own HPA changed the count (it has scaled by then) until ResourceBinding and template " +
				"say so. Acted, FederatedHPA: from the new " +
				"metrics until the template has another count; scheduling, Works and the member's scaling come after. Controllers and test share a " +
				"process; its CPU is theirs together, and nothing but the controller's at rest.",
		},
	}
}

func perMinute(n int64, over time.Duration) float64 { return float64(n) / over.Minutes() }

// each runs do for every app, many at a time.
func (f *fedhpaFleet) each(what string, do func(context.Context, fedhpaplane.App) error) {
	f.t.Helper()
	start := f.clock.Now()
	work := make(chan fedhpaplane.App)
	var wg sync.WaitGroup
	for range 24 {
		wg.Go(func() {
			for app := range work {
				if err := do(f.t.Context(), app); err != nil {
					f.t.Errorf("%s: %s: %v", what, app.Name, err)
				}
			}
		})
	}
	for _, app := range f.apps {
		work <- app
	}
	close(work)
	wg.Wait()
	if f.t.Failed() {
		f.t.FailNow()
	}
	f.t.Logf("%s: %.0f s", what, f.clock.Since(start).Seconds())
}

func (f *fedhpaFleet) build() {
	var clusters []workv1alpha2.TargetCluster
	for i := range fedhpaMembers {
		name := fmt.Sprintf("member%d", i+1)
		clusters = append(clusters, workv1alpha2.TargetCluster{Name: name, Replicas: 2})
		if err := f.plane.Join(f.t.Context(), name); err != nil {
			f.t.Fatal(err)
		}
	}
	for i := range fedhpas {
		f.apps = append(f.apps, fedhpaplane.App{Namespace: "fleet", Name: fmt.Sprintf("app-%04d", i), Clusters: clusters})
	}
	f.each("workloads", f.plane.Propagate)
}

// stopped hands on how controllers are ended.
func (f *fedhpaFleet) stopped(stop func() error, err error) func() {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
	return func() {
		if err := stop(); err != nil {
			f.t.Error(err)
		}
	}
}

func (f *fedhpaFleet) measureFedHPA() fedhpaCost {
	defer f.stopped(f.plane.Run())()
	f.each("FedHPAs", func(ctx context.Context, a fedhpaplane.App) error { return f.plane.Client.Create(ctx, a.FedHPA(3, 60)) })
	f.rounds("labelled", f.deliver)
	f.rounds("first words", f.speak)
	f.rounds("active", f.active)
	return f.cost(func(ctx context.Context, a fedhpaplane.App) error { return f.plane.Report(ctx, a, "member1", 3) },
		// The template is written after the binding.
		func(d *appsv1.Deployment) bool { return *d.Spec.Replicas == 7 }, 2*time.Minute)
}

// deliver plays Karmada once the template says that members own their replicas; it reports whether it did.
func (f *fedhpaFleet) deliver(ctx context.Context, a fedhpaplane.App) (bool, error) {
	var d appsv1.Deployment
	if err := f.plane.Client.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: a.Name}, &d); err != nil {
		return false, err
	}
	if d.Labels[mark.RetainReplicas] != "true" {
		return false, nil
	}
	// After a conflict: in the next round.
	return f.plane.Deliver(ctx, a) == nil && f.plane.Schedule(ctx, a) == nil, nil
}

// speak plays the members once; it reports whether every member's autoscaler was heard.
func (f *fedhpaFleet) speak(ctx context.Context, a fedhpaplane.App) (bool, error) {
	for _, c := range a.Clusters {
		if f.plane.Report(ctx, a, c.Name, c.Replicas) != nil {
			return false, nil // not sent yet
		}
	}
	return true, nil
}

// active confirms what members are sent; it reports whether the FedHPA is active and its books are true.
func (f *fedhpaFleet) active(ctx context.Context, a fedhpaplane.App) (bool, error) {
	if spoken, err := f.speak(ctx, a); err != nil || !spoken {
		return false, err
	}
	if f.plane.Schedule(ctx, a) != nil {
		return false, nil // a conflict: in the next round
	}
	var fed api.FedHPA
	if err := f.plane.Client.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: a.Name}, &fed); err != nil {
		return false, err
	}
	return fed.Status.Phase == api.FedHPAActive && meta.IsStatusConditionTrue(fed.Status.Conditions, api.FedHPABooksAgree), nil
}

// rounds goes over all that are not done, again and again.
func (f *fedhpaFleet) rounds(what string, done func(context.Context, fedhpaplane.App) (bool, error)) {
	f.t.Helper()
	start, all := f.clock.Now(), f.apps
	defer func() { f.apps = all }()
	for len(f.apps) > 0 {
		if f.clock.Since(start) > f.patience {
			f.t.Fatalf("%s: %d of %d are not done after %s", what, len(f.apps), len(all), f.clock.Since(start))
		}
		var mu sync.Mutex
		var left []fedhpaplane.App
		f.each(what, func(ctx context.Context, a fedhpaplane.App) error {
			ok, err := done(ctx, a)
			if !ok {
				mu.Lock()
				defer mu.Unlock()
				left = append(left, a)
			}
			return err
		})
		f.apps = left
		f.rest(time.Second)
	}
}

// cost lets the controller come to rest, watches it resting, then changes the load of every workload and waits until each is acted upon.
func (f *fedhpaFleet) cost(change func(context.Context, fedhpaplane.App) error, acted func(*appsv1.Deployment) bool,
	within time.Duration) fedhpaCost {
	f.t.Helper()
	c := fedhpaCost{idleFor: fedhpaIdle}
	f.rest(20 * time.Second)
	c.idle = f.measure(func() { f.rest(fedhpaIdle) })
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	c.heap, c.goroutines = memory.HeapAlloc, runtime.NumGoroutine()
	c.change = f.measure(func() { c.reactions = f.changeAll(change, acted, within) })
	c.reacted = len(c.reactions)
	return c
}

func (f *fedhpaFleet) rest(d time.Duration) {
	select {
	case <-f.clock.After(d):
	case <-f.t.Context().Done():
	}
}

// changeAll changes every workload's load once, spread over the pace, and returns how long each took until its template was as acted wants
// it. One watch sees them all: a thousand askers would be the load that is measured.
func (f *fedhpaFleet) changeAll(change func(context.Context, fedhpaplane.App) error, acted func(*appsv1.Deployment) bool,
	within time.Duration) Latencies {
	ctx, cancel := context.WithTimeout(f.t.Context(), pace+within)
	defer cancel()
	c, err := client.NewWithWatch(f.plane.Config, client.Options{Scheme: f.plane.Client.Scheme()})
	f.must(err)
	events, err := c.Watch(ctx, &appsv1.DeploymentList{}, client.InNamespace("fleet"))
	f.must(err)
	defer events.Stop()
	var starts sync.Map
	for i, a := range f.apps {
		go func() {
			f.rest(pace * time.Duration(i) / fedhpas)
			starts.Store(a.Name, f.clock.Now())
			if err := change(ctx, a); err != nil && ctx.Err() == nil {
				f.t.Errorf("%s: %v", a.Name, err)
			}
		}()
	}
	var out Latencies
	seen := map[string]bool{}
	for event := range events.ResultChan() {
		d, ok := event.Object.(*appsv1.Deployment)
		if !ok || seen[d.Name] || !acted(d) {
			continue
		}
		start, started := starts.Load(d.Name)
		if !started {
			f.t.Errorf("%s was acted upon before its load changed", d.Name)
			continue
		}
		seen[d.Name] = true
		if out = append(out, f.clock.Since(start.(time.Time))); len(out) == len(f.apps) {
			break
		}
	}
	return out
}
