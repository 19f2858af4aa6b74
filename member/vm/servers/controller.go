package servers

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/internal/retry"
	"github.com/argosy-dev/argosy/member/vm/deploy"
	"github.com/argosy-dev/argosy/member/vm/deploy/sshdeploy"
	"github.com/argosy-dev/argosy/member/vm/facts"
	"github.com/argosy-dev/argosy/member/vm/lock"
	"github.com/argosy-dev/argosy/member/vm/machine"
	"github.com/argosy-dev/argosy/member/vm/probe"
	"github.com/argosy-dev/argosy/member/vm/remote"
)

// +kubebuilder:rbac:groups=vm.argosy.dev,resources=servers,verbs=get;list;watch;patch;delete
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=servers/status,verbs=get;patch
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmreplicasets,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get
// +kubebuilder:rbac:groups="",resources=namespaces,resourceNames=kube-system,verbs=get
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch

// Options of the controller.
type Options struct {
	// Concurrency is how many Servers are worked on at once.
	Concurrency int
	// Drivers by the name that spec.machine.driver bears.
	Drivers map[string]machine.Driver
	// Period is how often a machine is looked at while nothing is done to it.
	Period time.Duration
	// Holder of locks: this process, and no other that ever was.
	Holder string
	// Remote reaches machines; nil is the usual.
	Remote *remote.Client
	// Systems that deploy code, by the name that release.system bears. System ssh is always there.
	Systems map[string]deploy.System
	// Clock is the wall clock; nil is this machine's.
	Clock clock.PassiveClock
	// Metrics takes the metrics; nil is controller-runtime's registry.
	Metrics prometheus.Registerer
	// AllowSameName lets several managers live in one process, as tests do.
	AllowSameName bool
}

// Reconciler makes Servers act.
type Reconciler struct {
	Options
	// cache knows Servers and sets; live asks the API server itself.
	cache, live client.Reader
	writer      client.Client
	recorder    record.EventRecorder
	measures    *measures
	// prober asks how services are; nil: nobody does.
	prober *probe.Prober

	mu     sync.Mutex
	minds  map[types.UID]*mind
	member string
}

// mind is what this process itself saw of a Server; a lost one is seen again.
type mind struct {
	lock    lock.Observed
	missing facts.Missing
	asked   time.Time
	// credentials as they were last read: a namespace that is deleted loses its Secrets before its machines.
	credentials map[string][]byte
	// quiet is until when the machine is not asked again, and silence how long that is.
	quiet   time.Time
	silence time.Duration
	// floor is the highest sequence the machine is known to have seen.
	floor int64
}

// New is for tests that call Reconcile themselves; live and writer may be one client.
func New(options Options, cache, live client.Reader, writer client.Client, recorder record.EventRecorder) *Reconciler {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	if options.Remote == nil {
		options.Remote = &remote.Client{}
	}
	options.Systems = maps.Clone(options.Systems)
	if options.Systems == nil {
		options.Systems = map[string]deploy.System{}
	}
	if options.Systems[deploy.SystemSSH] == nil {
		options.Systems[deploy.SystemSSH] = sshdeploy.System{Client: options.Remote}
	}
	return &Reconciler{
		Options: options, cache: cache, live: live, writer: writer, recorder: recorder, measures: newMeasures(), minds: map[types.UID]*mind{},
	}
}

// AddToManager lets mgr run the controller while it leads.
func AddToManager(mgr manager.Manager, options Options) error {
	r := New(options, mgr.GetClient(), mgr.GetAPIReader(), mgr.GetClient(), program.Events(mgr, "argosy-servers"))
	if options.Metrics == nil {
		options.Metrics = metrics.Registry
	}
	if err := r.measures.register(options.Metrics); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	// Whom the prober tells of is looked at, once there is a queue.
	var mu sync.Mutex
	var queue workqueue.TypedRateLimitingInterface[reconcile.Request]
	r.prober = probe.New(probe.Options{Lag: r.measures.late, Tell: func(server types.NamespacedName) {
		mu.Lock()
		defer mu.Unlock()
		if queue != nil {
			queue.Add(reconcile.Request{NamespacedName: server})
		}
	}})
	if err := mgr.Add(r.prober); err != nil {
		return fmt.Errorf("adding the prober: %w", err)
	}
	told := source.Func(func(_ context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		mu.Lock()
		defer mu.Unlock()
		queue = q
		return nil
	})
	return builder.ControllerManagedBy(mgr).Named("server").
		For(&v1alpha1.Server{}).
		WatchesRawSource(told).
		Watches(&v1alpha1.VMReplicaSet{}, handler.EnqueueRequestsFromMapFunc(r.ofSet)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: options.Concurrency, SkipNameValidation: &options.AllowSameName, RateLimiter: retry.Limiter(),
		}).Complete(r)
}

// ofSet are the Servers of a set: its approvals, and its end, are theirs.
func (r *Reconciler) ofSet(ctx context.Context, set client.Object) []reconcile.Request {
	list := &v1alpha1.ServerList{}
	err := r.cache.List(ctx, list, client.InNamespace(set.GetNamespace()), client.MatchingLabels{v1alpha1.LabelSet: set.GetName()})
	if err != nil {
		log.FromContext(ctx).Error(err, "Listing the Servers of a set")
		return nil
	}
	out := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return out
}

// lookSoon is for what the cache does not show yet.
const lookSoon = 200 * time.Millisecond

// Reconcile looks at one Server's machine, and does what is next.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	server := &v1alpha1.Server{}
	if err := r.cache.Get(ctx, request.NamespacedName, server); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	wake, err := r.handle(ctx, server)
	switch {
	case apierrors.IsConflict(err):
		log.FromContext(ctx).V(1).Info("Trying again on a newer Server", "reason", err.Error())
		return reconcile.Result{RequeueAfter: lookSoon}, nil
	case apierrors.IsNotFound(err):
		r.forget(server.UID)
		return reconcile.Result{}, nil
	case err != nil || wake.IsZero():
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: max(wake.Sub(r.Clock.Now()), time.Millisecond)}, nil
}

func (r *Reconciler) mind(uid types.UID) *mind {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.minds[uid] == nil {
		r.minds[uid] = &mind{}
	}
	return r.minds[uid]
}

func (r *Reconciler) forget(uid types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.minds, uid)
	if r.prober != nil {
		r.prober.Forget(uid)
	}
}

// owner is the identity of this member, by which a system tells its machines from others'.
func (r *Reconciler) owner(ctx context.Context) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.member != "" {
		return r.member, nil
	}
	system := &metav1.PartialObjectMetadata{}
	system.SetGroupVersionKind(namespaceKind)
	if err := r.live.Get(ctx, client.ObjectKey{Name: metav1.NamespaceSystem}, system); err != nil {
		return "", fmt.Errorf("reading who this cluster is: %w", err)
	}
	r.member = string(system.UID)
	return r.member, nil
}
