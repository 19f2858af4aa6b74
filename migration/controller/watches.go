package controller

import (
	"context"
	"strings"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/retry"
	"github.com/argosy-dev/argosy/migration/plan"
	"github.com/argosy-dev/argosy/migration/policy"
	"github.com/argosy-dev/argosy/migration/whitelist"
)

// ReturnsName is that of the workers kept for rollbacks, in logs and metrics.
const ReturnsName = "migration-rollback"

// SetupWithManager runs the controller with so many applications at a time, and as many rollbacks beside them: a rollback reads no member,
// so that it must not wait for workers that wait for one.
func (c *Controller) SetupWithManager(mgr manager.Manager, concurrency int) error {
	c.returns = make(chan event.GenericEvent, 1024)
	options := controller.Options{MaxConcurrentReconciles: concurrency, RateLimiter: retry.Limiter()}
	err := ctrl.NewControllerManagedBy(mgr).
		Named(ReturnsName).
		WatchesRawSource(source.Channel(c.returns, &handler.EnqueueRequestForObject{})).
		WithOptions(options).
		Complete(reconcile.Func(c.rollback))
	if err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named(ControllerName).
		Watches(&v1alpha1.Migration{}, handler.Funcs{
			CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) { c.see(ctx, e.Object, true, q) },
			UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
				c.see(ctx, e.ObjectNew, e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration(), q)
			},
			DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) {
				key := client.ObjectKeyFromObject(e.Object)
				changed, _ := c.order.Forget(key)
				add(q, append(changed, key))
			},
		}).
		Watches(&v1alpha1.MigrationWhitelist{}, handler.Funcs{
			CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) { c.put(ctx, e.Object, q) },
			UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
				if whitelist.Edited(e.ObjectOld, e.ObjectNew) {
					c.put(ctx, e.ObjectNew, q)
				}
			},
			DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) {
				changed, off := c.order.Drop(e.Object.GetName())
				c.comeBack(ctx, off)
				add(q, append(changed, off...))
			},
		}).
		Watches(&policyv1alpha1.PropagationPolicy{}, handler.EnqueueRequestsFromMapFunc(owners),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(options).
		Complete(c)
}

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

func add(q queue, keys []client.ObjectKey) {
	for _, key := range keys {
		q.Add(reconcile.Request{NamespacedName: key})
	}
}

// see a Migration: it is looked at when its spec was edited, and those whose turn it makes are woken.
func (c *Controller) see(ctx context.Context, object client.Object, edited bool, q queue) {
	migration, ok := object.(*v1alpha1.Migration)
	if !ok {
		return
	}
	changed, _ := c.order.See(migration)
	add(q, changed)
	key := client.ObjectKeyFromObject(migration)
	if edited {
		add(q, []client.ObjectKey{key})
	}
	if plan.Returning(migration.Spec, migration.Status, len(c.order.Listing(key)) > 0) {
		c.comeBack(ctx, []client.ObjectKey{key})
	}
}

// put a whitelist as it was edited: everybody on it is looked at, since its strategy may be another, and who was taken off first.
func (c *Controller) put(ctx context.Context, object client.Object, q queue) {
	list, ok := object.(*v1alpha1.MigrationWhitelist)
	if !ok {
		return
	}
	changed, off := c.order.Put(list)
	c.comeBack(ctx, off)
	add(q, append(changed, off...))
	for i := range list.Spec.Entries {
		add(q, []client.ObjectKey{whitelist.KeyOf(&list.Spec.Entries[i])})
	}
}

// comeBack hands applications to the workers kept for rollbacks.
func (c *Controller) comeBack(ctx context.Context, keys []client.ObjectKey) {
	for _, key := range keys {
		object := &v1alpha1.Migration{}
		object.Namespace, object.Name = key.Namespace, key.Name
		select {
		case c.returns <- event.GenericEvent{Object: object}:
		case <-ctx.Done():
			return
		}
	}
}

// rollback is the pass of an application that is to come back; of any other, the ordinary workers take care. Both may be at one application
// at the same time: what either writes rests on the versions it has read, so that two cannot both win.
func (c *Controller) rollback(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	migration := &v1alpha1.Migration{}
	if err := c.Client.Get(ctx, request.NamespacedName, migration); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if !plan.Returning(migration.Spec, migration.Status, len(c.order.Listing(request.NamespacedName)) > 0) {
		return reconcile.Result{}, nil
	}
	return c.Reconcile(ctx, request)
}

// owners of a policy that we authored: its Migration, and those of all who share its object.
func owners(_ context.Context, object client.Object) []reconcile.Request {
	names := map[string]bool{object.GetLabels()[v1alpha1.LabelManagedBy]: true}
	for user := range strings.SplitSeq(object.GetAnnotations()[v1alpha1.AnnotationReferrers], ",") {
		if kind, name, ok := strings.Cut(user, "/"); ok {
			names[policy.Name(kind, name)] = true
		}
	}
	delete(names, "")
	requests := make([]reconcile.Request, 0, len(names))
	for name := range names {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKey{Namespace: object.GetNamespace(), Name: name}})
	}
	return requests
}
