package sets

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/fleet"
	"github.com/argosy-dev/argosy/member/vm/gates"
)

// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmreplicasets,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmreplicasets/status,verbs=get;patch
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmreplicasets/finalizers,verbs=update
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=servers,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch

// Options of the controller.
type Options struct {
	control.Options
	// Drivers of machines, and of load balancers, that are configured here.
	Drivers, Balancers []string
	// AlertQueries says that there is a Prometheus to ask them of.
	AlertQueries bool
	// Gates says whom gates may call.
	Gates gates.Options
	// Metrics are counted where they are not nil.
	Metrics *Measures
}

// Reconciler makes VMReplicaSets act.
type Reconciler struct {
	Options
	// cache knows sets and Servers; live asks the API server itself.
	cache, live client.Reader
	writer      client.Client
	recorder    record.EventRecorder
	// gates calls whom gates name; nil: nobody does.
	gates *gates.Keeper
	known control.Known
	// bySet finds the Servers of a set.
	bySet control.Index

	mu sync.Mutex
	// contents of the settings of sets, as they were read a moment ago.
	contents map[types.UID]content
	// taken says which names were somebody else's, of sets that wanted them for Servers that they lack still.
	taken map[types.UID]taken
}

// New is for tests that call Reconcile themselves.
func New(options Options, with control.Means) *Reconciler {
	return &Reconciler{
		Options: options, cache: with.Cache, live: with.Live, writer: with.Writer, recorder: with.Recorder,
		contents: map[types.UID]content{}, taken: map[types.UID]taken{},
	}
}

// AddToManager lets mgr run the controller while it leads.
func AddToManager(mgr manager.Manager, options Options) error {
	r, calls := New(options, control.MeansOf(mgr, "argosy-vmreplicaset")), &control.Calls{}
	r.gates = gates.New(options.Gates, r.live, r.recorder, options.PassiveClock(), calls.Tell)
	if err := mgr.Add(r.gates); err != nil {
		return fmt.Errorf("adding the calls of gates: %w", err)
	}
	var err error
	if r.bySet, err = control.NewIndex(mgr, "vmreplicaset"); err != nil {
		return err
	}
	return r.kind().Builder(mgr, "vmreplicaset").Owns(&v1alpha1.Server{}).WatchesRawSource(calls.Source()).Complete(r)
}

func (r *Reconciler) kind() control.Kind[*v1alpha1.VMReplicaSet] {
	return control.Kind[*v1alpha1.VMReplicaSet]{
		Options: r.Options.Options, Cache: r.cache, New: func() *v1alpha1.VMReplicaSet { return &v1alpha1.VMReplicaSet{} }, Handle: r.handle,
		Known: &r.known, Forget: r.forget,
	}
}

// forget what is kept of a set that is gone.
func (r *Reconciler) forget(uid types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.contents, uid)
	delete(r.taken, uid)
	if r.gates != nil {
		r.gates.Forget(uid)
	}
}

// Reconcile brings one set's Servers in place and says how they are.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	return r.kind().Reconcile(ctx, request)
}

func (r *Reconciler) handle(ctx context.Context, set *v1alpha1.VMReplicaSet) (time.Time, error) {
	soon := r.Now().Add(control.LookSoon)
	if set.DeletionTimestamp == nil && !controllerutil.ContainsFinalizer(set, v1alpha1.FinalizerServers) {
		changed := set.DeepCopy()
		controllerutil.AddFinalizer(changed, v1alpha1.FinalizerServers)
		if err := r.writer.Patch(ctx, changed, client.MergeFromWithOptions(set, client.MergeFromWithOptimisticLock{})); err != nil {
			return time.Time{}, fmt.Errorf("holding a set until its Servers are gone: %w", err)
		}
		return soon, nil
	}
	w, err := r.gather(ctx, set, false)
	if err != nil {
		return time.Time{}, err
	}
	if w.counts() {
		// Nothing is made, stopped or taken away by what a cache shows.
		live := &v1alpha1.VMReplicaSet{}
		if err := r.live.Get(ctx, client.ObjectKeyFromObject(set), live); err != nil {
			return time.Time{}, err
		}
		if live.UID != set.UID {
			return soon, nil
		}
		if w, err = r.gather(ctx, live, true); err != nil {
			return time.Time{}, err
		}
	}
	r.settle(w)
	if err := r.writeStatus(ctx, w); err != nil {
		return time.Time{}, err
	}
	if err := r.apply(ctx, w); err != nil {
		return time.Time{}, err
	}
	return w.plan.Wake, nil
}

// settle calls whom the gates name at which failovers wait. Those at which servers wait are the servers' own.
func (r *Reconciler) settle(w *work) {
	if r.gates == nil {
		return
	}
	pending, wake := r.gates.Settle(gates.Waiting{
		Object: w.set, Set: w.set.Name, Gates: w.set.Spec.Gates, Pending: w.plan.PendingApprovals, Operations: fleet.FailoverOperations(w.in),
	})
	w.plan.PendingApprovals = pending
	if !wake.IsZero() && (w.plan.Wake.IsZero() || wake.Before(w.plan.Wake)) {
		w.plan.Wake = wake
	}
}
