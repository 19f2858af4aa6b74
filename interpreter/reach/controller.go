package reach

import (
	"context"
	"errors"
	"fmt"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	"github.com/karmada-io/karmada/pkg/util/names"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/internal/retry"
	"github.com/argosy-dev/argosy/interpreter"
)

const (
	// settle is how long a Cluster has said what it says before its Works are marked: by then the watches of every argosy-webhook
	// have heard of it, and Karmada asks each only once.
	settle = 5 * time.Second
	// lookBack bounds how old a Cluster's return may be for its Works to be looked through once more, after a restart of ours.
	lookBack = 24 * time.Hour
	// page is how many Works are read at once.
	page = 500
)

// Controller marks the Works of members that cannot be asked.
type Controller struct {
	// Clusters is a cache; Reader asks karmada-apiserver itself: the Works of a member are looked at when it goes and when it comes.
	Clusters, Reader client.Reader
	Writer           client.Client
	Catalog          interpreter.Catalog
	Clock            clock.PassiveClock
}

// AddToManager lets mgr run the controller while it leads.
func AddToManager(mgr manager.Manager) error {
	c := &Controller{
		Clusters: mgr.GetClient(), Reader: mgr.GetAPIReader(), Writer: mgr.GetClient(),
		Catalog: interpreter.NewCatalog(interpreter.Families()), Clock: clock.RealClock{},
	}
	return builder.ControllerManagedBy(mgr).Named("memberreachable").
		For(&clusterv1alpha1.Cluster{}, builder.WithPredicates(turns())).
		WithOptions(controller.Options{RateLimiter: retry.Limiter()}).
		Complete(c)
}

// turns lets pass the moments in which a Cluster begins to say something else: Karmada writes its status every few seconds.
func turns() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*clusterv1alpha1.Cluster)
		now, alsoOK := e.ObjectNew.(*clusterv1alpha1.Cluster)
		return ok && alsoOK && NotReady(before) != NotReady(now)
	}}
}

// Reconcile looks through the Works of one cluster.
func (c *Controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	var cluster clusterv1alpha1.Cluster
	if err := c.Clusters.Get(ctx, request.NamespacedName, &cluster); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	ready := meta.FindStatusCondition(cluster.Status.Conditions, clusterv1alpha1.ClusterConditionReady)
	if ready == nil {
		return reconcile.Result{}, nil
	}
	why, since := NotReady(&cluster), c.Clock.Since(ready.LastTransitionTime.Time)
	switch {
	case since < settle:
		return reconcile.Result{RequeueAfter: settle - max(0, since)}, nil
	case why == "" && since > lookBack:
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, c.works(ctx, cluster.Name, why)
}

// works marks those of a cluster. One that cannot be written keeps no other from being.
func (c *Controller) works(ctx context.Context, cluster, why string) error {
	options := &client.ListOptions{Namespace: names.GenerateExecutionSpaceName(cluster), Limit: page}
	var failed []error
	var marked int
	for {
		var list workv1alpha1.WorkList
		if err := c.Reader.List(ctx, &list, options); err != nil {
			return fmt.Errorf("listing the Works of cluster %s: %w", cluster, err)
		}
		for i := range list.Items {
			work := &list.Items[i]
			before := client.MergeFromWithOptions(work.DeepCopy(), client.MergeFromWithOptimisticLock{})
			if !mark(work, c.Catalog, why, c.Clock.Now()) {
				continue
			}
			err := c.Writer.Status().Patch(ctx, work, before)
			if client.IgnoreNotFound(err) != nil {
				failed = append(failed, fmt.Errorf("writing the status of Work %s/%s: %w", work.Namespace, work.Name, err))
				continue
			}
			marked++
		}
		if options.Continue = list.Continue; options.Continue == "" {
			break
		}
	}
	if marked > 0 {
		klog.FromContext(ctx).Info("Had statuses aggregated anew", "cluster", cluster, "works", marked, "reason", why)
	}
	return errors.Join(failed...)
}
