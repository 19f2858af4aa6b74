package control

import (
	"context"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/internal/retry"
)

// LookSoon is for what the cache does not show yet.
const LookSoon = 200 * time.Millisecond

// Options that every controller has.
type Options struct {
	// Concurrency is how many objects are worked on at once.
	Concurrency int
	// Clock is the wall clock; nil is this machine's.
	Clock clock.PassiveClock
}

// Means are what a controller reads and writes with.
type Means struct {
	// Cache knows the controller's kinds; Live asks the API server itself.
	Cache, Live client.Reader
	Writer      client.Client
	Recorder    record.EventRecorder
}

// MeansOf a manager; events bear the name.
func MeansOf(mgr manager.Manager, name string) Means {
	return Means{Cache: mgr.GetClient(), Live: mgr.GetAPIReader(), Writer: mgr.GetClient(), Recorder: program.Events(mgr, name)}
}

// Kind is one controller's.
type Kind[T client.Object] struct {
	Options
	Cache client.Reader
	// New object of the kind.
	New func() T
	// Handle one, and say when to look again; zero: never.
	Handle func(context.Context, T) (time.Time, error)
	// Known remembers whom there was, and Forget is told of one that is there no more, however it went; nil: nobody keeps anything.
	Known  *Known
	Forget func(types.UID)
}

// Reconcile one object. A conflict is no failure: there is a newer one.
func (k Kind[T]) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	object := k.New()
	err := k.Cache.Get(ctx, request.NamespacedName, object)
	switch {
	case apierrors.IsNotFound(err):
		k.forget(request.NamespacedName, "")
		return reconcile.Result{}, nil
	case err != nil:
		return reconcile.Result{}, err
	}
	k.forget(request.NamespacedName, object.GetUID())
	wake, err := k.Handle(ctx, object)
	switch {
	case apierrors.IsNotFound(err) && k.Forget != nil:
		k.forget(request.NamespacedName, "")
		return reconcile.Result{}, nil
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		log.FromContext(ctx).V(1).Info("Trying again on newer objects", "reason", err.Error())
		return reconcile.Result{RequeueAfter: LookSoon}, nil
	case err != nil || wake.IsZero():
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: max(wake.Sub(k.Now()), time.Millisecond)}, nil
}

// forget who bore the name, unless it is the one that does now.
func (k Kind[T]) forget(name types.NamespacedName, now types.UID) {
	if k.Forget == nil {
		return
	}
	if gone := k.Known.replace(name, now); gone != "" {
		k.Forget(gone)
	}
}

// Known are the objects that were looked at, by their names: of one that is gone there is nothing left but its name to go by. The zero
// value knows nobody.
type Known struct {
	mu   sync.Mutex
	uids map[types.NamespacedName]types.UID
}

// replace the bearer of a name, by nobody where the UID is empty, and give back the one before, if that was another.
func (k *Known) replace(name types.NamespacedName, now types.UID) (gone types.UID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	was := k.uids[name]
	switch {
	case was == now:
		return ""
	case now == "":
		delete(k.uids, name)
	case k.uids == nil:
		k.uids = map[types.NamespacedName]types.UID{name: now}
	default:
		k.uids[name] = now
	}
	return was
}

// Now by the clock of the options.
func (o Options) Now() time.Time { return o.PassiveClock().Now() }

// PassiveClock of the options.
func (o Options) PassiveClock() clock.PassiveClock {
	if o.Clock == nil {
		return clock.RealClock{}
	}
	return o.Clock
}

// Builder of the controller in mgr, named for metrics; its further watches are the caller's.
func (k Kind[T]) Builder(mgr manager.Manager, name string) *builder.Builder {
	return builder.ControllerManagedBy(mgr).Named(name).For(k.New()).WithOptions(controller.Options{
		MaxConcurrentReconciles: k.Concurrency, RateLimiter: retry.Limiter(),
	})
}

// Specs has a watch of another kind tell of what people write alone, and of what comes and goes. The status of a set is written whenever
// anything happens to any of its Servers: were they all looked at then, the looks would grow with the square of their number.
func Specs() predicate.Predicate { return predicate.GenerationChangedPredicate{} }

// Calls has objects looked at about which somebody else heard something.
type Calls struct {
	mu    sync.Mutex
	queue workqueue.TypedRateLimitingInterface[reconcile.Request]
}

// Tell of an object: it is looked at, once there is a queue.
func (c *Calls) Tell(name types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.queue != nil {
		c.queue.Add(reconcile.Request{NamespacedName: name})
	}
}

// Source for a controller's raw watch.
func (c *Calls) Source() source.Source {
	return source.Func(func(_ context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.queue = q
		return nil
	})
}
