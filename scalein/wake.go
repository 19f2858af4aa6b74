package scalein

import (
	"context"
	"slices"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
	"github.com/argosy-dev/argosy/internal/served"
)

// membersThatComeBack wake the orders that wait for them. No controller waits for the watch: an aggregated API may be away.
func (r *Reconciler) membersThatComeBack(mgr manager.Manager) source.Source {
	kind := schema.FromAPIVersionAndKind(clusterv1alpha1.GroupVersion.String(), "Cluster")
	return source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		go func() {
			err := served.Wait(ctx, mgr, kind, "no PodScaleIn is woken by a member that comes back")
			if err == nil {
				err = source.Kind[client.Object](mgr.GetCache(), &clusterv1alpha1.Cluster{}, handler.EnqueueRequestsFromMapFunc(r.waitingFor),
					becameReady()).Start(ctx, queue)
			}
			if err != nil && ctx.Err() == nil {
				mgr.GetLogger().Error(err, "Watching member clusters for PodScaleIns")
			}
		}()
		return nil
	})
}

// waitingFor are the orders that wait for a member to come back.
func (r *Reconciler) waitingFor(ctx context.Context, cluster client.Object) []reconcile.Request {
	var orders v1alpha1.PodScaleInList
	if err := r.cache.List(ctx, &orders, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "Listing the PodScaleIns that wait for a member", "cluster", cluster.GetName())
		return nil
	}
	var out []reconcile.Request
	for i := range orders.Items {
		order := &orders.Items[i]
		named := slices.ContainsFunc(order.Status.Clusters, func(c v1alpha1.ClusterScaleIn) bool { return c.Name == cluster.GetName() })
		if order.Status.CompletionTime == nil && (named || len(order.Status.Clusters) == 0) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(order)})
		}
	}
	return out
}

// becameReady lets pass that a member can be reached again.
func becameReady() predicate.Predicate {
	ready := func(o client.Object) bool {
		return meta.IsStatusConditionTrue(o.(*clusterv1alpha1.Cluster).Status.Conditions, clusterv1alpha1.ClusterConditionReady)
	}
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		DeleteFunc: func(event.DeleteEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool { return !ready(e.ObjectOld) && ready(e.ObjectNew) },
	}
}
