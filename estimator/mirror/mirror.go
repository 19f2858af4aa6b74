package mirror

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/estimator/oracle"
)

// State of a mirror.
type State string

// The states; see the package's diagram.
const (
	Joining State = "Joining"
	Fresh   State = "Fresh"
	Stale   State = "Stale"
	Lost    State = "Lost"
)

// Config of one member's mirror.
type Config struct {
	Name string
	// Rest reaches the member; the mirror makes it read-only.
	Rest          *rest.Config
	Configuration *schedulerconfig.KubeSchedulerConfiguration
	Plugins       oracle.Plugins
	Clock         clock.WithTicker
	// ProbeEvery and ProbeTimeout: how soon a silent member is noticed.
	ProbeEvery, ProbeTimeout time.Duration
	// FreshFor and KeepFor: how long after the last answer the member counts as Fresh, and is answered for at all.
	FreshFor, KeepFor time.Duration
	// Unauthorized, if set, is told when the member refuses the credentials; it must not block.
	Unauthorized func()
}

// Mirror is one member.
type Mirror struct {
	config Config

	mu      sync.RWMutex
	heard   time.Time
	member  *Member
	watches *watches
	problem error
}

// Member is a synced mirror: the member's scheduler and what admission in the member reads.
type Member struct {
	Name      string
	Oracle    *oracle.Oracle
	Informers informers.SharedInformerFactory
	// dynamic holds the informers that plugins of the scheduler ask for, of kinds Kubernetes does not have.
	dynamic dynamicinformer.DynamicSharedInformerFactory
	Pods    cache.Indexer
	owners  *owners
}

// New makes a mirror that knows nothing until it is run.
func New(config Config) *Mirror { return &Mirror{config: config} }

// Run keeps the mirror until the context ends. A member that cannot be reached is tried again and again.
func (m *Mirror) Run(ctx context.Context) {
	logger := klog.FromContext(ctx).WithValues("member", m.config.Name)
	ctx = klog.NewContext(ctx, logger)
	wait := time.Second
	for ctx.Err() == nil {
		stop, err := m.start(ctx)
		if err == nil {
			logger.Info("Mirror of member is in sync", "nodes", m.member.Oracle.Nodes())
			err = m.probe(ctx)
			stop()
			wait = time.Second
		}
		m.note(err)
		if ctx.Err() == nil {
			logger.Error(err, "Could not mirror the member; beginning anew", "reason", "Unreachable", "after", wait)
		}
		select {
		case <-ctx.Done():
		case <-m.config.Clock.After(wait):
		}
		wait = min(2*wait, 30*time.Second)
	}
}

// syncFor bounds the first lists of a member.
const syncFor = 2 * time.Minute

// start builds clients, scheduler and informers, and waits until they have everything. stop ends them.
func (m *Mirror) start(parent context.Context) (stop context.CancelFunc, err error) {
	ctx, cancel := context.WithCancel(parent)
	defer func() {
		if err != nil {
			cancel()
		}
	}()
	watches := newWatches(m.config.Clock, m.config.Unauthorized)
	member, err := m.build(ctx, watches)
	if err != nil {
		return nil, err
	}
	member.Start(ctx)
	syncing, done := context.WithTimeoutCause(ctx, syncFor, errors.New("the informers did not sync within two minutes"))
	defer done()
	if err := member.WaitForSync(syncing); err != nil {
		_, problem, _ := watches.refusal()
		return nil, errors.Join(err, problem)
	}
	if _, err := member.Oracle.Fit(syncing, oracle.Question{Pod: &corev1.Pod{}, Budget: time.Second}); err != nil {
		return nil, fmt.Errorf("asking the first question: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.member, m.watches, m.heard, m.problem = member, watches, m.config.Clock.Now(), nil
	return cancel, nil
}

// Start starts every informer.
func (m *Member) Start(ctx context.Context) {
	m.Informers.Start(ctx.Done())
	m.dynamic.Start(ctx.Done())
}

// WaitForSync waits until all of them have listed, and the scheduler's own cache holds it.
func (m *Member) WaitForSync(ctx context.Context) error {
	for kind, synced := range m.Informers.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("listing %s: %w", kind, context.Cause(ctx))
		}
	}
	for resource, synced := range m.dynamic.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("listing %s, which a plugin of the scheduler reads: %w", resource, context.Cause(ctx))
		}
	}
	return m.Oracle.WaitForSync(ctx)
}

