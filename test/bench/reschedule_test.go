package bench

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/estimators"
	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/reschedule"
)

const (
	// moves of 5,000 workloads over 20 members, of which 100 lose nodes.
	rescheduleBindings, rescheduleMembers, rescheduleWaiting = 5_000, 20, 100
	// rescheduleThreshold is how long a pod must have waited; the peer walks as often.
	rescheduleThreshold = 10 * time.Second
	rescheduleIdle      = 30 * time.Second
)

// rescheduleCost is what one side cost.
type rescheduleCost struct {
	rest, round rescheduleSpent
	// took is from the first pod that waits to the last binding that was written.
	took time.Duration
	heap int64
	// full is a minute in which a hundred wait and nobody has room; of the peer there is none: it does not ask.
	full rescheduleSpent
}

// rescheduleSpent are requests, questions to estimators, and processor time of this process, the fake estimator's among it.
type rescheduleSpent struct {
	plane, members, questions int64
	cpu                       time.Duration
}

// TestReschedule measures what a hundred workloads that wait, of 5,000 Deployments over 20 members, cost, and what the others cost at rest:
// rescheduling, and karmada-descheduler as it ships on the same API server. Real: kube-apiserver and etcd, two of them for the members,
// and gRPC. The test plays Karmada, the members' controllers and the estimators, which answer at once.
func TestReschedule(t *testing.T) {
	Only(t)
	ctrl.SetLogger(logr.Discard())
	f := newRescheduleFleet(t)
	ours := f.ours()
	f.reset()
	peer := f.peer()
	each := func(what string, of func(rescheduleCost) int64) Row {
		a, b := of(ours), of(peer)
		return Row{What: what, Ours: fmt.Sprint(a), Peer: fmt.Sprint(b), Ratio: float64(b) / float64(max(a, 1))}
	}
	cpu := func(what string, of func(rescheduleCost) time.Duration) Row {
		a, b := of(ours), of(peer)
		return Row{What: what, Ours: a.Round(time.Millisecond).String(), Peer: b.Round(time.Millisecond).String(),
			Ratio: b.Seconds() / max(a.Seconds(), .001)}
	}
	Table{
		Title: fmt.Sprintf("Rescheduling: %d of %d workloads over %d members lose nodes", rescheduleWaiting, rescheduleBindings,
			rescheduleMembers),
		Peer: "karmada-descheduler",
		Rows: []Row{
			each(fmt.Sprintf("at rest, %s: requests to the control plane", rescheduleIdle), func(c rescheduleCost) int64 { return c.rest.plane }),
			each("at rest: questions to estimators", func(c rescheduleCost) int64 { return c.rest.questions }),
			cpu("at rest: processor time", func(c rescheduleCost) time.Duration { return c.rest.cpu }),
			each("a round: requests to the control plane", func(c rescheduleCost) int64 { return c.round.plane }),
			each("a round: requests to members", func(c rescheduleCost) int64 { return c.round.members }),
			each("a round: questions to estimators", func(c rescheduleCost) int64 { return c.round.questions }),
			cpu("a round: processor time", func(c rescheduleCost) time.Duration { return c.round.cpu }),
			cpu("from the first that waits to the last write", func(c rescheduleCost) time.Duration { return c.took }),
			{What: "heap, all objects cached", Ours: mib(uint64(ours.heap)), Peer: mib(uint64(peer.heap)),
				Ratio: float64(peer.heap) / float64(ours.heap)},
			{What: "nobody has room, a minute: questions to estimators", Ours: fmt.Sprint(ours.full.questions), Peer: "does not ask"},
			{What: "nobody has room, a minute: requests to the control plane", Ours: fmt.Sprint(ours.full.plane)},
			{What: "nobody has room, a minute: processor time", Ours: ours.full.cpu.Round(time.Millisecond).String()},
		},
		Notes: []string{fmt.Sprintf("Both look for pods that have waited for %s, and the peer walks all bindings that often (by default "+
			"every two minutes). The peer lowers a number, for karmada-scheduler, which is not running, to place; rescheduling has asked for "+
			"room and moves. "+
			"Processor time is that of the process, with the estimators' answers.", rescheduleThreshold)},
	}.Print(os.Stdout)
	if ours.rest.plane > 0 || ours.rest.questions > 0 {
		t.Errorf("at rest %d requests and %d questions, the aim is none", ours.rest.plane, ours.rest.questions)
	}
}

