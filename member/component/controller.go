package component

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/internal/retry"
	"github.com/argosy-dev/argosy/member/component/decide"
	"github.com/argosy-dev/argosy/member/component/shard"
)

// +kubebuilder:rbac:groups=component.luojilab.com,resources=components;componenttemplates,verbs=get;list;watch
// +kubebuilder:rbac:groups=component.luojilab.com,resources=components/status,verbs=get;patch
// +kubebuilder:rbac:groups=component.luojilab.com,resources=components/finalizers,verbs=update
// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets,verbs=get;list;watch;create;update;patch;delete
// +kubebuilder:rbac:groups="",resources=services;configmaps;serviceaccounts,verbs=get;list;watch;create;update;patch;delete
// +kubebuilder:rbac:groups=networking.k8s.io,resources=ingresses,verbs=get;list;watch;create;update;patch;delete
// +kubebuilder:rbac:groups=autoscaling,resources=horizontalpodautoscalers,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=pods,verbs=list
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch

// byComponent is the index of rendered objects by the Component they name.
const byComponent = "argosy.component"

// Reconciler makes Components act.
type Reconciler struct {
	// cache knows Components, templates and what was rendered; reader asks the API server itself.
	cache, reader client.Reader
	writer        client.Client
	recorder      record.EventRecorder
	clock         clock.PassiveClock
	measures      *measures
	// namespace of the cluster's values and of copies of the templates.
	namespace string
	// id of this controller among those that share the cluster, and where their Leases are; nil: there are no others.
	id       string
	election *Election
	// confirmed are the Components that are surely this controller's: their UIDs by their keys.
	confirmed sync.Map
	// current is set once the cache was seen to hold the templates and values that are stored.
	current atomic.Bool
	mu      sync.Mutex
	others  shard.Observed
}

// DefaultControllerID is the controller that has every Component that names none.
const DefaultControllerID = shard.DefaultID

// Options of the controller.
type Options struct {
	// Concurrency is how many Components are worked on at once.
	Concurrency int
	// Namespace of the ConfigMap with the cluster's values, and of copies of the templates: the program's own.
	Namespace string
	// ID of this controller among those that share the cluster; empty is DefaultControllerID.
	ID string
	// Election says where their Leases are; nil: there are no others.
	Election *Election
	// Clock is the wall clock; nil is this machine's.
	Clock clock.PassiveClock
	// Metrics takes the metrics; nil is controller-runtime's registry.
	Metrics prometheus.Registerer
}

// AddToManager lets mgr run the controller while it leads; its cache should be that of Cache.
func AddToManager(ctx context.Context, mgr manager.Manager, options Options) error {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	if options.Metrics == nil {
		options.Metrics = metrics.Registry
	}
	r := &Reconciler{
		id: cmp.Or(options.ID, DefaultControllerID), election: options.Election, others: shard.Observed{},
		cache: mgr.GetClient(), reader: mgr.GetAPIReader(), writer: mgr.GetClient(), clock: options.Clock, namespace: options.Namespace,
		recorder: program.Events(mgr, "argosy-component"), measures: newMeasures(),
	}
	if err := r.measures.register(options.Metrics); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	if err := errors.Join(indexHosts(ctx, mgr), indexTargets(ctx, mgr)); err != nil {
		return err
	}
	build := builder.ControllerManagedBy(mgr).Named("component").
		For(&v1alpha1.Component{}, builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, predicate.LabelChangedPredicate{},
			predicate.Funcs{UpdateFunc: granted}, predicate.Funcs{UpdateFunc: passed}))).
		// What a wave says of itself in a template's status changes no Component.
		Watches(&v1alpha1.ComponentTemplate{}, handler.EnqueueRequestsFromMapFunc(r.all),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.all), builder.WithPredicates(predicate.NewPredicateFuncs(r.isValues))).
		Watches(&networkingv1.Ingress{}, handler.EnqueueRequestsFromMapFunc(r.freed), builder.WithPredicates(frees())).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: options.Concurrency, RateLimiter: retry.Limiter(),
		})
	for _, kind := range kinds() {
		err := mgr.GetFieldIndexer().IndexField(ctx, kind.newObject(), byComponent, func(o client.Object) []string {
			if name := o.GetLabels()[v1alpha1.LabelComponent]; name != "" {
				return []string{name}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("indexing %ss by Component: %w", kind.gvk.Kind, err)
		}
		build = build.Watches(kind.newObject(), handler.EnqueueRequestsFromMapFunc(named))
	}
	if err := build.Complete(r); err != nil {
		return fmt.Errorf("building the controller of Components: %w", err)
	}
	if err := (&waves{Reconciler: r}).add(mgr); err != nil {
		return fmt.Errorf("building the controller of waves: %w", err)
	}
	return nil
}

// granted is true where a wave has come to the Component.
func granted(e event.UpdateEvent) bool {
	before, after := e.ObjectOld.(*v1alpha1.Component).Status.TemplateRevision, e.ObjectNew.(*v1alpha1.Component).Status.TemplateRevision
	return after != nil && after.Name != after.Applied && (before == nil || before.Name != after.Name)
}

// passed is true where another owns the Component, or asks for it.
func passed(e event.UpdateEvent) bool {
	before, after := e.ObjectOld.(*v1alpha1.Component).Status, e.ObjectNew.(*v1alpha1.Component).Status
	return before.ControllerID != after.ControllerID || before.NextControllerID != after.NextControllerID
}

// named is the Component that a rendered object names, whether or not it owns it still.
func named(_ context.Context, object client.Object) []reconcile.Request {
	name := object.GetLabels()[v1alpha1.LabelComponent]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: object.GetNamespace(), Name: name}}}
}

func (r *Reconciler) isValues(object client.Object) bool {
	return object.GetNamespace() == r.namespace && object.GetName() == v1alpha1.ClusterValuesName
}

