package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	karmada "github.com/karmada-io/karmada/pkg/generated/clientset/versioned"
	karmadainformers "github.com/karmada-io/karmada/pkg/generated/informers/externalversions"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/estimator/inflight"
	"github.com/argosy-dev/argosy/internal/members"
)

const (
	// again is how often every Cluster's secret is read anew, so that a renewed token is noticed; one that is refused, at once.
	again = time.Minute
	// firstReading bounds how long a new replica is not ready for the sake of a member that neither answers nor refuses.
	firstReading = 30 * time.Second
	// soon is when a Cluster that could not be joined is tried again: its secret may come after it.
	soon = 5 * time.Second
)

// What the estimator reads in karmada-apiserver; of secrets only the members' own.
//
// +kubebuilder:rbac:groups=cluster.karmada.io,resources=clusters,verbs=get;list;watch
// +kubebuilder:rbac:groups=work.karmada.io,resources=resourcebindings,verbs=get;list;watch
// +kubebuilder:rbac:groups="",namespace=karmada-cluster,resources=secrets,verbs=get

// Watcher follows Clusters and ResourceBindings of karmada-apiserver.
type Watcher struct {
	Fleet    *Fleet
	Promises *inflight.Ledger
	Karmada  karmada.Interface
	Secrets  kubernetes.Interface
	// Fixed are members whose connection the configuration gives; their Clusters are not asked for one.
	Fixed map[string]Connection
	// FollowClusters is off where only the fixed members are served.
	FollowClusters bool
	// Selector, if set, narrows the Clusters that are followed.
	Selector labels.Selector
	// Register lets Karmada find us for these members; nil leaves that to somebody else.
	Register func(ctx context.Context, members []string) error
	// Expected are registered though they have no Cluster yet.
	Expected []string
	Clock    clock.WithTicker

	// listed is when every Cluster of the first list had been joined, or could not be.
	listed atomic.Pointer[time.Time]
	ready  atomic.Bool
}

// Ready says whether this process may be asked in place of another: it knows the members, and has read each of them or could not. From then
// on it stays ready. A member that joins later, or is away, makes nobody unready: its neighbours must be answered for.
func (w *Watcher) Ready() error {
	if w.ready.Load() {
		return nil
	}
	listed := w.listed.Load()
	if listed == nil {
		return errors.New("the members are not known yet")
	}
	if untried := w.Fleet.untried(); len(untried) > 0 && w.Clock.Since(*listed) < firstReading {
		return fmt.Errorf("still reading %s", strings.Join(untried, ", "))
	}
	w.ready.Store(true)
	return nil
}

// Run joins the fixed members and follows the Clusters until the context ends.
func (w *Watcher) Run(ctx context.Context) error {
	for name, connection := range w.Fixed {
		w.Fleet.Join(ctx, name, connection)
	}
	if w.Karmada == nil {
		now := w.Clock.Now()
		w.listed.Store(&now)
		<-ctx.Done()
		return nil
	}
	clusters, changed, err := w.follow(ctx)
	if err != nil {
		return err
	}
	ticker := w.Clock.NewTicker(again)
	defer ticker.Stop()
	var retry <-chan time.Time
	var synced time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-retry:
		case <-ticker.C():
		case <-w.Fleet.unauthorized:
			// A member takes us for nobody: its token may have been renewed. It says so with each request.
			if since := w.Clock.Since(synced); since < soon {
				if retry == nil {
					retry = w.Clock.After(soon - since)
				}
				continue
			}
		}
		retry = nil
		if !w.sync(ctx, clusters) {
			retry = w.Clock.After(soon)
		}
		synced = w.Clock.Now()
	}
}

// follow starts the informers. It returns how to list the Clusters, and what tells that they changed.
func (w *Watcher) follow(ctx context.Context) (func() ([]*clusterv1alpha1.Cluster, error), <-chan struct{}, error) {
	factory := karmadainformers.NewSharedInformerFactoryWithOptions(w.Karmada, 0, karmadainformers.WithTransform(trimBinding))
	clusters := factory.Cluster().V1alpha1().Clusters()
	changed := make(chan struct{}, 1)
	signal := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	if w.FollowClusters {
		if _, err := clusters.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { signal() }, DeleteFunc: func(any) { signal() },
			// Karmada writes every Cluster's status every few seconds: that is no news.
			UpdateFunc: func(before, now any) {
				if movedOrLeaves(before.(*clusterv1alpha1.Cluster), now.(*clusterv1alpha1.Cluster)) {
					signal()
				}
			}}); err != nil {
			return nil, nil, fmt.Errorf("watching clusters: %w", err)
		}
	}
	if _, err := factory.Work().V1alpha2().ResourceBindings().Informer().AddEventHandler(w.bindings()); err != nil {
		return nil, nil, fmt.Errorf("watching bindings: %w", err)
	}
	factory.Start(ctx.Done())
	if !w.FollowClusters {
		signal()
		return func() ([]*clusterv1alpha1.Cluster, error) { return nil, nil }, changed, nil
	}
	// Half a list would take members away that are there.
	if !cache.WaitForCacheSync(ctx.Done(), clusters.Informer().HasSynced) {
		return nil, nil, fmt.Errorf("listing clusters: %w", context.Cause(ctx))
	}
	signal()
	selected := labels.Everything()
	if w.Selector != nil {
		selected = w.Selector
	}
	return func() ([]*clusterv1alpha1.Cluster, error) { return clusters.Lister().List(selected) }, changed, nil
}

// movedOrLeaves: the way to the member is another, the member may be another instance's now, or it is on its way out.
func movedOrLeaves(before, now *clusterv1alpha1.Cluster) bool {
	return before.UID != now.UID || before.DeletionTimestamp.IsZero() != now.DeletionTimestamp.IsZero() ||
		!equality.Semantic.DeepEqual(before.Spec, now.Spec) ||
		!maps.Equal(before.Labels, now.Labels)
}

// sideBySide so many members' Secrets are read at a time: the last of five hundred shall not wait for all others, nor for those of them
// whose Secret takes its whole time.
const sideBySide = 16

// sync makes the fleet what the Clusters say, and tells whether it could. One bad Cluster does not keep the others from joining.
func (w *Watcher) sync(ctx context.Context, list func() ([]*clusterv1alpha1.Cluster, error)) bool {
	logger := klog.FromContext(ctx)
	clusters, err := list()
	if err != nil {
		logger.Error(err, "Could not list clusters", "reason", "Listers")
		return false
	}
	wanted, registered := map[string]bool{}, map[string]bool{}
	for name := range w.Fixed {
		wanted[name], registered[name] = true, true
	}
	for _, name := range w.Expected {
		registered[name] = true
	}
	for _, cluster := range clusters {
		registered[cluster.Name] = true
		wanted[cluster.Name] = wanted[cluster.Name] || cluster.DeletionTimestamp.IsZero()
	}
	all := w.register(ctx, slices.Sorted(maps.Keys(registered)))
	clusters = slices.DeleteFunc(clusters, func(cluster *clusterv1alpha1.Cluster) bool {
		_, fixed := w.Fixed[cluster.Name]
		return fixed || !wanted[cluster.Name]
	})
	connections, failures := make([]Connection, len(clusters)), make([]error, len(clusters))
	workqueue.ParallelizeUntil(ctx, sideBySide, len(clusters), func(i int) {
		connections[i], failures[i] = ConnectionOf(ctx, w.Secrets, clusters[i])
	})
	if ctx.Err() != nil {
		return false // not every Secret was asked for
	}
	for i, cluster := range clusters {
		if err := failures[i]; err != nil {
			all = false
			logger.Error(err, "Could not join member", "member", cluster.Name, "reason", "Connection")
			w.Fleet.Unreached(cluster.Name, err)
			continue
		}
		w.Fleet.Join(ctx, cluster.Name, connections[i])
	}
	for _, status := range w.Fleet.Statuses() {
		if !wanted[status.Name] {
			w.Fleet.Leave(ctx, status.Name)
		}
	}
	now := w.Clock.Now()
	w.listed.CompareAndSwap(nil, &now)
	return all
}

// register comes before joining: until the last of the members has its Service, karmada-scheduler goes by no answer for any of
// them. For the same reason a member has its Service until its Cluster is gone.
func (w *Watcher) register(ctx context.Context, members []string) bool {
	if w.Register == nil {
		return true
	}
	err := w.Register(ctx, members)
	if err != nil {
		klog.FromContext(ctx).Error(err, "Could not register with karmada-scheduler", "reason", "Services")
	}
	return err == nil
}

// ConnectionOf reads the member's credentials from the secret that karmadactl join made.
func ConnectionOf(ctx context.Context, secrets kubernetes.Interface, cluster *clusterv1alpha1.Cluster) (Connection, error) {
	spec := cluster.Spec
	if spec.APIEndpoint == "" || spec.SecretRef == nil {
		return Connection{},
			fmt.Errorf(
				"cluster %s: spec.apiEndpoint or spec.secretRef is empty (a pull-mode member?): give its kubeconfig in the configuration's members",
				cluster.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	secret, err := secrets.CoreV1().Secrets(spec.SecretRef.Namespace).Get(ctx, spec.SecretRef.Name, metav1.GetOptions{})
	if err != nil {
		return Connection{}, fmt.Errorf("cluster %s: reading secret %s/%s: %w", cluster.Name, spec.SecretRef.Namespace, spec.SecretRef.Name, err)
	}
	config, err := members.Config(cluster, secret)
	if err != nil {
		return Connection{}, err
	}
	// The token is renewed more often than anything else changes, and apart from it.
	token := config.BearerToken
	config.BearerToken = ""
	return Connection{Rest: config, Proxy: members.Proxy(cluster), Token: token}, nil
}

func (w *Watcher) bindings() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(object any, initial bool) {
			w.Promises.Observe(object.(*workv1alpha2.ResourceBinding), w.Clock.Now(), initial)
		},
		UpdateFunc: func(_, object any) {
			w.Promises.Observe(object.(*workv1alpha2.ResourceBinding), w.Clock.Now(), false)
		},
		DeleteFunc: func(object any) {
			if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = gone.Obj
			}
			if binding, ok := object.(*workv1alpha2.ResourceBinding); ok {
				w.Promises.Forget(binding.Namespace, binding.Name)
			}
		},
	}
}

// trimBinding keeps of a binding what a promise needs.
func trimBinding(object any) (any, error) {
	if binding, ok := object.(*workv1alpha2.ResourceBinding); ok {
		spec := binding.Spec
		return &workv1alpha2.ResourceBinding{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: binding.Namespace, Name: binding.Name, UID: binding.UID, ResourceVersion: binding.ResourceVersion,
			},
			Status: workv1alpha2.ResourceBindingStatus{LastScheduledTime: binding.Status.LastScheduledTime},
			Spec: workv1alpha2.ResourceBindingSpec{
				Resource: spec.Resource, ReplicaRequirements: spec.ReplicaRequirements, Clusters: spec.Clusters,
			},
		}, nil
	}
	return object, nil
}
