package servers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/flowcontrol"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/ask"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/deploy"
	"github.com/argosy-dev/argosy/member/vm/deploy/sshdeploy"
	"github.com/argosy-dev/argosy/member/vm/facts"
	"github.com/argosy-dev/argosy/member/vm/gates"
	"github.com/argosy-dev/argosy/member/vm/lock"
	"github.com/argosy-dev/argosy/member/vm/machine"
	"github.com/argosy-dev/argosy/member/vm/probe"
	"github.com/argosy-dev/argosy/member/vm/remote"
	"github.com/argosy-dev/argosy/member/vm/settings"
)

// +kubebuilder:rbac:groups=vm.argosy.dev,resources=servers,verbs=get;list;watch;patch;delete
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=servers/status,verbs=get;patch
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmreplicasets,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch

// Options of the controller.
type Options struct {
	control.Options
	// Drivers by the name that spec.machine.driver bears.
	Drivers map[string]machine.Driver
	// Period is how often a machine is looked at while nothing is done to it.
	Period time.Duration
	// DialPeriod is how often a machine is dialled whose service is not known to be well, in whole seconds; 0 is 10 s.
	DialPeriod time.Duration
	// Holder of locks: this process, and no other that ever was.
	Holder string
	// Remote reaches machines; nil is the usual.
	Remote *remote.Client
	// Systems that deploy code, by the name that release.system bears. System ssh is always there.
	Systems map[string]deploy.System
	// Alerts is whom alert queries are asked of, and AlertPeriod how often; a nil Alerts is nobody.
	Alerts      Alerts
	AlertPeriod time.Duration
	// Gates says whom gates may call.
	Gates gates.Options
	// Metrics takes the metrics; nil is controller-runtime's registry.
	Metrics prometheus.Registerer
}

// Reconciler makes Servers act.
type Reconciler struct {
	Options
	// cache knows Servers and sets; live asks the API server itself.
	cache, live client.Reader
	writer      client.Client
	recorder    record.EventRecorder
	measures    *measures
	// prober asks how services are, and dialler whether machines answer at all; nil: nobody does.
	prober, dialler *probe.Prober
	// alerts asks Prometheus, and gates calls whom gates name; nil: nobody does.
	alerts *ask.Asker[string]
	gates  *gates.Keeper

	secrets *settings.Recent
	// beats are the writes in a second that say nothing new but when it was seen.
	beats  flowcontrol.PassiveRateLimiter
	known  control.Known
	census census
	// bySet finds the Servers of a set.
	bySet control.Index

	member control.Identity

	mu    sync.Mutex
	minds map[types.UID]*mind
}

// mind is what this process itself saw of a Server; a lost one is seen again.
type mind struct {
	lock    lock.Observed
	missing facts.Missing
	asked   time.Time
	// unknown is since when the server is Unknown to this process; zero: it is not.
	unknown time.Time
	// doubted is until when nobody is given up for silence, since too many are silent.
	doubted time.Time
	// credentials as they were last read: a namespace that is deleted loses its Secrets before its machines.
	credentials map[string][]byte
	// quiet is until when the machine is not asked again, and silence how long that is.
	quiet   time.Time
	silence time.Duration
	// adopted is the hash of a release that was there without one, once it is written.
	adopted string
	// floor is the highest sequence the machine is known to have seen.
	floor int64
}

// New is for tests that call Reconcile themselves.
func New(options Options, with control.Means) *Reconciler {
	if options.DialPeriod == 0 {
		options.DialPeriod = dialPeriod
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
		Options: options, cache: with.Cache, live: with.Live, writer: with.Writer, recorder: with.Recorder, measures: newMeasures(),
		minds: map[types.UID]*mind{}, secrets: settings.NewRecent(with.Live, options.PassiveClock()),
		beats: flowcontrol.NewTokenBucketPassiveRateLimiterWithClock(beatsPerSecond, 1, options.PassiveClock()),
	}
}

// AddToManager lets mgr run the controller while it leads.
func AddToManager(mgr manager.Manager, options Options) error {
	r, calls := New(options, control.MeansOf(mgr, "argosy-servers")), &control.Calls{}
	if options.Metrics == nil {
		options.Metrics = metrics.Registry
	}
	if err := r.measures.register(options.Metrics); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	probes := probe.Options{Lag: r.measures.late, Tell: calls.Tell}
	r.prober, r.dialler = probe.New(probes), probe.New(probes)
	r.alerts = ask.New[string](r.PassiveClock(), calls.Tell)
	r.gates = gates.New(options.Gates, r.live, r.recorder, r.PassiveClock(), calls.Tell)
	lists := manager.RunnableFunc(func(ctx context.Context) error { return r.takeCensus(ctx, calls.Tell) })
	if err := errors.Join(mgr.Add(r.prober), mgr.Add(r.dialler), mgr.Add(r.alerts), mgr.Add(r.gates), mgr.Add(lists)); err != nil {
		return fmt.Errorf("adding those who ask: %w", err)
	}
	var err error
	if r.bySet, err = control.NewIndex(mgr, "server"); err != nil {
		return err
	}
	return r.kind().Builder(mgr, "server").
		WatchesRawSource(calls.Source()).
		Watches(&v1alpha1.VMReplicaSet{}, handler.EnqueueRequestsFromMapFunc(r.ofSet), builder.WithPredicates(control.Specs())).
		Complete(r)
}

func (r *Reconciler) kind() control.Kind[*v1alpha1.Server] {
	return control.Kind[*v1alpha1.Server]{
		Options: r.Options.Options, Cache: r.cache, New: func() *v1alpha1.Server { return &v1alpha1.Server{} }, Handle: r.handle,
		Known: &r.known, Forget: r.forget,
	}
}

// ofSet are the Servers of a set: its approvals, and its end, are theirs.
func (r *Reconciler) ofSet(ctx context.Context, set client.Object) []reconcile.Request {
	list := &v1alpha1.ServerList{}
	if err := r.cache.List(ctx, list, r.bySet.OfSet(client.ObjectKeyFromObject(set)), client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "Listing the Servers of a set")
		return nil
	}
	out := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return out
}

// Reconcile looks at one Server's machine, and does what is next.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	return r.kind().Reconcile(ctx, request)
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
		r.dialler.Forget(uid)
		r.alerts.Keep(uid)
		r.gates.Forget(uid)
	}
}

// owner is the identity of this member, by which a system tells its machines from others'.
func (r *Reconciler) owner(ctx context.Context) (string, error) { return r.member.Of(ctx, r.live) }