// all Components: a template or a value may speak of any. Those whose bytes do not change cost a rendering and no request.
func (r *Reconciler) all(ctx context.Context, _ client.Object) []reconcile.Request {
	list := &v1alpha1.ComponentList{}
	if err := r.cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "Listing Components")
		return nil
	}
	out := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return out
}

// Reconcile brings one Component's objects in place and says how it is.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	component := &v1alpha1.Component{}
	if err := r.cache.Get(ctx, request.NamespacedName, component); err != nil {
		if apierrors.IsNotFound(err) {
			r.confirmed.Delete(request.NamespacedName)
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if component.DeletionTimestamp != nil {
		// The garbage collector deletes what it owns.
		r.confirmed.Delete(request.NamespacedName)
		return reconcile.Result{}, nil
	}
	result, err := r.atPlace(ctx, component)
	if apierrors.IsConflict(err) || errors.Is(err, errBehind) {
		log.FromContext(ctx).V(1).Info("Trying again on newer objects", "reason", err.Error())
		return reconcile.Result{RequeueAfter: lookSoon}, nil
	}
	return result, err
}

// atPlace acts on a Component that is this controller's.
func (r *Reconciler) atPlace(ctx context.Context, component *v1alpha1.Component) (reconcile.Result, error) {
	place, err := r.place(ctx, component)
	if err != nil || !place.acts {
		return reconcile.Result{RequeueAfter: place.again}, err
	}
	return r.handle(ctx, component)
}

const (
	// lookSoon is for what the cache does not show yet.
	lookSoon = 500 * time.Millisecond
	// lookLater is the first look at copies that do not serve: pods are not watched, for they are many.
	lookLater = 2 * time.Second
	// lookRarely is the last: a trouble that has lasted is looked at ever more rarely.
	lookRarely = time.Minute
)

func (r *Reconciler) handle(ctx context.Context, component *v1alpha1.Component) (reconcile.Result, error) {
	in, err := r.gather(ctx, component)
	if err != nil {
		return reconcile.Result{}, err
	}
	steps := decide.Decide(in)
	if !steps.Nothing() {
		if ours, err := r.confirm(ctx, component); err != nil || !ours {
			return reconcile.Result{RequeueAfter: lookSoon}, err
		}
	}
	out := &decide.Outcome{Steps: steps, Live: maps.Clone(in.Live), Now: r.clock.Now()}
	failed := r.apply(ctx, in, steps, out)
	if failed != nil && apierrors.IsConflict(failed) {
		return reconcile.Result{}, failed
	}
	out.Failed = failed
	if out.Pods, err = r.pods(ctx, in, out); err != nil {
		return reconcile.Result{}, errors.Join(failed, err)
	}
	status := decide.Status(in, out)
	if cmp.Or(component.Labels[v1alpha1.LabelControllerID], DefaultControllerID) == r.id {
		status.NextControllerID = "" // whoever asked is no longer wanted
	}
	if err := r.writeStatus(ctx, component, status); err != nil {
		return reconcile.Result{}, errors.Join(failed, err)
	}
	if failed != nil {
		return reconcile.Result{}, failed
	}
	var pause time.Duration
	if in.Canary != nil {
		pause = in.Canary.Again
	}
	return reconcile.Result{RequeueAfter: r.again(&status, steps, pause)}, nil
}

// pods of a workload that do not serve, as many as it takes to tell why.
func (r *Reconciler) pods(ctx context.Context, in *decide.Input, out *decide.Outcome) ([]corev1.Pod, error) {
	selector, missing := decide.Missing(in, out.Live[in.Workload()])
	if !missing {
		return nil, nil
	}
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil, fmt.Errorf("reading the selector of %s: %w", in.Workload(), err)
	}
	var pods []corev1.Pod
	for next, more := "", true; more && len(pods) < enoughPods; more = next != "" {
		list := &corev1.PodList{}
		err = r.reader.List(ctx, list, client.InNamespace(in.Component.Namespace), client.MatchingLabelsSelector{Selector: parsed},
			client.Limit(100), client.Continue(next))
		if err != nil {
			return nil, fmt.Errorf("listing the pods of %s: %w", in.Workload(), err)
		}
		// They come by their names: those of a change may all be behind a hundred that serve.
		pods = append(pods, slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool { return decide.Serves(&pod) })...)
		next = list.Continue
	}
	return pods, nil
}

// enoughPods that do not serve tell why others do not.
const enoughPods = 20

func (r *Reconciler) writeStatus(ctx context.Context, component *v1alpha1.Component, status v1alpha1.ComponentStatus) error {
	before := component.Status
	if equality.Semantic.DeepEqual(before, status) {
		return nil
	}
	base := component.DeepCopy()
	changed := component.DeepCopy()
	changed.Status = status
	if err := r.writer.Status().Patch(ctx, changed, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("writing status of Component: %w", err))
	}
	r.tell(component, before.Conditions, status.Conditions)
	return nil
}

// again is when to look the next time at what no watched object tells of.
//
// pause is what is left of a canary's; 0: none.
func (r *Reconciler) again(status *v1alpha1.ComponentStatus, steps decide.Steps, pause time.Duration) time.Duration {
	if len(steps.Blocked) > 0 {
		return lookRarely
	}
	rendered := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionRendered)
	if rendered != nil && rendered.Reason == v1alpha1.ReasonApplyRefused {
		return lookRarely
	}
	since, waits := decide.Waits(status)
	if !waits {
		return pause
	}
	again := lookLater
	if !since.IsZero() {
		again = min(max(r.clock.Since(since.Time)/4, lookLater), lookRarely)
	}
	if pause > 0 {
		return min(again, pause)
	}
	return again
}
