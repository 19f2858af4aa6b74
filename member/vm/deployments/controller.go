package deployments

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/internal/retry"
)

// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmdeployments,verbs=get;list;watch
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmdeployments/status,verbs=get;patch
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmdeployments/finalizers,verbs=update
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmreplicasets,verbs=get;list;watch
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=servers,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=apps,resources=controllerrevisions,verbs=get;list;create;delete
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch

// Options of the controller.
type Options struct {
	// Concurrency is how many VMDeployments are worked on at once.
	Concurrency int
	// Clock is the wall clock; nil is this machine's.
	Clock clock.PassiveClock
	// AllowSameName lets several managers live in one process, as tests do.
	AllowSameName bool
}

// Reconciler makes VMDeployments act.
type Reconciler struct {
	Options
	// cache knows VMDeployments, sets and Servers; live asks the API server itself.
	cache, live client.Reader
	writer      client.Client
	recorder    record.EventRecorder
}

// New is for tests that call Reconcile themselves.
func New(options Options, cache, live client.Reader, writer client.Client, recorder record.EventRecorder) *Reconciler {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	return &Reconciler{Options: options, cache: cache, live: live, writer: writer, recorder: recorder}
}

// AddToManager lets mgr run the controller while it leads.
func AddToManager(mgr manager.Manager, options Options) error {
	r := New(options, mgr.GetClient(), mgr.GetAPIReader(), mgr.GetClient(), program.Events(mgr, "argosy-vmdeployment"))
	return builder.ControllerManagedBy(mgr).Named("vmdeployment").
		For(&v1alpha1.VMDeployment{}).
		Watches(&v1alpha1.Server{}, handler.EnqueueRequestsFromMapFunc(r.ofServer)).
		Watches(&v1alpha1.VMReplicaSet{}, handler.EnqueueRequestsFromMapFunc(r.ofSet)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: options.Concurrency, SkipNameValidation: &options.AllowSameName, RateLimiter: retry.Limiter(),
		}).Complete(r)
}

func (r *Reconciler) ofServer(ctx context.Context, server client.Object) []reconcile.Request {
	return r.of(ctx, server.GetNamespace(), server.GetLabels()[v1alpha1.LabelSet])
}

func (r *Reconciler) ofSet(ctx context.Context, set client.Object) []reconcile.Request {
	return r.of(ctx, set.GetNamespace(), set.GetName())
}

// of are the VMDeployments of a set.
func (r *Reconciler) of(ctx context.Context, namespace, set string) []reconcile.Request {
	list := &v1alpha1.VMDeploymentList{}
	if err := r.cache.List(ctx, list, client.InNamespace(namespace)); err != nil {
		log.FromContext(ctx).Error(err, "Listing the VMDeployments of a set")
		return nil
	}
	var out []reconcile.Request
	for i := range list.Items {
		if list.Items[i].Spec.TargetRef.Name == set {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return out
}

// lookSoon is for what the cache does not show yet.
const lookSoon = 200 * time.Millisecond

// Reconcile brings one release further.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	deployment := &v1alpha1.VMDeployment{}
	if err := r.cache.Get(ctx, request.NamespacedName, deployment); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if deployment.DeletionTimestamp != nil {
		return reconcile.Result{}, nil // what servers have they keep
	}
	wake, err := r.handle(ctx, deployment)
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		log.FromContext(ctx).V(1).Info("Trying again on newer objects", "reason", err.Error())
		return reconcile.Result{RequeueAfter: lookSoon}, nil
	case err != nil || wake.IsZero():
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: max(wake.Sub(r.Clock.Now()), time.Millisecond)}, nil
}

func (r *Reconciler) handle(ctx context.Context, deployment *v1alpha1.VMDeployment) (time.Time, error) {
	w, err := r.gather(ctx, deployment)
	if err != nil {
		return time.Time{}, err
	}
	w.decide()
	if err := r.writeStatus(ctx, w); err != nil {
		return time.Time{}, err
	}
	if err := r.apply(ctx, w); err != nil {
		return time.Time{}, err
	}
	if err := r.prune(ctx, w); err != nil {
		return time.Time{}, fmt.Errorf("removing old revisions: %w", err)
	}
	return w.plan.Wake, nil
}
