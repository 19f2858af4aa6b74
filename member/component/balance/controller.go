package balance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/internal/retry"
)

// +kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups="",resources=services/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=nodes,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,resourceNames=kube-system,verbs=get

// Options of the controller.
type Options struct {
	// Concurrency is how many load balancers are worked on at once.
	Concurrency int
	// Drivers by provider: the loadBalancerClass of Services.
	Drivers map[string]Driver
	// Period is how often each load balancer is asserted anew.
	Period time.Duration
	// Metrics takes the metrics; nil is controller-runtime's registry.
	Metrics prometheus.Registerer
}

// Reconciler keeps load balancers.
type Reconciler struct {
	Options
	cache, reader client.Reader
	writer        client.Client
	requests      *prometheus.CounterVec

	mu    sync.Mutex
	owner string
	// vain is how often, one time after the other, a load balancer was asked about in vain.
	vain map[client.ObjectKey]int
}

// New is for tests that call Reconcile themselves. cache knows the Services that name a Component, and the nodes; reader asks the API
// server.
func New(options Options, cache, reader client.Reader, writer client.Client) *Reconciler {
	return &Reconciler{
		Options: options, cache: cache, reader: reader, writer: writer, requests: newRequests(), vain: map[client.ObjectKey]int{},
	}
}

// AddToManager lets mgr run the controller while it leads. Without a driver it tells of what was made by one that is gone, and reads no
// node.
func AddToManager(mgr manager.Manager, options Options) error {
	r := New(options, mgr.GetClient(), mgr.GetAPIReader(), mgr.GetClient())
	if options.Metrics == nil {
		options.Metrics = metrics.Registry
	}
	if err := options.Metrics.Register(r.requests); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	build := builder.ControllerManagedBy(mgr).Named("load-balancer").
		For(&corev1.Service{}, builder.WithPredicates(predicate.Funcs{UpdateFunc: askedAnew})).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: options.Concurrency, RateLimiter: retry.Limiter(),
		})
	if len(options.Drivers) > 0 {
		build = build.Watches(&corev1.Node{}, r.onNodes())
	}
	if err := build.Complete(r); err != nil {
		return fmt.Errorf("building the controller of load balancers: %w", err)
	}
	return nil
}

// askedAnew is true of every change but of the status: what is written there would else have the provider asked at once, again and again.
func askedAnew(e event.UpdateEvent) bool {
	before, after := e.ObjectOld.(*corev1.Service), e.ObjectNew.(*corev1.Service)
	return !equality.Semantic.DeepEqual(before.Spec, after.Spec) || !before.DeletionTimestamp.Equal(after.DeletionTimestamp) ||
		!maps.Equal(before.Annotations, after.Annotations) || !slices.Equal(before.Finalizers, after.Finalizers)
}

// together is how long a change of nodes is waited with for others: a cluster that grows tells of many.
const together = 2 * time.Second

// onNodes has every load balancer looked at when its targets may have changed.
func (r *Reconciler) onNodes() handler.EventHandler {
	all := func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		list := &corev1.ServiceList{}
		if err := r.cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			log.FromContext(ctx).Error(err, "Listing Services")
			return
		}
		for i := range list.Items {
			if r.Drivers[ClassOf(&list.Items[i])] != nil {
				queue.AddAfter(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])}, together)
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			// At the start each Service is looked at anyway, when all nodes are known.
			if !e.IsInInitialList {
				all(ctx, q)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			before, after := e.ObjectOld.(*corev1.Node), e.ObjectNew.(*corev1.Node)
			if !equality.Semantic.DeepEqual(targets([]corev1.Node{*before}), targets([]corev1.Node{*after})) {
				all(ctx, q)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			all(ctx, q)
		},
	}
}

// Reconcile brings one Service's load balancer to what is asked for, and tells how it is.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	service := &corev1.Service{}
	err := r.cache.Get(ctx, request.NamespacedName, service)
	if apierrors.IsNotFound(err) {
		// The cache loses sight of whose label was taken off.
		err = r.reader.Get(ctx, request.NamespacedName, service)
	}
	if err != nil {
		r.forget(request.NamespacedName)
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	again, err := r.handle(ctx, service)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return reconcile.Result{RequeueAfter: lookSoon}, nil
	}
	return reconcile.Result{RequeueAfter: again}, err
}

// lookSoon is for what the cache does not show yet.
const lookSoon = 200 * time.Millisecond

func (r *Reconciler) handle(ctx context.Context, service *corev1.Service) (time.Duration, error) {
	asked := ClassOf(service)
	made := ""
	if controllerutil.ContainsFinalizer(service, v1alpha1.FinalizerLoadBalancer) {
		made = service.Annotations[v1alpha1.AnnotationLoadBalancerProvider]
	}
	if made != "" && (service.DeletionTimestamp != nil || asked != made) {
		return r.remove(ctx, service, made)
	}
	driver := r.Drivers[asked]
	switch {
	case service.DeletionTimestamp != nil || driver == nil && made == "":
		return 0, nil
	case driver == nil:
		return 0, r.tell(ctx, service, notConfigured(made))
	}
	return r.ensure(ctx, service, asked, driver)
}

