package pools

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/retry"
	"github.com/argosy-dev/argosy/member/vm/balance"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/pool"
)

// +kubebuilder:rbac:groups=vm.argosy.dev,resources=servers,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=servers/status,verbs=patch
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmreplicasets,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch

// Options of the controller.
type Options struct {
	// Concurrency is how many pools are worked on at once.
	Concurrency int
	// Drivers by the name that spec.loadBalancers[].driver bears.
	Drivers map[string]balance.Driver
	// Period is how often a pool is asserted anew: a load balancer that restarted has lost what it was told.
	Period time.Duration
	// Clock is the wall clock; nil is this machine's.
	Clock clock.PassiveClock
	// Metrics takes the metrics; nil is controller-runtime's registry.
	Metrics prometheus.Registerer
}

// Key is what one reconcile is about: a pool that Servers of a namespace name, or a Server that is to be let go.
type Key struct {
	Namespace, Driver, Pool string
	// Server that is being deleted; empty: the pool is meant.
	Server string
}

// Reconciler keeps pools.
type Reconciler struct {
	Options
	// cache knows Servers and sets; live asks the API server itself.
	cache, live client.Reader
	member      control.Identity
	writer      client.Client
	recorder    record.EventRecorder
	requests    *prometheus.CounterVec
}

// New is for tests that call Reconcile themselves.
func New(options Options, with control.Means) *Reconciler {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	return &Reconciler{
		Options: options, cache: with.Cache, live: with.Live, writer: with.Writer, recorder: with.Recorder, requests: newRequests(),
	}
}

// AddToManager lets mgr run the controller while it leads.
func AddToManager(mgr manager.Manager, options Options) error {
	r := New(options, control.MeansOf(mgr, "argosy-pools"))
	if options.Metrics == nil {
		options.Metrics = metrics.Registry
	}
	if err := options.Metrics.Register(r.requests); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	return builder.TypedControllerManagedBy[Key](mgr).Named("pool").
		Watches(&v1alpha1.Server{}, handler.TypedEnqueueRequestsFromMapFunc(keys)).
		WithOptions(controller.TypedOptions[Key]{
			MaxConcurrentReconciles: options.Concurrency, RateLimiter: retry.LimiterOf[Key](),
		}).Complete(r)
}

// keys that a Server has to do with, as it is and as it was before.
func keys(_ context.Context, o client.Object) []Key {
	server, ok := o.(*v1alpha1.Server)
	if !ok {
		return nil
	}
	var out []Key
	for _, key := range pool.Keys(server) {
		out = append(out, Key{Namespace: server.Namespace, Driver: key.Driver, Pool: key.Pool})
	}
	if leaves(server) {
		out = append(out, Key{Namespace: server.Namespace, Server: server.Name})
	}
	return out
}

// lookSoon is for what the cache does not show yet.
const lookSoon = 200 * time.Millisecond

// Reconcile brings one pool to what its servers' tasks ask for.
func (r *Reconciler) Reconcile(ctx context.Context, key Key) (reconcile.Result, error) {
	var wake time.Time
	var err error
	if key.Server != "" {
		err = r.free(ctx, key)
	} else {
		wake, err = r.handle(ctx, key)
	}
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		log.FromContext(ctx).V(1).Info("Trying again on newer Servers", "reason", err.Error())
		return reconcile.Result{RequeueAfter: lookSoon}, nil
	case errors.Is(err, balance.ErrInvalid), errors.Is(err, balance.ErrNoPool):
		// A person has to change something; the records say what.
		log.FromContext(ctx).V(1).Info("A pool is not what it should be", "reason", err.Error())
	case err != nil:
		return reconcile.Result{}, err
	}
	if wake.IsZero() {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{RequeueAfter: max(wake.Sub(r.Clock.Now()), time.Millisecond)}, nil
}

// handle one pool: what is to come in is on record before the pool is asked, and what it shows afterwards.
func (r *Reconciler) handle(ctx context.Context, key Key) (time.Time, error) {
	in, err := r.gather(ctx, key)
	if err != nil || len(in.Servers) == 0 && r.Drivers[key.Driver] == nil {
		return time.Time{}, err
	}
	out := pool.Decide(in)
	driver := r.Drivers[key.Driver]
	if driver == nil {
		return time.Time{}, r.writeRecords(ctx, in, out, unconfigured(key.Driver, r.Drivers))
	}
	where := balance.Pool{Namespace: key.Namespace, Name: key.Pool, Owner: "vm.argosy.dev/" + key.Namespace}
	if where.Cluster, err = r.member.Of(ctx, r.live); err != nil {
		return time.Time{}, err
	}
	if err := r.intend(ctx, in, out); err != nil {
		return time.Time{}, err
	}
	shows := r.bring(ctx, driver, where, key, out)
	if err := r.writeRecords(ctx, in, out, shows); err != nil {
		return time.Time{}, err
	}
	wake := in.Now.Add(r.Period)
	if len(in.Servers) == 0 {
		wake = time.Time{} // nobody names it any more
	} else if !out.Wake.IsZero() && out.Wake.Before(wake) {
		wake = out.Wake
	}
	return wake, errors.Join(shows.told, shows.err)
}

// bring the pool to what it should be, and look at it.
func (r *Reconciler) bring(ctx context.Context, driver balance.Driver, where balance.Pool, key Key, out pool.Output) shown {
	told := driver.Ensure(ctx, where, out.Members())
	r.count(key.Driver, "ensure", told)
	seen, err := driver.Observe(ctx, where)
	r.count(key.Driver, "observe", err)
	return shown{seen: bySeen(seen), told: told, err: err}
}
