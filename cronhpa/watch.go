package cronhpa

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	karmadaautoscaling "github.com/karmada-io/karmada/pkg/apis/autoscaling/v1alpha1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	runtimeevent "sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	migration "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/internal/served"
)

// retryWatch lies between two tries to watch a kind that argosy-controller-manager may not list.
const retryWatch = 10 * time.Minute

// looks are the CronHPAs whose target is to be looked at again: something about it changed, or this process has not seen it
// yet. It holds no truth, only what to read: whoever starts anew looks at every target once.
type looks struct {
	mu sync.Mutex
	// wanted by object; one that is absent has not been looked at in this process.
	wanted map[types.NamespacedName]bool
}

func (l *looks) want(key types.NamespacedName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wanted[key] = true
}

// take is whether a look is wanted; none is any more afterwards.
func (l *looks) take(key types.NamespacedName) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	wanted, known := l.wanted[key]
	l.wanted[key] = false
	return wanted || !known
}

func (l *looks) forget(key types.NamespacedName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.wanted, key)
}

// targets watches the metadata of workloads, kind by kind as CronHPAs come to name them.
type targets struct {
	// cache holds metadata of workloads, and calendars; reader asks the API server.
	cache  cache.Cache
	reader client.Reader
	clock  clock.PassiveClock
	// start watching a kind.
	start func(*metav1.PartialObjectMetadata) error

	mu sync.Mutex
	// kinds that are watched, and when it was last tried for those that are not.
	kinds map[schema.GroupVersionKind]watchedKind
}

type watchedKind struct {
	watched bool
	tried   time.Time
}

// trim keeps of a workload whose it is, and of all else everything but managedFields.
func trim(object any) (any, error) {
	o, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return cache.TransformStripManagedFields()(object)
	}
	kept := metav1.ObjectMeta{Namespace: o.Namespace, Name: o.Name, UID: o.UID, ResourceVersion: o.ResourceVersion}
	if value, ok := o.Labels[mark.RetainReplicas]; ok {
		kept.Labels = map[string]string{mark.RetainReplicas: value}
	}
	if value, ok := o.Annotations[migration.AnnotationCutOff]; ok {
		kept.Annotations = map[string]string{migration.AnnotationCutOff: value}
	}
	o.ObjectMeta = kept
	return object, nil
}

// newTargets has a cache of its own, in which calendars are as well: nothing of a workload is kept but the label that says who owns its
// replicas, and the mark of one that is cut off.
func newTargets(mgr manager.Manager, clock clock.PassiveClock) (*targets, error) {
	own, err := cache.New(mgr.GetConfig(), cache.Options{
		Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.ConfigMap{}: {Label: labels.SelectorFromSet(labels.Set{v1alpha1.CronHPACalendarLabel: "true"})},
		},
		DefaultTransform: trim,
	})
	if err != nil {
		return nil, fmt.Errorf("building the cache of CronHPA targets: %w", err)
	}
	if err := mgr.Add(own); err != nil {
		return nil, fmt.Errorf("adding the cache of CronHPA targets: %w", err)
	}
	return &targets{cache: own, reader: mgr.GetAPIReader(), clock: clock, kinds: map[schema.GroupVersionKind]watchedKind{}}, nil
}

// seenTarget is what the watch of its kind knows of a workload.
type seenTarget struct {
	// watched: events tell of the target. Of other kinds nothing is known.
	watched bool
	exists  bool
	// retained: each member keeps the replicas it has (Karmada's retain-replicas label).
	retained bool
	// cutOff: a migration's rollback took it out of the federation.
	cutOff bool
}

// look for the target of a CronHPA. Its kind is watched from the first look on, if it may be listed.
func (t *targets) look(ctx context.Context, cron *v1alpha1.CronHPA) (seenTarget, error) {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(reference(cron).GroupVersionKind())
	watched, err := t.watch(ctx, object)
	if err != nil || !watched {
		return seenTarget{}, err
	}
	err = t.cache.Get(ctx, client.ObjectKey{Namespace: cron.Namespace, Name: cron.Spec.ScaleTargetRef.Name}, object)
	if client.IgnoreNotFound(err) != nil {
		return seenTarget{}, fmt.Errorf("reading %s from the cache: %w", cron.Spec.ScaleTargetRef.Kind, err)
	}
	return seenTarget{
		watched: true, exists: err == nil,
		retained: object.Labels[mark.RetainReplicas] == "true", cutOff: object.Annotations[migration.AnnotationCutOff] != "",
	}, nil
}

// tried is whether a kind is watched; known is false where that has not been tried, or not for long.
func (t *targets) tried(kind schema.GroupVersionKind, now time.Time) (watched, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	of, ok := t.kinds[kind]
	return of.watched, ok && (of.watched || now.Sub(of.tried) < retryWatch)
}

