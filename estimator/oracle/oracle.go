package oracle

import (
	"context"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	schedulercache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/utils/clock"
)

// PendingIndex is the index of the pod informer that holds the pods without a node.
const PendingIndex = "pending"

// IndexPending is its index function: one key for all, so that the few pending pods are found without walking the many placed ones.
func IndexPending(object any) ([]string, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok || pod.Spec.NodeName != "" {
		return nil, nil
	}
	return []string{PendingIndex}, nil
}

// Config is what an Oracle stands on. Client and KubeConfig must refuse writes.
type Config struct {
	Client        kubernetes.Interface
	KubeConfig    *rest.Config
	Informers     informers.SharedInformerFactory
	Dynamic       dynamicinformer.DynamicSharedInformerFactory
	Configuration *schedulerconfig.KubeSchedulerConfiguration
	Plugins       Plugins
	Clock         clock.PassiveClock
	// Admit, if set, is what the member's admission makes of a pod, or an error if it refuses it.
	Admit func(*corev1.Pod) (*corev1.Pod, error)
	// MoreDaemonSets, if set, lists those of other kinds than Kubernetes' own (OpenKruise's).
	MoreDaemonSets func() []*appsv1.DaemonSet
	// Claims, if set, makes claims appear to the scheduler that the member does not have yet.
	Claims ClaimStore
}

// ClaimStore adds claims to what the scheduler's informers see, and takes them away again.
type ClaimStore interface {
	Add(...*corev1.PersistentVolumeClaim)
	Remove(...*corev1.PersistentVolumeClaim)
}

// Oracle is one member's scheduler on the member's mirror.
type Oracle struct {
	sched      *scheduler.Scheduler
	views      map[string]*view
	fallback   string
	namespaces corelisters.NamespaceLister
	pods       cache.Indexer
	clock      clock.PassiveClock
	memo       *memo
	census     *census
	claimStore ClaimStore
	// claimsMade counts the claims ever made up; it belongs to whoever holds the turn.
	claimsMade int64
	volumes    corelisters.PersistentVolumeClaimLister
	classes    storagelisters.StorageClassLister
	drivers    storagelisters.CSINodeLister
	storage    storagelisters.CSIDriverLister

	// turn is held by whoever changes the scheduler's cache by assuming pods. A channel, not a mutex: waiting for it ends with the context.
	turn     chan struct{}
	foreseen *foreseen
	// guard: shared is written under Lock (in place: UpdateSnapshot keeps the nodes' pointers) and read under RLock.
	guard  sync.RWMutex
	shared picture
	// behind is the state with the reservations ahead of one question in place; it belongs to whoever holds the turn.
	behind picture
}

// picture is the member at one moment.
type picture struct {
	snapshot *schedulercache.Snapshot
	// nodes are the snapshot's with the DaemonSet pods they are still to get: what the closed forms count on.
	nodes []expecting
}

// New builds the member's scheduler. It must be called before the informers start; the scheduler itself is never run.
func New(ctx context.Context, config Config) (*Oracle, error) {
	pods := config.Informers.Core().V1().Pods().Informer()
	if _, indexed := pods.GetIndexer().GetIndexers()[PendingIndex]; !indexed {
		if err := pods.AddIndexers(cache.Indexers{PendingIndex: IndexPending}); err != nil {
			return nil, fmt.Errorf("indexing pending pods: %w", err)
		}
	}
	configuration := config.Configuration.DeepCopy()
	sched, err := scheduler.New(ctx, config.Client, config.Informers, config.Dynamic,
		func(string) events.EventRecorder { return silent{} },
		scheduler.WithComponentConfigVersion(configuration.APIVersion),
		scheduler.WithKubeConfig(config.KubeConfig),
		scheduler.WithProfiles(configuration.Profiles...),
		scheduler.WithPercentageOfNodesToScore(configuration.PercentageOfNodesToScore),
		scheduler.WithFrameworkOutOfTreeRegistry(config.Plugins.Factories),
		scheduler.WithExtenders(configuration.Extenders...),
		scheduler.WithParallelism(configuration.Parallelism),
	)
	if err != nil {
		return nil, fmt.Errorf("building the member's scheduler: %w", err)
	}
	o := &Oracle{
		sched:      sched,
		views:      map[string]*view{},
		fallback:   configuration.Profiles[0].SchedulerName,
		namespaces: config.Informers.Core().V1().Namespaces().Lister(),
		pods:       pods.GetIndexer(),
		clock:      config.Clock,
		memo:       newMemo(memoTables),
		census:     newCensus(),
		claimStore: config.Claims,
		volumes:    config.Informers.Core().V1().PersistentVolumeClaims().Lister(),
		classes:    config.Informers.Storage().V1().StorageClasses().Lister(),
		drivers:    config.Informers.Storage().V1().CSINodes().Lister(),
		storage:    config.Informers.Storage().V1().CSIDrivers().Lister(),
		turn:       make(chan struct{}, 1),
		shared:     picture{snapshot: schedulercache.NewEmptySnapshot()},
		behind:     picture{snapshot: schedulercache.NewEmptySnapshot()},
		foreseen:   &foreseen{sets: config.Informers.Apps().V1().DaemonSets().Lister(), more: config.MoreDaemonSets, admit: config.Admit},
	}
	// The shared snapshot is handed to the views here and only refreshed later: it stays one object.
	for i := range configuration.Profiles {
		profile := &configuration.Profiles[i]
		v, err := o.newView(ctx, config, profile)
		if err != nil {
			return nil, fmt.Errorf("profile %q: %w", profile.SchedulerName, err)
		}
		o.views[profile.SchedulerName] = v
	}
	return o, nil
}