func (m *Mirror) build(ctx context.Context, watches *watches) (*Member, error) {
	served, err := m.served(ctx)
	if err != nil {
		return nil, err
	}
	config := readOnlyConfig(m.config.Rest, served, watches)
	config.QPS, config.UserAgent = -1, "argosy-estimator"
	dynamicClient, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("building a client: %w", err)
	}
	// A question of its own that may be refused is no watch that is.
	once := ReadOnly(m.config.Rest, served)
	once.Timeout = m.config.ProbeTimeout
	asking, err := dynamic.NewForConfig(once)
	if err != nil {
		return nil, fmt.Errorf("building a client: %w", err)
	}
	typed := rest.CopyConfig(config)
	typed.ContentType, typed.AcceptContentTypes = "application/vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf,application/json"
	client, err := kubernetes.NewForConfig(typed)
	if err != nil {
		return nil, fmt.Errorf("building a client: %w", err)
	}
	discovered := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))
	sets, err := advancedDaemonSets(ctx, asking, served)
	if err != nil {
		return nil, err
	}
	return NewMember(ctx, m.config, Clients{Typed: client, Dynamic: dynamicClient, Mapper: discovered, Rest: config, DaemonSets: sets})
}

// Clients of one member; all of them must be read-only. Mapper may be nil: then only ReplicaSets are followed to their owners.
type Clients struct {
	Typed   kubernetes.Interface
	Dynamic dynamic.Interface
	Mapper  meta.RESTMapper
	Rest    *rest.Config
	// DaemonSets is the resource of OpenKruise's in this member; nil: it has none that we may read.
	DaemonSets *schema.GroupVersionResource
}

// NewMember registers every informer that the oracle and admission read. The caller starts the Member.
func NewMember(ctx context.Context, config Config, clients Clients) (*Member, error) {
	factory := informers.NewSharedInformerFactoryWithOptions(clients.Typed, 0, informers.WithTransform(trim))
	factory.InformerFor(&corev1.Pod{}, func(client kubernetes.Interface, resync time.Duration) cache.SharedIndexInformer {
		return coreinformers.NewFilteredPodInformer(client, metav1.NamespaceAll, resync,
			cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc, oracle.PendingIndex: oracle.IndexPending},
			func(options *metav1.ListOptions) { options.FieldSelector = unfinished })
	})
	store := newClaims(clients.Typed)
	factory.InformerFor(&corev1.PersistentVolumeClaim{},
		func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer { return store.informer() })
	member := &Member{Name: config.Name, Informers: factory, dynamic: dynamicinformer.NewDynamicSharedInformerFactory(clients.Dynamic, 0),
		owners: newOwners(clients.Dynamic, clients.Mapper, config.Clock),
		Pods:   factory.Core().V1().Pods().Informer().GetIndexer()}
	var more func() []*appsv1.DaemonSet
	if clients.DaemonSets != nil {
		var err error
		if more, err = member.watchDaemonSets(*clients.DaemonSets); err != nil {
			return nil, err
		}
	}
	o, err := oracle.New(ctx, oracle.Config{
		Client: clients.Typed, KubeConfig: clients.Rest, Informers: factory, Claims: store, Admit: member.Admit,
		Dynamic: member.dynamic, MoreDaemonSets: more,
		Configuration: config.Configuration, Plugins: config.Plugins, Clock: config.Clock,
	})
	if err != nil {
		return nil, err
	}
	factory.Core().V1().LimitRanges().Informer()
	factory.Core().V1().ResourceQuotas().Informer()
	factory.Core().V1().PersistentVolumes().Informer()
	factory.Scheduling().V1().PriorityClasses().Informer()
	factory.Node().V1().RuntimeClasses().Informer()
	factory.Apps().V1().ReplicaSets().Informer()
	member.Oracle = o
	return member, nil
}

// unfinished leaves out pods that hold nothing any more, as the scheduler's own informer does.
var unfinished = fields.AndSelectors(
	fields.OneTermNotEqualSelector("status.phase", string(corev1.PodSucceeded)),
	fields.OneTermNotEqualSelector("status.phase", string(corev1.PodFailed))).String()

// served asks which of the resources that a member may lack it has.
func (m *Mirror) served(ctx context.Context) (sets.Set[string], error) {
	config := ReadOnly(m.config.Rest, nil)
	config.Timeout = m.config.ProbeTimeout
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("building a discovery client: %w", err)
	}
	lists, err := discover(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("discovering what the member serves: %w", err)
	}
	served := sets.New[string]()
	for _, list := range lists {
		for _, resource := range list.APIResources {
			served.Insert(list.GroupVersion + "/" + resource.Name)
		}
	}
	return served, nil
}

