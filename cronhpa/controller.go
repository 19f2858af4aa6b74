package cronhpa

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
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

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/internal/retry"
)

// +kubebuilder:rbac:groups=autoscaling.argosy.dev,resources=cronhpas,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=autoscaling.argosy.dev,resources=cronhpas/status,verbs=patch
// +kubebuilder:rbac:groups=autoscaling.argosy.dev,resources=fedhpas,verbs=get;list;watch
// +kubebuilder:rbac:groups=autoscaling,resources=horizontalpodautoscalers,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=autoscaling.karmada.io,resources=federatedhpas,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=keda.sh,resources=scaledobjects,verbs=get;list;watch
// +kubebuilder:rbac:groups="*",resources="*/scale",verbs=get;patch
// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets;replicasets,verbs=get;list;watch
// +kubebuilder:rbac:groups=apps.kruise.io,resources=clonesets;statefulsets,verbs=get;list;watch
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmreplicasets;vmdeployments,verbs=get;list;watch
// +kubebuilder:rbac:groups=component.luojilab.com,resources=components,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch

// Reconciler applies timetables.
type Reconciler struct {
	client    client.Client
	recorder  record.EventRecorder
	clock     clock.Clock
	wakeups   *wakeups
	unwritten *unwritten
	looks     *looks
	targets   *targets
	keda      *autoscalers.ScaledObjects
	measures  *measures
}

// Options of the controller.
type Options struct {
	// Concurrency is how many CronHPAs are worked on at once.
	Concurrency int
	// Clock is the wall clock; nil is this machine's.
	Clock clock.Clock
	// Client writes; nil is the manager's.
	Client client.Client
	// Metrics takes the metrics; nil is controller-runtime's registry.
	Metrics prometheus.Registerer
}

// AddToManager lets mgr run the controller while it leads.
func AddToManager(ctx context.Context, mgr manager.Manager, options Options) error {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	if options.Client == nil {
		options.Client = mgr.GetClient()
	}
	if options.Metrics == nil {
		options.Metrics = metrics.Registry
	}
	watched, err := newTargets(mgr, options.Clock)
	if err != nil {
		return err
	}
	wakes := newWakeups(options.Clock)
	r := &Reconciler{
		client: options.Client, recorder: program.Events(mgr, "cronhpa"), clock: options.Clock,
		wakeups: wakes, unwritten: newUnwritten(), looks: &looks{wanted: map[types.NamespacedName]bool{}}, targets: watched,
		keda: &autoscalers.ScaledObjects{Cache: mgr.GetCache()}, measures: newMeasures(wakes),
	}
	if err := r.measures.register(options.Metrics); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	if err := AddIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	c, err := builder.ControllerManagedBy(mgr).Named("cronhpa").
		For(&v1alpha1.CronHPA{}).
		WatchesRawSource(wakes).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: options.Concurrency,
			RateLimiter:             retry.Limiter(),
		}).
		Build(r)
	if err != nil {
		return fmt.Errorf("setting up the CronHPA controller: %w", err)
	}
	return r.watchTargets(mgr, c)
}

// retryConflict lies between two tries of a write that met a newer object: the cache has it by then.
const retryConflict = 200 * time.Millisecond

// Reconcile handles what is due for one CronHPA.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	cron := &v1alpha1.CronHPA{}
	if err := r.client.Get(ctx, request.NamespacedName, cron); err != nil {
		r.forget(request.NamespacedName)
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	var err error
	if cron.DeletionTimestamp != nil {
		r.forget(request.NamespacedName)
		err = r.finalize(ctx, cron)
	} else {
		err = r.handle(ctx, cron)
	}
	if apierrors.IsConflict(err) {
		log.FromContext(ctx).V(1).Info("Trying again on a newer object", "reason", err.Error())
		return reconcile.Result{RequeueAfter: retryConflict}, nil
	}
	return reconcile.Result{}, err
}

// forget an object that nothing will be done for any more.
func (r *Reconciler) forget(key types.NamespacedName) {
	r.wakeups.set(key, time.Time{})
	r.unwritten.forget(key)
	r.looks.forget(key)
}

// handle gathers, decides, applies and writes what came of it.
func (r *Reconciler) handle(ctx context.Context, cron *v1alpha1.CronHPA) error {
	if done, d, ok := r.unwritten.of(cron); ok {
		return r.conclude(ctx, attempt{
			seen: observation{cron: cron, now: done.now, target: done.target}, decision: d, outcome: done.outcome, appliedAt: done.at,
		})
	}
	calendars, err := CalendarsOf(ctx, r.targets.cache, cron)
	if err != nil {
		return err
	}
	now := r.clock.Now()
	d := decide(cron, calendars, now)
	key := client.ObjectKeyFromObject(cron)
	d.look = r.looks.take(key)
	tried, done, err := r.attempt(ctx, cron, d, now)
	if err != nil {
		// What was to be looked at has not been told yet.
		r.looks.want(key)
		return err
	}
	if done {
		return nil
	}
	return r.conclude(ctx, tried)
}

