package fedhpa

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	karmadaautoscaling "github.com/karmada-io/karmada/pkg/apis/autoscaling/v1alpha1"
	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util"
	"github.com/prometheus/client_golang/prometheus"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/internal/binding"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/estimators"
	"github.com/argosy-dev/argosy/internal/members"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/internal/retry"
	"github.com/argosy-dev/argosy/internal/served"
)

// Indexes of the caches.
const (
	cronTargetIndex = "fedhpa.cronTarget"
	workOwnerIndex  = "fedhpa.workOwner"
)

// Targets of other kinds than those below need a ClusterRole of their own for argosy-controller-manager: get, list, watch and patch of the
// kind, get and patch of its scale.
//
// +kubebuilder:rbac:groups=autoscaling.argosy.dev,resources=fedhpas,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=autoscaling.argosy.dev,resources=fedhpas/status,verbs=patch
// +kubebuilder:rbac:groups=autoscaling.argosy.dev,resources=cronhpas,verbs=get;list;watch
// +kubebuilder:rbac:groups=autoscaling,resources=horizontalpodautoscalers,verbs=get;list;watch
// +kubebuilder:rbac:groups=autoscaling,resources=horizontalpodautoscalers/status,verbs=patch
// +kubebuilder:rbac:groups=autoscaling,resources=horizontalpodautoscalers/finalizers,verbs=update
// +kubebuilder:rbac:groups=autoscaling.karmada.io,resources=federatedhpas,verbs=get;list;watch
// +kubebuilder:rbac:groups=keda.sh,resources=scaledobjects,verbs=get;list;watch
//
// +kubebuilder:rbac:groups=config.karmada.io,resources=resourceinterpreterwebhookconfigurations;resourceinterpretercustomizations,verbs=get;list;watch
// +kubebuilder:rbac:groups=work.karmada.io,resources=resourcebindings,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=work.karmada.io,resources=works,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=cluster.karmada.io,resources=clusters,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=services;secrets,verbs=get
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch
// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets;replicasets,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=apps,resources=deployments/scale;statefulsets/scale;replicasets/scale,verbs=get;patch
// +kubebuilder:rbac:groups=apps.kruise.io,resources=clonesets;statefulsets,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=apps.kruise.io,resources=clonesets/scale;statefulsets/scale,verbs=get;patch
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmreplicasets;vmdeployments,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmreplicasets/scale;vmdeployments/scale,verbs=get;patch
// +kubebuilder:rbac:groups=component.luojilab.com,resources=components,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=component.luojilab.com,resources=components/scale,verbs=get;patch