// discover lists what the member serves: a group whose extension API server is down makes discovery partial, which is no reason not to
// mirror the rest.
func discover(ctx context.Context, client discovery.DiscoveryInterface) ([]*metav1.APIResourceList, error) {
	_, lists, err := client.ServerGroupsAndResources()
	if discovery.IsGroupDiscoveryFailedError(err) && len(lists) > 0 {
		klog.FromContext(ctx).V(1).Info("Discovery is partial", "reason", "GroupUnavailable", "error", err.Error())
		return lists, nil
	}
	return lists, err
}

// probe asks the member for its version, over and over: informers alone do not notice a member that hangs. It ends with the context, or
// with why the mirror has to be made anew: a resource that is refused for long may be one the member no longer serves.
func (m *Mirror) probe(ctx context.Context) error {
	config := readOnlyConfig(m.config.Rest, nil, m.watches)
	config.Timeout = m.config.ProbeTimeout
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return fmt.Errorf("building a discovery client: %w", err)
	}
	ticker := m.config.Clock.NewTicker(m.config.ProbeEvery)
	defer ticker.Stop()
	last := Fresh
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C():
		}
		_, err := client.ServerVersion()
		m.note(err)
		since, problem, refused := m.watches.refusal()
		if state := m.State(); state != last {
			klog.FromContext(ctx).Info("Member changed state", "from", last, "to", state, "reason", reasonOf(errors.Join(err, problem)))
			last = state
		}
		if err == nil && refused && m.config.Clock.Since(since) > m.config.KeepFor {
			return fmt.Errorf("watching is refused since %s: %w", since.UTC().Format(time.RFC3339), problem)
		}
	}
}

func reasonOf(err error) string {
	if err == nil {
		return "Answers"
	}
	return err.Error()
}

func (m *Mirror) note(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.problem = err
	if err == nil {
		m.heard = m.config.Clock.Now()
	}
}

// Tried is true once the member has been read, or could not be.
func (m *Mirror) Tried() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.member != nil || m.problem != nil
}

// State says what the mirror's knowledge is worth now.
func (m *Mirror) State() State {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.state()
}

func (m *Mirror) state() State {
	if m.member == nil {
		return Joining
	}
	switch age := m.config.Clock.Since(m.since()); {
	case age > m.config.KeepFor:
		return Lost
	case age > m.config.FreshFor || m.watches.nobody():
		return Stale
	}
	return Fresh
}

// since is how old what is known may be: the member's last answer, or the moment from which a resource could not be watched.
func (m *Mirror) since() time.Time {
	if m.watches != nil {
		if refused, _, ok := m.watches.refusal(); ok && refused.Before(m.heard) {
			return refused
		}
	}
	return m.heard
}

// Member returns what is known, as long as it may be answered from; otherwise nil and why.
func (m *Mirror) Member() (*Member, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	switch m.state() {
	case Joining:
		return nil, errors.Join(errors.New("the member has not been read yet"), m.problem)
	case Lost:
		_, refused, _ := m.watches.refusal()
		return nil, errors.Join(fmt.Errorf("nothing new is known of the member for more than %s", m.config.KeepFor), m.problem, refused)
	}
	return m.member, nil
}

// Age is how old what is known may be; 0 before anything is.
func (m *Mirror) Age() time.Duration {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.heard.IsZero() {
		return 0
	}
	return m.config.Clock.Since(m.since())
}

// Details of a mirror that is in sync.
type Details struct {
	// RefusedWatches is how many resources can be neither listed nor watched now, and Problem one of them, or why the member does not answer.
	RefusedWatches int
	Problem        error
	// QuietFor is for how long the resource has said nothing that has been silent longest; bookmarks come about once a minute.
	QuietFor time.Duration
	// Pods in memory.
	Pods int
}

// Details says more than State.
func (m *Mirror) Details() Details {
	m.mu.RLock()
	defer m.mu.RUnlock()
	d := Details{Problem: m.problem}
	if m.member == nil {
		return d
	}
	d.Pods = len(m.member.Pods.ListKeys())
	d.RefusedWatches = m.watches.failing()
	if _, problem, ok := m.watches.refusal(); ok {
		d.Problem = errors.Join(m.problem, problem)
	}
	if quietest := m.watches.quietest(); !quietest.IsZero() {
		d.QuietFor = m.config.Clock.Since(quietest)
	}
	return d
}