// attempt reads the target and sets it. It is done when the result is to be written in the next turn.
func (r *Reconciler) attempt(ctx context.Context, cron *v1alpha1.CronHPA, d decision, now time.Time) (tried attempt, done bool, err error) {
	tried.decision = d
	if tried.seen, err = r.gather(ctx, cron, d, now); err != nil {
		return tried, false, err
	}
	firing := d.plan.Apply
	if firing == nil {
		tried.outcome, err = r.hold(ctx, tried.seen)
		return tried, false, err
	}
	rule := d.rules[firing.Rule].spec
	if tried.outcome, err = r.apply(ctx, tried.seen, rule); err != nil {
		return tried, false, fmt.Errorf("applying rule %s: %w", rule.Name, err)
	}
	tried.appliedAt = r.clock.Now()
	if tried.outcome.replicas == nil || tried.outcome.problem != nil {
		return tried, false, nil
	}
	r.unwritten.keep(cron, applied{
		firing: *firing, now: now, calendars: d.calendars, target: tried.seen.target, outcome: tried.outcome, at: tried.appliedAt,
	})
	r.wakeups.set(client.ObjectKeyFromObject(cron), now)
	return tried, true, nil
}

// attempt is a reconcile whose target, if one was due, has been written.
type attempt struct {
	seen      observation
	decision  decision
	outcome   outcome
	appliedAt time.Time
}

// conclude writes the result and tells it.
func (r *Reconciler) conclude(ctx context.Context, a attempt) error {
	cron := a.seen.cron
	status, events := settle(a.seen, a.decision, a.outcome)
	if err := r.writeStatus(ctx, cron, status); err != nil {
		return err
	}
	key := client.ObjectKeyFromObject(cron)
	wake := a.decision.wakeAt(a.seen.now, troubles{
		failed:    a.outcome.problem != nil,
		targetBad: !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.CronHPATargetScalable),
		unwatched: a.seen.target.unwatched, holdAgain: a.outcome.holdAgain,
	})
	if a.seen.target.unwatched || !a.outcome.holdAgain.IsZero() {
		r.looks.want(key)
	}
	r.wakeups.set(key, wake)
	if len(a.decision.plan.Due) > 0 {
		r.measures.observe(a.decision, a.outcome, a.appliedAt)
	}
	tell(r.recorder, cron, events)
	if firing := a.decision.plan.Apply; firing != nil && a.outcome.problem == nil {
		log.FromContext(ctx).Info("Applied a rule", "cronHPA", klog.KObj(cron), "rule", a.decision.rules[firing.Rule].spec.Name,
			"due", firing.At, "targetKind", cron.Spec.ScaleTargetRef.Kind, "targetName", cron.Spec.ScaleTargetRef.Name)
	}
	return nil
}

// writeStatus is the one status patch. The resourceVersion in it refuses a status derived from an older object.
func (r *Reconciler) writeStatus(ctx context.Context, cron *v1alpha1.CronHPA, status v1alpha1.CronHPAStatus) error {
	if equality.Semantic.DeepEqual(cron.Status, status) {
		return nil
	}
	base := cron.DeepCopy()
	cron.Status = status
	err := r.client.Status().Patch(ctx, cron, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{}))
	if err != nil {
		return fmt.Errorf("writing status of CronHPA: %w", err)
	}
	return nil
}

// finalize puts an autoscaler's own bounds back before the CronHPA goes.
func (r *Reconciler) finalize(ctx context.Context, cron *v1alpha1.CronHPA) error {
	if !controllerutil.ContainsFinalizer(cron, v1alpha1.CronHPARestoreFinalizer) {
		return nil
	}
	restored, err := r.restore(ctx, cron)
	if apierrors.IsConflict(err) {
		return err
	}
	if err != nil {
		tell(r.recorder, cron, []event{{v1alpha1.CronHPAReasonBoundsRestoreError, fmt.Sprintf(
			"%v; tried again. To let this CronHPA go without: set the bounds by hand (status.originalBounds) and remove the finalizer %s",
			err, v1alpha1.CronHPARestoreFinalizer)}})
		return err
	}
	base := cron.DeepCopy()
	controllerutil.RemoveFinalizer(cron, v1alpha1.CronHPARestoreFinalizer)
	if err := r.client.Patch(ctx, cron, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("removing finalizer from CronHPA: %w", err))
	}
	if restored {
		tell(r.recorder, cron, []event{{v1alpha1.CronHPAReasonBoundsRestored, fmt.Sprintf(
			"%s %s has its own bounds back", cron.Spec.ScaleTargetRef.Kind, cron.Spec.ScaleTargetRef.Name)}})
	}
	return nil
}