// WaitForSync waits until the scheduler's own cache holds what the informers hold.
func (o *Oracle) WaitForSync(ctx context.Context) error {
	if err := o.sched.WaitForHandlersSync(ctx); err != nil {
		return fmt.Errorf("filling the scheduler's cache: %w", err)
	}
	return nil
}

// Nodes is the number of nodes in the last snapshot.
func (o *Oracle) Nodes() int {
	o.guard.RLock()
	defer o.guard.RUnlock()
	return o.shared.snapshot.NumNodes()
}

// acquire takes the turn, or gives up with the context.
func (o *Oracle) acquire(ctx context.Context) error {
	select {
	case o.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the turn to place pods: %w", context.Cause(ctx))
	}
}

func (o *Oracle) release() { <-o.turn }

// refresh brings the shared picture up to date. The caller holds the turn and has assumed nothing: others count on it.
func (o *Oracle) refresh(ctx context.Context) error {
	o.guard.Lock()
	defer o.guard.Unlock()
	return o.takePicture(ctx, &o.shared)
}

// takePicture makes a picture of what the scheduler's cache holds. The caller holds the turn.
func (o *Oracle) takePicture(ctx context.Context, p *picture) error {
	if err := o.sched.Cache.UpdateSnapshot(klog.FromContext(ctx), p.snapshot); err != nil {
		return fmt.Errorf("taking a snapshot: %w", err)
	}
	nodes, err := p.snapshot.NodeInfos().List()
	if err != nil {
		return fmt.Errorf("listing nodes: %w", err)
	}
	p.nodes, err = o.foreseen.add(nodes)
	return err
}

// refreshIfFree is refresh for a reader: while someone places copies, the last picture, at most one deadline old, has to do.
func (o *Oracle) refreshIfFree(ctx context.Context) error {
	select {
	case o.turn <- struct{}{}:
		defer o.release()
		return o.refresh(ctx)
	default:
		return nil
	}
}

// view returns the profile a pod asks for. A scheduler that the configuration does not know is a stranger: the first profile stands in, and
// the answer says so.
func (o *Oracle) view(pod *corev1.Pod) (*view, bool) {
	if v, ok := o.views[pod.Spec.SchedulerName]; ok {
		return v, true
	}
	return o.views[o.fallback], false
}

// gated says whether the pod would not even be tried: scheduling gates and other PreEnqueue plugins.
func (v *view) gated(ctx context.Context, pod *corev1.Pod) *fwk.Status {
	for _, plugin := range v.full.PreEnqueuePlugins() {
		if status := plugin.PreEnqueue(ctx, pod); !status.IsSuccess() {
			return status.WithPlugin(plugin.Name())
		}
	}
	return nil
}

// silent drops the events that scheduler and plugins would send to the member.
type silent struct{}

func (silent) Eventf(runtime.Object, runtime.Object, string, string, string, string, ...any) {}

// remaining is how long the context still runs, and whether it has an end.
func (o *Oracle) remaining(ctx context.Context) (time.Duration, bool) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0, false
	}
	return deadline.Sub(o.clock.Now()), true
}
