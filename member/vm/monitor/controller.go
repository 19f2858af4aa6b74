package monitor

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/retry"
)

// +kubebuilder:rbac:groups=vm.argosy.dev,resources=servers,verbs=get;list;watch;patch

// Options of the controller.
type Options struct {
	// Concurrency is how many Servers are worked on at once.
	Concurrency int
}

// Reconciler lets Servers go whose monitors are paused.
type Reconciler struct {
	cache  client.Reader
	writer client.Client
}

// AddToManager lets mgr run the controller while it leads, and serve the discovery beside its metrics whether or not it leads.
func AddToManager(mgr manager.Manager, options Options) error {
	if err := mgr.AddMetricsServerExtraHandler(Path, Handler(mgr.GetClient())); err != nil {
		return fmt.Errorf("serving the discovery of servers: %w", err)
	}
	r := &Reconciler{cache: mgr.GetClient(), writer: mgr.GetClient()}
	return builder.ControllerManagedBy(mgr).Named("monitor").
		For(&v1alpha1.Server{}).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: options.Concurrency, RateLimiter: retry.Limiter(),
		}).Complete(r)
}

// Reconcile one Server.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	server := &v1alpha1.Server{}
	if err := r.cache.Get(ctx, request.NamespacedName, server); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if !free(server) {
		return reconcile.Result{}, nil
	}
	changed := server.DeepCopy()
	controllerutil.RemoveFinalizer(changed, v1alpha1.FinalizerMonitor)
	err := r.writer.Patch(ctx, changed, client.MergeFromWithOptions(server, client.MergeFromWithOptimisticLock{}))
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		log.FromContext(ctx).V(1).Info("A newer Server will come", "reason", err.Error())
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("letting Server %s go: %w", server.Name, err)
	}
	return reconcile.Result{}, nil
}

// free says that a Server is held for its monitors and need not be: they are paused, or a person said to leave them.
func free(server *v1alpha1.Server) bool {
	if server.DeletionTimestamp == nil || !controllerutil.ContainsFinalizer(server, v1alpha1.FinalizerMonitor) {
		return false
	}
	left := slices.ContainsFunc(server.Status.Tasks, func(t v1alpha1.Task) bool {
		return t.Type == v1alpha1.TaskPauseMonitor && t.State == v1alpha1.TaskSkipped && t.Gate == ""
	})
	return left || !apimeta.IsStatusConditionTrue(server.Status.Conditions, v1alpha1.ConditionMonitored)
}
