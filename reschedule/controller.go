package reschedule

import (
	"context"
	"fmt"
	"sync"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/internal/retry"
	"github.com/argosy-dev/argosy/reschedule/decide"
)

// fieldManager of what we write.
const fieldManager = "argosy-reschedule"

// settling is how long after a start every binding that lacks replicas is looked at at once: what began before is not known.
const settling = time.Minute

// Members hands out a client for each member cluster.
type Members interface {
	Client(ctx context.Context, cluster string) (client.Client, error)
}

// Estimator knows how many more replicas fit a member; ok is false when it does not know.
type Estimator interface {
	Free(ctx context.Context, cluster string, binding *workv1alpha2.ResourceBinding) (replicas int32, ok bool)
}

// Options of the controller.
type Options struct {
	Config    config.Reschedule
	Members   Members
	Estimator Estimator
	// Deaf says that Estimator knows nothing by configuration: what is said of it then names the setting.
	Deaf bool
	// Clock is the wall clock; nil is this machine's.
	Clock clock.Clock
	// Metrics takes the metrics.
	Metrics prometheus.Registerer
}

// Controller looks at bindings that lack replicas.
type Controller struct {
	// cache knows bindings, Clusters and Argosy's kinds; reader asks the API server itself.
	cache, reader client.Reader
	writer        client.Client
	members       Members
	estimator     Estimator
	events        record.EventRecorder
	clock         clock.Clock
	cfg           config.Reschedule
	measures      *measures
	ledger        *ledger
	descheduler   descheduler
	// refused and answered are what members' namespaces tell of all workloads there.
	refused  shared[[]corev1.Pod]
	answered shared[map[types.UID]time.Time]
	// limit bounds what estimators are asked, and deaf is true where none is.
	limit flowcontrol.RateLimiter
	deaf  bool

	mu      sync.Mutex
	started time.Time
	// due is when a binding that lacks replicas is looked at.
	due map[types.NamespacedName]time.Time
	// said is what was last said of a binding, and when; unshown that the gauges do not show it yet.
	said    map[types.NamespacedName]saying
	unshown bool
}

// AddToManager lets mgr run the controller while it leads.
func AddToManager(ctx context.Context, mgr manager.Manager, options Options) error {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	c := &Controller{
		cache: mgr.GetClient(), reader: mgr.GetAPIReader(), writer: mgr.GetClient(), members: options.Members, estimator: options.Estimator,
		events: program.Events(mgr, mark.RescheduleSource), clock: options.Clock, cfg: options.Config, measures: newMeasures(),
		ledger: &ledger{own: map[types.NamespacedName]decide.Memory{}}, due: map[types.NamespacedName]time.Time{},
		said: map[types.NamespacedName]saying{}, deaf: options.Deaf,
		limit: flowcontrol.NewTokenBucketRateLimiter(questionsPerSecond, questionsBurst),
	}
	if err := c.measures.register(options.Metrics); err != nil {
		return fmt.Errorf("registering metrics of rescheduling: %w", err)
	}
	if err := mgr.GetFieldIndexer().IndexField(ctx, &workv1alpha2.ResourceBinding{}, movedIndex, indexMoved); err != nil {
		return fmt.Errorf("indexing ResourceBindings by their moves: %w", err)
	}
	if err := mgr.Add(manager.RunnableFunc(c.showing)); err != nil {
		return fmt.Errorf("adding the gauges of rescheduling: %w", err)
	}
	return builder.ControllerManagedBy(mgr).Named("reschedule").
		For(&workv1alpha2.ResourceBinding{}, builder.WithPredicates(c.worthALook())).
		WithOptions(controller.Options{MaxConcurrentReconciles: options.Config.Concurrency, RateLimiter: retry.Limiter()}).
		Complete(c)
}