// ours runs rescheduling as its program does.
func (f *rescheduleFleet) ours() rescheduleCost {
	f.Helper()
	section := config.DefaultControllerManager().Controllers
	section.Reschedule.UnschedulableSeconds = int32(rescheduleThreshold.Seconds())
	section.FedHPA.Estimators.Port = estimatorPortOfBench
	kill := fixture.Leader{Config: f.counted(f.plane, &f.planeRequests), Scheme: f.scheme, Namespace: rescheduleNamespace,
		Add: func(ctx context.Context, mgr ctrl.Manager) error {
			asker, err := estimators.New(mgr.GetAPIReader(), section.FedHPA.Estimators, clock.RealClock{})
			if err != nil {
				return err
			}
			return reschedule.AddToManager(ctx, mgr, reschedule.Options{
				Config: section.Reschedule, Members: f, Estimator: asker, Metrics: prometheus.NewRegistry(),
			})
		}}.Start(f.T)
	defer kill()
	out := rescheduleCost{heap: heap()}
	out.rest = f.spend(func() { f.pass(rescheduleIdle) })
	out.round = f.spend(func() {
		out.took = f.lose(func(b *workv1alpha2.ResourceBinding) bool { return b.Spec.Clusters[1].Replicas == 7 })
	})
	f.reset()
	f.free.Store(0)
	f.losing()
	f.pass(20 * time.Second) // each was asked twice
	out.full = f.spend(func() { f.pass(time.Minute) })
	return out
}

// spend measures what do costs.
func (f *rescheduleFleet) spend(do func()) rescheduleSpent {
	plane, members, questions, cpu := f.planeRequests.Load(), f.memberRequests.Load(), f.questions.Load(), cpuTime()
	do()
	return rescheduleSpent{f.planeRequests.Load() - plane, f.memberRequests.Load() - members, f.questions.Load() - questions, cpuTime() - cpu}
}

// pass lets time pass: what is measured is what others do meanwhile.
func (f *rescheduleFleet) pass(span time.Duration) {
	f.Helper()
	select {
	case <-f.clock.After(span):
	case <-f.Context().Done():
	}
}

// lose reports pods that are not ready and waits until each of their bindings was written.
func (f *rescheduleFleet) lose(written func(*workv1alpha2.ResourceBinding) bool) time.Duration {
	f.Helper()
	start := f.clock.Now()
	f.losing()
	left := rescheduleWaiting
	err := wait.PollUntilContextTimeout(f.Context(), 200*time.Millisecond, 3*time.Minute, true, func(ctx context.Context) (bool, error) {
		var list workv1alpha2.ResourceBindingList
		if err := f.api.List(ctx, &list, client.InNamespace(rescheduleNamespace), client.MatchingLabels{"waits": "true"}); err != nil {
			return false, err
		}
		left = 0
		for i := range list.Items {
			if !written(&list.Items[i]) {
				left++
			}
		}
		return left == 0, nil
	})
	if err != nil {
		f.Errorf("%d of %d bindings were not written: %v", left, rescheduleWaiting, err)
	}
	return f.clock.Since(start)
}

// losing says of the waiting workloads that two of five are not ready in their first member.
func (f *rescheduleFleet) losing() {
	f.Helper()
	f.parallel(rescheduleWaiting, func(n int) error { return f.report(n, 3) })
}

// reset puts the waiting bindings back as they were.
func (f *rescheduleFleet) reset() {
	f.Helper()
	f.free.Store(10)
	f.parallel(rescheduleWaiting, func(n int) error {
		b := &workv1alpha2.ResourceBinding{}
		if err := f.api.Get(f.Context(), types.NamespacedName{Namespace: rescheduleNamespace, Name: appOf(n) + "-deployment"}, b); err != nil {
			return err
		}
		b.Spec.Clusters[0].Replicas, b.Spec.Clusters[1].Replicas = 5, 5
		for note := range b.Annotations {
			if strings.HasPrefix(note, "reschedule.") {
				delete(b.Annotations, note)
			}
		}
		if err := f.api.Update(f.Context(), b); err != nil {
			return err
		}
		return f.report(n, 5)
	})
}

// Client of a member: the first half are one API server, the second half another.
func (f *rescheduleFleet) Client(_ context.Context, cluster string) (client.Client, error) {
	var n int
	if _, err := fmt.Sscanf(cluster, "member%d", &n); err != nil {
		return nil, err
	}
	return f.members[n/(rescheduleMembers/2)], nil
}

// counted is a way to an API server on which requests are counted, but watches.
func (f *rescheduleFleet) counted(to *rest.Config, into *atomic.Int64) *rest.Config {
	out := rest.CopyConfig(to)
	out.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Query().Get("watch") == "" {
				into.Add(1)
			}
			return next.RoundTrip(r)
		})
	})
	return out
}

type roundTrip func(*http.Request) (*http.Response, error)

func (r roundTrip) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }
