package scalein

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/internal/conditions"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/internal/retry"
	"github.com/argosy-dev/argosy/internal/text"
)

// +kubebuilder:rbac:groups=apps.argosy.dev,resources=podscaleins,verbs=get;list;watch;patch;delete
// +kubebuilder:rbac:groups=apps.argosy.dev,resources=podscaleins/status,verbs=patch
// +kubebuilder:rbac:groups=apps.kruise.io,resources=clonesets,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmreplicasets,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=work.karmada.io,resources=resourcebindings,verbs=get;patch
// +kubebuilder:rbac:groups=work.karmada.io,resources=works,verbs=get
// +kubebuilder:rbac:groups=cluster.karmada.io,resources=clusters,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get
// +kubebuilder:rbac:groups=autoscaling.argosy.dev,resources=fedhpas,verbs=get;list;watch
// +kubebuilder:rbac:groups=autoscaling,resources=horizontalpodautoscalers,verbs=get;list;watch
// +kubebuilder:rbac:groups=autoscaling.karmada.io,resources=federatedhpas,verbs=get;list;watch
// +kubebuilder:rbac:groups=keda.sh,resources=scaledobjects,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch

// Members hands out a client for each member cluster.
type Members interface {
	Client(ctx context.Context, cluster string) (client.Client, error)
}

// Reconciler carries out PodScaleIns.
type Reconciler struct {
	// cache knows PodScaleIns and autoscalers; reader asks the API server itself.
	cache, reader client.Reader
	writer        client.Client
	members       Members
	keda          *autoscalers.ScaledObjects
	recorder      record.EventRecorder
	lasting       conditions.Lasting
	clock         clock.Clock
	measures      *measures
}

// Options of the controller.
type Options struct {
	// Concurrency is how many orders are worked on at once.
	Concurrency int
	// Members reaches the member clusters.
	Members Members
	// Clock is the wall clock; nil is this machine's.
	Clock clock.Clock
	// Metrics takes the metrics; nil is controller-runtime's registry.
	Metrics prometheus.Registerer
}

// AddToManager lets mgr run the controller while it leads. The cache needs the indexes of package autoscalers.
func AddToManager(mgr manager.Manager, options Options) error {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	if options.Metrics == nil {
		options.Metrics = metrics.Registry
	}
	r := &Reconciler{
		cache: mgr.GetClient(), reader: mgr.GetAPIReader(), writer: mgr.GetClient(), members: options.Members,
		recorder: program.Events(mgr, "podscalein"), clock: options.Clock, measures: newMeasures(),
		keda: &autoscalers.ScaledObjects{Cache: mgr.GetCache()},
	}
	if err := r.measures.register(options.Metrics); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	err := builder.ControllerManagedBy(mgr).Named("podscalein").
		For(&v1alpha1.PodScaleIn{}).
		WatchesRawSource(r.membersThatComeBack(mgr)).
		WithOptions(controller.Options{MaxConcurrentReconciles: options.Concurrency, RateLimiter: retry.Limiter()}).
		Complete(r)
	if err != nil {
		return err
	}
	if err := mgr.Add(scaledObjectsStart{mgr: mgr, known: r.keda}); err != nil {
		return err
	}
	for _, kind := range []followed{cloneSets(), virtualMachineSets()} {
		follows := adopter{Reconciler: r, followed: kind, waits: &conditions.Lasting{}}
		if err := mgr.Add(adopterStart{mgr: mgr, adopter: follows, options: options}); err != nil {
			return err
		}
	}
	return nil
}

const (
	// lookSoon lies between two looks at an order at work. What it waits for happens in Karmada and in members, whose
	// objects are not watched for the sake of a few orders.
	lookSoon = 500 * time.Millisecond
	// lookLater is for what may take long: a member that cannot be reached, an order past its time.
	lookLater = 10 * time.Second
	// lookRarely is for what only a person can change.
	lookRarely = time.Minute
	// lookRarest is for an order that failed long ago.
	lookRarest = 30 * time.Minute
)

// Reconcile does the next step of one order.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	order := &v1alpha1.PodScaleIn{}
	if err := r.cache.Get(ctx, request.NamespacedName, order); err != nil {
		r.lasting.Forget(request.NamespacedName)
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if left, ended := r.kept(order); ended && !notAhead(order.Status.DeepCopy(), r.clock.Now()) {
		return r.clear(ctx, order, left)
	}
	if err := r.reader.Get(ctx, request.NamespacedName, order); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	var result reconcile.Result
	err := r.rightStamps(ctx, order)
	if err == nil {
		result, err = r.handle(ctx, order)
	}
	if apierrors.IsConflict(err) {
		log.FromContext(ctx).V(1).Info("Trying again on newer objects", "reason", err.Error())
		return reconcile.Result{RequeueAfter: lookSoon}, nil
	}
	return result, err
}