// worthALook lets pass bindings that lack ready replicas, and those that no longer do.
func (c *Controller) worthALook() predicate.Predicate {
	look := func(o client.Object) bool {
		b, ok := o.(*workv1alpha2.ResourceBinding)
		return ok && c.cfg.Covers(b.Namespace) && lacks(b)
	}
	return predicate.Funcs{
		CreateFunc:  func(e event.CreateEvent) bool { return look(e.Object) },
		UpdateFunc:  func(e event.UpdateEvent) bool { return look(e.ObjectNew) || look(e.ObjectOld) },
		DeleteFunc:  func(e event.DeleteEvent) bool { return look(e.Object) },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// +kubebuilder:rbac:groups=work.karmada.io,resources=resourcebindings,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=cluster.karmada.io,resources=clusters,verbs=get;list;watch
// +kubebuilder:rbac:groups=policy.karmada.io,resources=propagationpolicies;clusterpropagationpolicies,verbs=get
// +kubebuilder:rbac:groups=autoscaling.argosy.dev,resources=fedhpas;cronhpas,verbs=get;list;watch
// +kubebuilder:rbac:groups=apps.argosy.dev,resources=podscaleins,verbs=get;list;watch
// +kubebuilder:rbac:groups=release.argosy.dev,resources=releases,verbs=get;list;watch
// +kubebuilder:rbac:groups=migration.argosy.dev,resources=migrations,verbs=get;list;watch
// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets;replicasets,verbs=get
// +kubebuilder:rbac:groups=apps.kruise.io,resources=clonesets;statefulsets,verbs=get
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmreplicasets;vmdeployments,verbs=get
// +kubebuilder:rbac:groups=component.luojilab.com,resources=components,verbs=get
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,resourceNames=karmada-descheduler,verbs=get
// +kubebuilder:rbac:groups="",resources=secrets;services,verbs=get
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch

// Reconcile looks at one binding when it is due.
func (c *Controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	known := &workv1alpha2.ResourceBinding{}
	err := c.cache.Get(ctx, request.NamespacedName, known)
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("reading ResourceBinding %s: %w", request, err)
	}
	if err != nil || !lacks(known) {
		c.forget(request.NamespacedName)
		return reconcile.Result{}, nil
	}
	if left := c.untilDue(request.NamespacedName); left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	after, err := c.look(ctx, request.NamespacedName)
	if apierrors.IsConflict(err) {
		log.FromContext(ctx).V(1).Info("Looking again at a newer binding", "reason", err.Error())
		return reconcile.Result{RequeueAfter: time.Second}, nil
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due[request.NamespacedName] = c.clock.Now().Add(after)
	return reconcile.Result{RequeueAfter: after}, nil
}

// untilDue is how long a binding waits for its look: from when it was first seen to lack replicas as long as its pods must have waited.
func (c *Controller) untilDue(key types.NamespacedName) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.Now()
	if c.started.IsZero() {
		c.started = now
	}
	due, known := c.due[key]
	if !known {
		due = now
		if now.Sub(c.started) >= settling {
			due = now.Add(seconds(c.cfg.UnschedulableSeconds))
		}
		c.due[key] = due
	}
	// A clock that was set back must not make it longer.
	return min(due.Sub(now), seconds(c.cfg.UnschedulableSeconds)+lookLongest)
}

// lookLongest is the longest a decision waits but for cool-downs.
const lookLongest = time.Hour

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

// look gathers, decides and applies.
func (c *Controller) look(ctx context.Context, key types.NamespacedName) (time.Duration, error) {
	seen, err := c.gather(ctx, key)
	if err != nil {
		return 0, err
	}
	if seen == nil {
		c.forget(key)
		return lookLongest, nil
	}
	seen.world.Full = c.before(key).full
	c.askRoom(ctx, seen, c.before(key).turn)
	decision, undo, err := c.claim(ctx, key, seen)
	if err != nil {
		return 0, err
	}
	if decision.Targets != nil {
		if err := c.write(ctx, seen.binding, decision, undo); err != nil {
			return 0, err
		}
		c.measures.wrote(decision)
		log.FromContext(ctx).Info("Moved replicas", "binding", klog.KObj(seen.binding), "verdict", decision.Verdict, "reason", decision.Message)
	}
	c.say(key, seen, decision)
	if decision.After == 0 {
		// It lacks replicas still: a pod that is refused from now on has waited for long enough then.
		return seconds(c.cfg.UnschedulableSeconds), nil
	}
	return decision.After, nil
}

// claim decides, and notes in the ledger what it takes; undo takes that back. Whoever was noted in between keeps what they took: it decides
// anew then, by what it was answered already.
func (c *Controller) claim(ctx context.Context, key types.NamespacedName, seen *gathered) (decide.Decision, func(), error) {
	for {
		noted, err := c.promises(ctx, key, seen)
		if err != nil {
			return decide.Decision{}, nil, err
		}
		seen.world.Now = c.clock.Now()
		decision := decide.Next(seen.world)
		if decision.Verdict == decide.NoRoom || decision.Reason == decide.ReasonUnheard {
			if decision, err = c.widen(ctx, seen, decision); err != nil {
				return decide.Decision{}, nil, err
			}
		}
		if decision.Targets == nil {
			return decision, nil, nil
		}
		if undo, ok := c.ledger.note(noted, key, *decision.Memory); ok {
			return decision, undo, nil
		}
	}
}

// before is what was last decided of a binding.
func (c *Controller) before(key types.NamespacedName) saying {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said[key]
}

// forget a binding that lacks nothing, or is gone.
func (c *Controller) forget(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.due, key)
	if _, known := c.said[key]; known {
		delete(c.said, key)
		c.unshown = true
	}
}

// showEvery lies between two counts of what was decided of all bindings for the gauges. Counted at each look, ten thousand that wait would
// be counted ten thousand times in a round.
const showEvery = 5 * time.Second

// showing keeps the gauges, while mgr leads.
func (c *Controller) showing(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.clock.After(showEvery):
			c.show()
		}
	}
}

func (c *Controller) show() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unshown {
		c.measures.show(c.said)
		c.unshown = false
	}
}

var _ reconcile.Reconciler = &Controller{}