func (r *Reconciler) ensure(ctx context.Context, service *corev1.Service, provider string, driver Driver) (time.Duration, error) {
	owner, err := r.me(ctx)
	if err != nil {
		return 0, err
	}
	nodes := &corev1.NodeList{}
	if err := r.cache.List(ctx, nodes, client.UnsafeDisableDeepCopy); err != nil {
		return 0, fmt.Errorf("listing nodes: %w", err)
	}
	heard := Heard{Provider: provider, Service: service.Name}
	spec, err := SpecOf(service, nodes.Items, owner)
	if err != nil {
		heard.Err = fmt.Errorf("%w: %w", ErrInvalid, err)
		return 0, r.tell(ctx, service, Told(heard))
	}
	// The mark comes before what it speaks of: whoever dies in between has a mark too many, and no load balancer that nobody knows.
	if err := r.mark(ctx, service, provider); err != nil {
		return 0, err
	}
	heard.Targets = len(spec.Targets)
	heard.Balancer, heard.Err = driver.Ensure(ctx, string(service.UID), spec)
	r.count(provider, "Ensure", heard.Err)
	var busy *BusyError
	if errors.As(heard.Err, &busy) {
		// It takes no change now; how it is can be seen all the same.
		if seen, err := driver.Get(ctx, string(service.UID)); err == nil {
			told := Told(Heard{Provider: provider, Service: service.Name, Targets: heard.Targets, Balancer: seen})
			told.Again = Told(heard).Again
			return told.Again, r.tell(ctx, service, told)
		}
	}
	told := Told(heard)
	if told.Retry {
		if r.patient(service) {
			return 0, heard.Err
		}
		return 0, errors.Join(r.tell(ctx, service, told), heard.Err)
	}
	r.forget(client.ObjectKeyFromObject(service))
	if told.Again == 0 {
		told.Again = r.Period
	}
	return told.Again, r.tell(ctx, service, told)
}

// maxVain questions in a row may be asked in vain before what was seen last is no longer believed.
const maxVain = 3

// patient is true while what was seen last is believed still.
func (r *Reconciler) patient(service *corev1.Service) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := client.ObjectKeyFromObject(service)
	r.vain[key]++
	return Serves(service) && r.vain[key] < maxVain
}

func (r *Reconciler) forget(key client.ObjectKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.vain, key)
}

// remove the load balancer, and the mark when it is surely gone.
func (r *Reconciler) remove(ctx context.Context, service *corev1.Service, provider string) (time.Duration, error) {
	driver := r.Drivers[provider]
	if driver == nil {
		return 0, r.tell(ctx, service, notConfigured(provider))
	}
	key := string(service.UID)
	err := driver.Delete(ctx, key)
	r.count(provider, "Delete", err)
	if err == nil || errors.Is(err, ErrGone) {
		_, err = driver.Get(ctx, key)
		r.count(provider, "Get", err)
	}
	var busy *BusyError
	switch {
	case errors.Is(err, ErrGone):
		return 0, r.unmark(ctx, service, provider)
	case err == nil:
		return whileCreating, r.tell(ctx, service, remains(provider, ""))
	case errors.As(err, &busy):
		again := Told(Heard{Provider: provider, Err: err}).Again
		return again, r.tell(ctx, service, remains(provider, because(busy.Said)))
	}
	return 0, errors.Join(r.tell(ctx, service, remains(provider, because(err.Error()))), err)
}

// me is this cluster's own identity.
func (r *Reconciler) me(ctx context.Context) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.owner != "" {
		return r.owner, nil
	}
	namespace := &corev1.Namespace{}
	if err := r.reader.Get(ctx, client.ObjectKey{Name: "kube-system"}, namespace); err != nil {
		return "", fmt.Errorf("reading this cluster's identity, the UID of namespace kube-system: %w", err)
	}
	r.owner = string(namespace.UID)
	return r.owner, nil
}

func newRequests() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "argosy_component_load_balancer_requests_total",
		Help: "Requests to providers of load balancers, by verb and result: OK, Gone, Invalid, Busy, Unanswered.",
	}, []string{"provider", "verb", "result"})
}

func (r *Reconciler) count(provider, verb string, err error) {
	var busy *BusyError
	result := "Unanswered"
	switch {
	case err == nil:
		result = "OK"
	case errors.Is(err, ErrGone):
		result = "Gone"
	case errors.Is(err, ErrInvalid):
		result = "Invalid"
	case errors.As(err, &busy):
		result = "Busy"
	}
	r.requests.WithLabelValues(provider, verb, result).Inc()
}