func (t *targets) watch(ctx context.Context, object *metav1.PartialObjectMetadata) (bool, error) {
	kind, now := object.GroupVersionKind(), t.clock.Now()
	if watched, known := t.tried(kind, now); known {
		return watched, nil
	}
	// An informer that may not list tries for ever: ask once whether it may. Firings of other kinds do not wait for the answer.
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	err := t.reader.List(ctx, list, client.Limit(1))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kinds[kind].watched {
		return true, nil // somebody else has asked, too
	}
	// A kind may be scaled and not listed, by right or by nature.
	if apierrors.IsForbidden(err) || apierrors.IsMethodNotSupported(err) || apierrors.IsNotFound(err) {
		log.FromContext(ctx).V(1).Info("Not watching a kind of target; its objects are looked at every few minutes", "kind", kind.String(),
			"reason", err.Error())
		t.kinds[kind] = watchedKind{tried: now}
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("listing %s: %w", kind.Kind, err)
	}
	watched := &metav1.PartialObjectMetadata{}
	watched.SetGroupVersionKind(kind)
	if err := t.start(watched); err != nil {
		return false, fmt.Errorf("watching %s: %w", kind.Kind, err)
	}
	t.kinds[kind] = watchedKind{watched: true, tried: now}
	return true, nil
}

// watchTargets lets c hear of workloads of any kind as they are named, and of autoscalers: those that are targets, and those
// that come to own one.
func (r *Reconciler) watchTargets(mgr manager.Manager, c controller.Controller) error {
	r.targets.start = func(object *metav1.PartialObjectMetadata) error {
		kind := object.GroupVersionKind()
		of := func(ctx context.Context, o client.Object) []reconcile.Request {
			return r.aimedAt(ctx, o.GetNamespace(), refTo(kind, o.GetName()))
		}
		return c.Watch(source.Kind[client.Object](r.targets.cache, object, handler.EnqueueRequestsFromMapFunc(of), retainChanged()))
	}
	calendars := source.Kind[client.Object](r.targets.cache, &corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.ofCalendar))
	if err := c.Watch(calendars); err != nil {
		return fmt.Errorf("watching calendars: %w", err)
	}
	for _, object := range []client.Object{&v1alpha1.FedHPA{}, &autoscalingv2.HorizontalPodAutoscaler{}} {
		if err := c.Watch(r.autoscalers(mgr, object)); err != nil {
			return fmt.Errorf("watching %T: %w", object, err)
		}
	}
	if err := c.Watch(source.Kind[client.Object](mgr.GetCache(), &v1alpha1.CronHPA{}, r.siblings())); err != nil {
		return fmt.Errorf("watching CronHPAs that share a target: %w", err)
	}
	federated := schema.FromAPIVersionAndKind(karmadaautoscaling.GroupVersion.String(), "FederatedHPA")
	if err := c.Watch(r.whenServed(mgr, federated, &karmadaautoscaling.FederatedHPA{}, nil)); err != nil {
		return fmt.Errorf("watching FederatedHPA: %w", err)
	}
	if err := c.Watch(r.whenServed(mgr, autoscalers.ScaledObject, autoscalers.NewScaledObject(), &r.keda.Served)); err != nil {
		return fmt.Errorf("watching ScaledObject: %w", err)
	}
	return nil
}

// whenServed watches a kind of autoscaler that karmada-apiserver may not serve, or serve only later. No controller waits for it. What is
// only asked for once it is watched, which watched then says, has been missed until then: every target is looked at again.
func (r *Reconciler) whenServed(mgr manager.Manager, kind schema.GroupVersionKind, object client.Object,
	watched *atomic.Bool) source.Source {
	return source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		go func() {
			err := served.Wait(ctx, mgr, kind, "no CronHPA is told of one")
			watch := r.autoscalers(mgr, object)
			if err == nil {
				err = watch.Start(ctx, queue)
			}
			if err == nil && watched != nil {
				if err = watch.WaitForSync(ctx); err == nil {
					watched.Store(true)
					err = r.lookAtAll(ctx, queue)
				}
			}
			if err != nil && ctx.Err() == nil {
				mgr.GetLogger().Error(err, "Watching an optional kind", "kind", kind.String())
			}
		}()
		return nil
	})
}

// lookAtAll has every CronHPA look at its target.
func (r *Reconciler) lookAtAll(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	var crons v1alpha1.CronHPAList
	if err := r.client.List(ctx, &crons, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing CronHPAs: %w", err)
	}
	for i := range crons.Items {
		key := client.ObjectKeyFromObject(&crons.Items[i])
		r.looks.want(key)
		queue.Add(reconcile.Request{NamespacedName: key})
	}
	return nil
}