// AddToManager adds FedHPA's two controllers: the one that divides, and the one that makes annotated HPAs into FedHPAs. The manager's
// cache needs the indexes of package autoscalers.
func AddToManager(ctx context.Context, mgr manager.Manager, cfg config.FedHPA, registry prometheus.Registerer) error {
	measures := newMeasures()
	if err := measures.register(registry); err != nil {
		return fmt.Errorf("registering metrics of FedHPA: %w", err)
	}
	asker, err := estimators.New(mgr.GetAPIReader(), cfg.Estimators, clock.RealClock{})
	if err != nil {
		return err
	}
	own, err := ownCache(ctx, mgr)
	if err != nil {
		return err
	}
	if err := index(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	c := &Controller{
		client: mgr.GetClient(),
		gatherer: gatherer{
			client: mgr.GetClient(), works: own, targets: own, keda: &autoscalers.ScaledObjects{Cache: mgr.GetCache()},
			live:       liveReader{Reader: mgr.GetAPIReader(), SubResourceClientConstructor: mgr.GetClient()},
			reach:      &members.Members{Reader: mgr.GetAPIReader()},
			scales:     &scales{known: map[types.NamespacedName]knownScale{}},
			unlistable: &unlistable{clock: clock.RealClock{}, since: map[schema.GroupVersionKind]time.Time{}},
			room:       &room{estimator: asker, clock: clock.RealClock{}, metrics: measures, known: map[types.NamespacedName]knownRoom{}},
		},
		applier:  applier{client: mgr.GetClient()},
		recorder: program.Events(mgr, "fedhpa"),
		metrics:  measures,
		clock:    clock.RealClock{},
	}
	if err := watch(mgr, c, own, cfg.Concurrency); err != nil {
		return fmt.Errorf("setting up the FedHPA controller: %w", err)
	}
	alias := &Alias{client: mgr.GetClient(), recorder: program.Events(mgr, "fedhpa")}
	return alias.setup(mgr)
}

// liveReader reads past the caches, subresources included.
type liveReader struct {
	client.Reader
	client.SubResourceClientConstructor
}

// ownCache holds what only FedHPA needs: the Works of members' autoscalers, by label, of all the Works of a
// federation, and targets' metadata.
func ownCache(ctx context.Context, mgr manager.Manager) (cache.Cache, error) {
	own, err := cache.New(mgr.GetConfig(), cache.Options{
		Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&workv1alpha1.Work{}: {Label: labels.SelectorFromSet(labels.Set{api.FedHPAManagedLabel: "true"})},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("building FedHPA's cache: %w", err)
	}
	err = own.IndexField(ctx, &workv1alpha1.Work{}, workOwnerIndex, func(o client.Object) []string {
		return []string{o.GetAnnotations()[api.FedHPAOwnerAnnotation]}
	})
	if err != nil {
		return nil, fmt.Errorf("indexing Works by owner: %w", err)
	}
	if err := mgr.Add(own); err != nil {
		return nil, fmt.Errorf("adding FedHPA's cache: %w", err)
	}
	return own, nil
}

func index(ctx context.Context, indexer client.FieldIndexer) error {
	err := indexer.IndexField(ctx, &api.CronHPA{}, cronTargetIndex, func(o client.Object) []string {
		if ref := o.(*api.CronHPA).Spec.ScaleTargetRef; ref.Kind == "FedHPA" {
			return []string{ref.Name}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("indexing CronHPAs by FedHPA: %w", err)
	}
	return nil
}

// watch names everything that makes a FedHPA worth looking at.
func watch(mgr manager.Manager, c *Controller, own cache.Cache, concurrency int) error {
	toTarget := func(ctx context.Context, o client.Object) []reconcile.Request {
		b := o.(*workv1alpha2.ResourceBinding)
		ref := autoscalingv2.CrossVersionObjectReference{
			APIVersion: b.Spec.Resource.APIVersion,
			Kind:       b.Spec.Resource.Kind,
			Name:       b.Spec.Resource.Name,
		}
		return c.withTarget(ctx, b.Namespace, ref)
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("fedhpa").
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency, RateLimiter: retry.Limiter()}).
		For(&api.FedHPA{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&workv1alpha2.ResourceBinding{}, handler.EnqueueRequestsFromMapFunc(toTarget)).
		Watches(&api.CronHPA{}, handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
			cron := o.(*api.CronHPA)
			if cron.Spec.ScaleTargetRef.Kind != "FedHPA" {
				return nil
			}
			return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: cron.Namespace, Name: cron.Spec.ScaleTargetRef.Name}}}
		})).
		Watches(&api.FedHPA{}, handler.EnqueueRequestsFromMapFunc(c.ofRival), builder.WithPredicates(rivalChanged())).
		Watches(&autoscalingv2.HorizontalPodAutoscaler{}, handler.EnqueueRequestsFromMapFunc(c.ofRival), builder.WithPredicates(rivalChanged())).
		Watches(&clusterv1alpha1.Cluster{}, handler.EnqueueRequestsFromMapFunc(c.ofCluster), builder.WithPredicates(reachabilityChanged())).
		WatchesRawSource(source.Kind(own, &workv1alpha1.Work{}, handler.TypedEnqueueRequestsFromMapFunc(ownerOf))).
		WatchesRawSource(c.rivalsWhenServed(mgr, schema.FromAPIVersionAndKind(karmadaautoscaling.GroupVersion.String(), "FederatedHPA"),
			&karmadaautoscaling.FederatedHPA{}, nil)).
		WatchesRawSource(c.rivalsWhenServed(mgr, autoscalers.ScaledObject, autoscalers.NewScaledObject(), &c.gatherer.keda.Served)).
		Complete(c)
}

// rivalsWhenServed watches a kind of autoscaler that karmada-apiserver may not serve, or serve only later. No controller waits for it.
// One that was met before its kind was watched may be gone again by then: once it is, which watched says if it is not nil, all is looked
// at anew.
func (c *Controller) rivalsWhenServed(mgr manager.Manager, kind schema.GroupVersionKind, object client.Object,
	watched *atomic.Bool) source.Source {
	watch := source.Kind(mgr.GetCache(), object, handler.EnqueueRequestsFromMapFunc(c.ofRival), rivalChanged())
	return source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		go func() {
			err := served.Wait(ctx, mgr, kind, "no second autoscaler of that kind is looked for")
			if err == nil {
				err = watch.Start(ctx, queue)
			}
			if err == nil {
				err = watch.WaitForSync(ctx)
			}
			if err == nil && watched != nil {
				watched.Store(true)
			}
			var feds api.FedHPAList
			if err == nil {
				err = c.client.List(ctx, &feds, client.UnsafeDisableDeepCopy)
			}
			for _, request := range requests(feds.Items, func(*api.FedHPA) bool { return true }) {
				queue.Add(request)
			}
			if err != nil && ctx.Err() == nil {
				mgr.GetLogger().Error(err, "Watching an optional kind", "kind", kind.String())
			}
		}()
		return nil
	})
}

// ownerOf maps the Work of a member's autoscaler to its FedHPA.
func ownerOf(_ context.Context, work *workv1alpha1.Work) []reconcile.Request {
	namespace, name, ok := strings.Cut(work.Annotations[api.FedHPAOwnerAnnotation], "/")
	if !ok {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}}
}

// withTarget lists the FedHPAs of a target.
func (c *Controller) withTarget(ctx context.Context, namespace string,
	target autoscalingv2.CrossVersionObjectReference) []reconcile.Request {
	var feds api.FedHPAList
	err := c.client.List(ctx, &feds, client.InNamespace(namespace), autoscalers.Indexed(target), client.UnsafeDisableDeepCopy)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing FedHPAs of a target", "target", autoscalers.TargetKey(target))
		return nil
	}
	return requests(feds.Items, func(*api.FedHPA) bool { return true })
}

// ofRival lists the FedHPAs that another autoscaler of the same target keeps from acting, or no longer does.
func (c *Controller) ofRival(ctx context.Context, o client.Object) []reconcile.Request {
	target, ok := autoscalers.Target(o)
	if !ok {
		return nil
	}
	return c.withTarget(ctx, o.GetNamespace(), target)
}

// rivalChanged lets pass what makes an autoscaler a rival or ends it: that it comes, goes, is annotated, propagated, or aims elsewhere.
// What it says of itself all the time, its status, does not.
func rivalChanged() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, _ := autoscalers.Target(e.ObjectOld)
			after, _ := autoscalers.Target(e.ObjectNew)
			annotated := e.ObjectOld.GetAnnotations()[api.FederateAnnotation] != e.ObjectNew.GetAnnotations()[api.FederateAnnotation]
			return before != after || annotated || binding.ClaimedBy(e.ObjectOld) != binding.ClaimedBy(e.ObjectNew)
		},
	}
}

// ofCluster lists the FedHPAs that have to do with a cluster.
func (c *Controller) ofCluster(ctx context.Context, o client.Object) []reconcile.Request {
	var feds api.FedHPAList
	if err := c.client.List(ctx, &feds, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing FedHPAs of a cluster", "cluster", o.GetName())
		return nil
	}
	return requests(feds.Items, func(f *api.FedHPA) bool {
		for _, s := range f.Status.Clusters {
			if s.Name == o.GetName() {
				return true
			}
		}
		if f.Spec.Distribution != nil {
			for _, d := range f.Spec.Distribution.Clusters {
				if d.Name == o.GetName() {
					return true
				}
			}
		}
		return false
	})
}

func requests(feds []api.FedHPA, keep func(*api.FedHPA) bool) []reconcile.Request {
	var out []reconcile.Request
	for i := range feds {
		if keep(&feds[i]) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&feds[i])})
		}
	}
	return out
}

// reachabilityChanged lets pass what changes a cluster's part: joined, gone, reachable or not, taints. Its resource summary changes all the
// time; that is looked at with every decision and every two minutes.
func reachabilityChanged() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, after := e.ObjectOld.(*clusterv1alpha1.Cluster), e.ObjectNew.(*clusterv1alpha1.Cluster)
			return util.IsClusterReady(&before.Status) != util.IsClusterReady(&after.Status) ||
				(before.DeletionTimestamp == nil) != (after.DeletionTimestamp == nil) ||
				!equality.Semantic.DeepEqual(before.Spec.Taints, after.Spec.Taints) ||
				!equality.Semantic.DeepEqual(before.Labels, after.Labels)
		},
	}
}
