package sets

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
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/internal/retry"
)

// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmreplicasets,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmreplicasets/status,verbs=get;patch
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmreplicasets/finalizers,verbs=update
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=servers,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch

// Options of the controller.
type Options struct {
	// Concurrency is how many sets are worked on at once.
	Concurrency int
	// Drivers of machines, and of load balancers, that are configured here.
	Drivers, Balancers []string
	// Clock is the wall clock; nil is this machine's.
	Clock clock.PassiveClock
	// AllowSameName lets several managers live in one process, as tests do.
	AllowSameName bool
}

// Reconciler makes VMReplicaSets act.
type Reconciler struct {
	Options
	// cache knows sets and Servers; live asks the API server itself.
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
	r := New(options, mgr.GetClient(), mgr.GetAPIReader(), mgr.GetClient(), program.Events(mgr, "argosy-vmreplicaset"))
	return builder.ControllerManagedBy(mgr).Named("vmreplicaset").
		For(&v1alpha1.VMReplicaSet{}).
		Owns(&v1alpha1.Server{}).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: options.Concurrency, SkipNameValidation: &options.AllowSameName, RateLimiter: retry.Limiter(),
		}).Complete(r)
}

// lookSoon is for what the cache does not show yet.
const lookSoon = 200 * time.Millisecond

// Reconcile brings one set's Servers in place and says how they are.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	set := &v1alpha1.VMReplicaSet{}
	if err := r.cache.Get(ctx, request.NamespacedName, set); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	again, err := r.handle(ctx, set)
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		log.FromContext(ctx).V(1).Info("Trying again on newer objects", "reason", err.Error())
		return reconcile.Result{RequeueAfter: lookSoon}, nil
	case err != nil:
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: again}, nil
}

func (r *Reconciler) handle(ctx context.Context, set *v1alpha1.VMReplicaSet) (time.Duration, error) {
	if set.DeletionTimestamp == nil && !controllerutil.ContainsFinalizer(set, v1alpha1.FinalizerServers) {
		changed := set.DeepCopy()
		controllerutil.AddFinalizer(changed, v1alpha1.FinalizerServers)
		if err := r.writer.Patch(ctx, changed, client.MergeFromWithOptions(set, client.MergeFromWithOptimisticLock{})); err != nil {
			return 0, fmt.Errorf("holding a set until its Servers are gone: %w", err)
		}
		return lookSoon, nil
	}
	w, err := r.gather(ctx, r.cache, set)
	if err != nil {
		return 0, err
	}
	if w.counts() {
		// Nothing is made or taken away from what a cache shows.
		live := &v1alpha1.VMReplicaSet{}
		if err := r.live.Get(ctx, client.ObjectKeyFromObject(set), live); err != nil {
			return 0, err
		}
		if live.UID != set.UID {
			return lookSoon, nil
		}
		if w, err = r.gather(ctx, r.live, live); err != nil {
			return 0, err
		}
	}
	if err := r.writeStatus(ctx, w); err != nil {
		return 0, err
	}
	if err := r.apply(ctx, w); err != nil {
		return 0, err
	}
	if wake := w.plan.Wake; !wake.IsZero() {
		return max(wake.Sub(w.now), time.Millisecond), nil
	}
	return 0, nil
}
