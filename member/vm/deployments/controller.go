package deployments

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/gates"
)

// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmdeployments,verbs=get;list;watch
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmdeployments/status,verbs=get;patch
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmdeployments/finalizers,verbs=update
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmreplicasets,verbs=get;list;watch
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=servers,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=apps,resources=controllerrevisions,verbs=get;list;watch;create;delete
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch

// Options of the controller.
type Options struct {
	control.Options
	// Gates says whom gates may call.
	Gates gates.Options
}

// Reconciler makes VMDeployments act.
type Reconciler struct {
	Options
	// cache knows VMDeployments, their revisions, sets and Servers; live asks the API server itself.
	cache, live client.Reader
	writer      client.Client
	recorder    record.EventRecorder
	// gates calls whom gates name; nil: nobody does.
	gates *gates.Keeper
	known control.Known
	// bySet finds the Servers of a set.
	bySet control.Index
}

// New is for tests that call Reconcile themselves.
func New(options Options, with control.Means) *Reconciler {
	return &Reconciler{Options: options, cache: with.Cache, live: with.Live, writer: with.Writer, recorder: with.Recorder}
}

// AddToManager lets mgr run the controller while it leads.
func AddToManager(mgr manager.Manager, options Options) error {
	r, calls := New(options, control.MeansOf(mgr, "argosy-vmdeployment")), &control.Calls{}
	r.gates = gates.New(options.Gates, r.live, r.recorder, options.PassiveClock(), calls.Tell)
	if err := mgr.Add(r.gates); err != nil {
		return fmt.Errorf("adding the calls of gates: %w", err)
	}
	var err error
	if r.bySet, err = control.NewIndex(mgr, "vmdeployment"); err != nil {
		return err
	}
	return r.kind().Builder(mgr, "vmdeployment").
		Watches(&v1alpha1.Server{}, handler.EnqueueRequestsFromMapFunc(r.ofServer)).
		Watches(&v1alpha1.VMReplicaSet{}, handler.EnqueueRequestsFromMapFunc(r.ofSet), builder.WithPredicates(control.Specs())).
		WatchesRawSource(calls.Source()).
		Complete(r)
}

func (r *Reconciler) kind() control.Kind[*v1alpha1.VMDeployment] {
	return control.Kind[*v1alpha1.VMDeployment]{
		Options: r.Options.Options, Cache: r.cache, New: func() *v1alpha1.VMDeployment { return &v1alpha1.VMDeployment{} }, Handle: r.handle,
		Known: &r.known, Forget: r.forget,
	}
}

// Reconcile brings one release further.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	return r.kind().Reconcile(ctx, request)
}

// forget what gates were asked for a VMDeployment that is gone.
func (r *Reconciler) forget(uid types.UID) {
	if r.gates != nil {
		r.gates.Forget(uid)
	}
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
	if err := r.cache.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
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

func (r *Reconciler) handle(ctx context.Context, deployment *v1alpha1.VMDeployment) (time.Time, error) {
	if deployment.DeletionTimestamp != nil {
		return time.Time{}, nil // what servers have they keep
	}
	w, err := r.gather(ctx, deployment)
	if err != nil {
		return time.Time{}, err
	}
	w.decide()
	r.settle(w)
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

// settle calls whom the gates name at which a batch waits.
func (r *Reconciler) settle(w *work) {
	if r.gates == nil || w.trouble != "" {
		return
	}
	pending, wake := r.gates.Settle(gates.Waiting{
		Object: w.deployment, Set: w.deployment.Spec.TargetRef.Name, Gates: w.deployment.Spec.Gates,
		Pending: w.plan.Status.PendingApprovals, Operations: w.in.Operations(),
	})
	w.plan.Status.PendingApprovals = pending
	if !wake.IsZero() && (w.plan.Wake.IsZero() || wake.Before(w.plan.Wake)) {
		w.plan.Wake = wake
	}
}