// siblings has those look at their target that a CronHPA leaves it to when it goes.
func (r *Reconciler) siblings() handler.EventHandler {
	leaves := func(ctx context.Context, o client.Object, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		ref := o.(*v1alpha1.CronHPA).Spec.ScaleTargetRef
		left := r.aimedAt(ctx, o.GetNamespace(), ref)
		// Whether an HPA and a FedHPA of one name are the same is for the look to find out.
		for _, known := range autoscalers.Kinds() {
			if other := known.Ref(ref.Name); formOf(ref) != workload && other != ref {
				left = append(left, r.aimedAt(ctx, o.GetNamespace(), other)...)
			}
		}
		for _, request := range left {
			queue.Add(request)
		}
	}
	return handler.Funcs{
		UpdateFunc: func(ctx context.Context, e runtimeevent.UpdateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			goes := e.ObjectOld.GetDeletionTimestamp() == nil && e.ObjectNew.GetDeletionTimestamp() != nil
			if goes || e.ObjectOld.GetUID() != e.ObjectNew.GetUID() {
				leaves(ctx, e.ObjectOld, queue)
			}
		},
		DeleteFunc: func(ctx context.Context, e runtimeevent.DeleteEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			leaves(ctx, e.Object, queue)
		},
	}
}

func (r *Reconciler) autoscalers(mgr manager.Manager, object client.Object) source.SyncingSource {
	of := func(ctx context.Context, o client.Object) []reconcile.Request {
		owned, _ := autoscalers.Target(o)
		out := r.aimedAt(ctx, o.GetNamespace(), owned)
		// An HPA and the FedHPA made from it are one: either tells those that aim at the other.
		for _, known := range autoscalers.Kinds() {
			out = append(out, r.aimedAt(ctx, o.GetNamespace(), known.Ref(o.GetName()))...)
		}
		return out
	}
	return source.Kind(mgr.GetCache(), object, handler.EnqueueRequestsFromMapFunc(of), limitsChanged())
}

// aimedAt are the CronHPAs of a target. Each is to look at it again.
func (r *Reconciler) aimedAt(ctx context.Context, namespace string, ref autoscalingv2.CrossVersionObjectReference) []reconcile.Request {
	var crons v1alpha1.CronHPAList
	if err := r.client.List(ctx, &crons, client.InNamespace(namespace), autoscalers.Indexed(ref), client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "Listing CronHPAs of a target", "target", autoscalers.TargetKey(ref))
		return nil
	}
	out := make([]reconcile.Request, 0, len(crons.Items))
	for i := range crons.Items {
		key := client.ObjectKeyFromObject(&crons.Items[i])
		r.looks.want(key)
		out = append(out, reconcile.Request{NamespacedName: key})
	}
	return out
}

func refTo(kind schema.GroupVersionKind, name string) autoscalingv2.CrossVersionObjectReference {
	apiVersion, what := kind.ToAPIVersionAndKind()
	return autoscalingv2.CrossVersionObjectReference{APIVersion: apiVersion, Kind: what, Name: name}
}

// retainChanged lets pass that a workload came, went, changed the owner of its replicas, or was cut off or adopted again.
func retainChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e runtimeevent.UpdateEvent) bool {
		return e.ObjectOld.GetUID() != e.ObjectNew.GetUID() ||
			e.ObjectOld.GetLabels()[mark.RetainReplicas] != e.ObjectNew.GetLabels()[mark.RetainReplicas] || cutOffChanged(e)
	}}
}

func cutOffChanged(e runtimeevent.UpdateEvent) bool {
	said := func(object client.Object) bool {
		fed, ok := object.(*v1alpha1.FedHPA)
		ready := ok && meta.FindStatusCondition(fed.Status.Conditions, v1alpha1.FedHPAReady) != nil
		return ready && meta.FindStatusCondition(fed.Status.Conditions, v1alpha1.FedHPAReady).Reason == v1alpha1.FedHPAReasonCutOff
	}
	return e.ObjectOld.GetAnnotations()[migration.AnnotationCutOff] != e.ObjectNew.GetAnnotations()[migration.AnnotationCutOff] ||
		said(e.ObjectOld) != said(e.ObjectNew)
}

// limitsChanged lets pass that an autoscaler came, went, aims elsewhere, was federated or no longer, holds other bounds, or is cut off.
func limitsChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e runtimeevent.UpdateEvent) bool {
		before, _ := autoscalers.Target(e.ObjectOld)
		after, _ := autoscalers.Target(e.ObjectNew)
		return e.ObjectOld.GetUID() != e.ObjectNew.GetUID() || before != after ||
			e.ObjectOld.GetAnnotations()[v1alpha1.FederateAnnotation] != e.ObjectNew.GetAnnotations()[v1alpha1.FederateAnnotation] ||
			len(e.ObjectOld.GetOwnerReferences()) != len(e.ObjectNew.GetOwnerReferences()) ||
			limitsOf(e.ObjectOld) != limitsOf(e.ObjectNew) || cutOffChanged(e)
	}}
}

// limitsOf an autoscaler that holds its bounds in its spec. A FedHPA's are its own business.
func limitsOf(object client.Object) [2]int32 {
	switch o := object.(type) {
	case *autoscalingv2.HorizontalPodAutoscaler:
		return [2]int32{ptr.Deref(o.Spec.MinReplicas, -1), o.Spec.MaxReplicas}
	case *karmadaautoscaling.FederatedHPA:
		return [2]int32{ptr.Deref(o.Spec.MinReplicas, -1), o.Spec.MaxReplicas}
	}
	return [2]int32{}
}