func (r *Reconciler) handle(ctx context.Context, order *v1alpha1.PodScaleIn) (reconcile.Result, error) {
	if order.Status.CompletionTime != nil {
		if err := r.finish(ctx, order); err != nil {
			return reconcile.Result{}, err
		}
		left, _ := r.kept(order)
		return r.clear(ctx, order, left)
	}
	if order.DeletionTimestamp == nil && !controllerutil.ContainsFinalizer(order, v1alpha1.PodScaleInFinalizer) {
		base := order.DeepCopy()
		controllerutil.AddFinalizer(order, v1alpha1.PodScaleInFinalizer)
		if err := r.writer.Patch(ctx, order, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})); err != nil {
			return reconcile.Result{}, fmt.Errorf("adding finalizer: %w", err)
		}
	}
	seen, err := r.gather(ctx, order)
	if err != nil {
		return reconcile.Result{}, err
	}
	s := next(seen.facts)
	// A new plan is written before what follows from it, everything else after: so the status never runs ahead.
	if s.do == lowerBinding || s.do == announce {
		if err := r.writeStatus(ctx, seen.facts, s); err != nil {
			return reconcile.Result{}, err
		}
	}
	if err := r.apply(ctx, seen, s); err != nil {
		return reconcile.Result{}, err
	}
	if err := r.writeStatus(ctx, seen.facts, s); err != nil {
		return reconcile.Result{}, err
	}
	if s.do != nothing {
		log.FromContext(ctx).Info("Did a step of a scale-in", "podScaleIn", klog.KObj(order), "phase", s.phase, "reason", s.reason)
	}
	if s.done {
		if err := r.finish(ctx, order); err != nil {
			return reconcile.Result{}, err
		}
		left, _ := r.kept(order)
		return r.clear(ctx, order, left)
	}
	return reconcile.Result{RequeueAfter: again(seen.facts, s)}, nil
}

// again is when to look at an order the next time, at the latest. One that failed is looked at ever more rarely: a member that
// comes back wakes it.
func again(f facts, s step) time.Duration {
	switch {
	case s.phase == v1alpha1.PhaseFailed:
		return max(lookLater, min(f.now.Sub(f.startTime().Add(f.timeout()))/10, lookRarest))
	case s.reason == v1alpha1.ReasonMemberUnreachable:
		return lookLater
	}
	return lookSoon
}

func (r *Reconciler) writeStatus(ctx context.Context, f facts, s step) error {
	before, after := f.order.Status, settle(f, s)
	if equality.Semantic.DeepEqual(before, after) {
		r.tellLasting(f, s, nil)
		return nil
	}
	base := f.order.DeepCopy()
	f.order.Status = after
	if err := r.writer.Status().Patch(ctx, f.order, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("writing status of PodScaleIn: %w", err)
	}
	var told []string
	if news(before, after) {
		told = append(told, s.reason)
		r.recorder.Event(f.order, kindOf(s.phase), s.reason, text.Cut(s.message, longestEvent))
	}
	r.tellLasting(f, s, told)
	// One that failed goes on being followed, and may succeed after all.
	if s.done && after.Phase != v1alpha1.PhaseFailed || after.Phase == v1alpha1.PhaseFailed && before.Phase != v1alpha1.PhaseFailed {
		r.measures.ended(after, f.now)
	}
	return nil
}

// tellLasting tells of what an order has waited for so long that somebody may ask. What ended was told when it did.
func (r *Reconciler) tellLasting(f facts, s step, told []string) {
	key := client.ObjectKeyFromObject(f.order)
	if s.done || s.phase == v1alpha1.PhaseFailed {
		r.lasting.Forget(key)
		return
	}
	untold, _ := r.lasting.Look(key, f.order.Status.Conditions, told, f.now)
	for _, one := range untold {
		r.recorder.Event(f.order, kindOf(s.phase), one.Reason, text.Cut(one.Type+": "+one.Message, longestEvent))
	}
}

// finish tidies up after an ended order and lets it go.
func (r *Reconciler) finish(ctx context.Context, order *v1alpha1.PodScaleIn) error {
	if !controllerutil.ContainsFinalizer(order, v1alpha1.PodScaleInFinalizer) {
		return nil
	}
	seen := gathered{facts: facts{order: order, now: r.clock.Now()}}
	if err := r.gatherTemplate(ctx, &seen); err != nil {
		return err
	}
	if seen.template != nil {
		if err := r.gatherBinding(ctx, &seen); err != nil {
			return err
		}
	}
	if leftover(seen.facts) {
		if err := r.tidy(ctx, seen); err != nil {
			return err
		}
	}
	base := order.DeepCopy()
	controllerutil.RemoveFinalizer(order, v1alpha1.PodScaleInFinalizer)
	if err := r.writer.Patch(ctx, order, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("removing finalizer: %w", err))
	}
	return nil
}
