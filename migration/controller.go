package migration

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/members"
	"github.com/argosy-dev/argosy/internal/retry"
	"github.com/argosy-dev/argosy/migration/plan"
	"github.com/argosy-dev/argosy/migration/policy"
)

// ControllerName in logs, metrics and events.
const ControllerName = "migration"

// Controller moves each Migration one step at a time.
type Controller struct {
	// Client writes to karmada-apiserver; Reader reads it past every cache.
	Client client.Client
	Reader client.Reader
	// Members are reached for reading and for dry runs.
	Members *members.Members
	// Retainer is Karmada's resource interpreter.
	Retainer Retainer
	Clock    clock.PassiveClock
	Events   record.EventRecorder
	// HTTP asks Prometheus gates.
	HTTP *http.Client
	// failing since when, by Migration. It only says how soon people are told: a restart begins to count anew.
	failing sync.Map
	pace    pace
}

// SetupWithManager runs the controller with so many applications at a time.
func (c *Controller) SetupWithManager(mgr manager.Manager, concurrency int) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named(ControllerName).
		For(&v1alpha1.Migration{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.MigrationWhitelist{}, handler.EnqueueRequestsFromMapFunc(c.listedBy),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&policyv1alpha1.PropagationPolicy{}, handler.EnqueueRequestsFromMapFunc(owners),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency, RateLimiter: retry.Limiter()}).
		Complete(c)
}

// listedBy a whitelist now, or before its last edit.
func (c *Controller) listedBy(ctx context.Context, object client.Object) []reconcile.Request {
	whitelist, ok := object.(*v1alpha1.MigrationWhitelist)
	if !ok {
		return nil
	}
	var requests []reconcile.Request
	for i := range whitelist.Spec.Entries {
		entry := &whitelist.Spec.Entries[i]
		requests = append(requests, reconcile.Request{
			NamespacedName: client.ObjectKey{Namespace: entry.Namespace, Name: policy.Name(entry.Kind, entry.Name)},
		})
	}
	var migrations v1alpha1.MigrationList
	if err := c.Client.List(ctx, &migrations); err != nil {
		log.FromContext(ctx).Error(err, "Listing migrations of a whitelist; those taken off are looked at with their next period")
		return requests
	}
	for i := range migrations.Items {
		if migrations.Items[i].Status.Whitelist == whitelist.Name {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&migrations.Items[i])})
		}
	}
	return requests
}

// owners of a policy that we authored: its Migration, and those of all who share its object.
func owners(_ context.Context, object client.Object) []reconcile.Request {
	names := map[string]bool{object.GetLabels()[v1alpha1.LabelManagedBy]: true}
	for user := range strings.SplitSeq(object.GetAnnotations()[v1alpha1.AnnotationReferrers], ",") {
		if kind, name, ok := strings.Cut(user, "/"); ok {
			names[policy.Name(kind, name)] = true
		}
	}
	delete(names, "")
	requests := make([]reconcile.Request, 0, len(names))
	for name := range names {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKey{Namespace: object.GetNamespace(), Name: name}})
	}
	return requests
}

// +kubebuilder:rbac:groups=migration.argosy.dev,resources=migrations,verbs=get;list;watch;create;delete
// +kubebuilder:rbac:groups=migration.argosy.dev,resources=migrations/status;migrationwhitelists/status,verbs=get;patch;update
// +kubebuilder:rbac:groups=migration.argosy.dev,resources=migrationwhitelists,verbs=get;list;watch
// +kubebuilder:rbac:groups=policy.karmada.io,resources=propagationpolicies;overridepolicies,verbs=get;list;watch;create;update;patch;delete
// +kubebuilder:rbac:groups=policy.karmada.io,resources=clusterpropagationpolicies,verbs=get;list
// +kubebuilder:rbac:groups=work.karmada.io,resources=resourcebindings,verbs=get;patch;update
// +kubebuilder:rbac:groups=work.karmada.io,resources=works,verbs=get
// +kubebuilder:rbac:groups=cluster.karmada.io,resources=clusters,verbs=get;list
// +kubebuilder:rbac:groups=config.karmada.io,resources=resourceinterpretercustomizations;resourceinterpreterwebhookconfigurations,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;create;patch
// +kubebuilder:rbac:groups="",resources=configmaps;secrets;serviceaccounts;persistentvolumeclaims;services,verbs=get;create;update;patch;delete
// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets;daemonsets,verbs=get;create;update;patch;delete
// +kubebuilder:rbac:groups=apps.kruise.io,resources=clonesets;statefulsets;daemonsets,verbs=get;create;update;patch;delete
// +kubebuilder:rbac:groups=networking.k8s.io,resources=ingresses,verbs=get;create;update;patch;delete
// +kubebuilder:rbac:groups=autoscaling,resources=horizontalpodautoscalers,verbs=get;create;update;patch;delete
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;create;update;patch;delete
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch

// Reconcile gathers the world, lets the planner decide, records the intent, and carries it out.
func (c *Controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	migration := &v1alpha1.Migration{}
	if err := c.Reader.Get(ctx, request.NamespacedName, migration); err != nil {
		c.pace.forget(request.NamespacedName)
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if !migration.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, nil
	}
	started := c.Clock.Now()
	world, err := c.gather(ctx, migration)
	if err != nil {
		err = fmt.Errorf("gathering the world of %s: %w", request, err)
		c.lasting(ctx, migration, err)
		return reconcile.Result{}, err
	}
	c.failing.Delete(request.NamespacedName)
	decision := plan.Next(world)
	stepSeconds.WithLabelValues(decision.Step).Observe(c.Clock.Since(started).Seconds())
	decided := *decision.Status.DeepCopy()
	again := repeat(&migration.Status, &decision)
	// The status goes first: a step that opens a cluster is recorded, with its evidence, before it is taken.
	if err := c.record(ctx, migration, decision); err != nil {
		return unrecorded(request, err)
	}
	log.FromContext(ctx).V(1).Info("Decided", "step", decision.Step, "phase", decision.Status.Phase, "actions", len(decision.Actions))
	if err := c.apply(ctx, migration.Namespace, decision.Actions); err != nil {
		return c.failed(ctx, migration, err)
	}
	if again {
		migration.Status = decided
		if err := c.Client.Status().Update(ctx, migration); err != nil {
			return unrecorded(request, err)
		}
	}
	return reconcile.Result{RequeueAfter: c.pace.next(request.NamespacedName, decision)}, nil
}

func unrecorded(request reconcile.Request, err error) (reconcile.Result, error) {
	if apierrors.IsConflict(err) {
		return reconcile.Result{RequeueAfter: conflictRetry}, nil
	}
	return reconcile.Result{}, fmt.Errorf("recording the status of %s: %w", request, err)
}

// conflictRetry is how soon a pass is repeated that found its world already outdated.
const conflictRetry = time.Second

// refusedRetry is how soon a write is tried again that the control plane refused for its content.
const refusedRetry = 15 * time.Second

// failed tells people of writes the control plane refuses for what they are; others are simply tried again.
func (c *Controller) failed(ctx context.Context, migration *v1alpha1.Migration, err error) (reconcile.Result, error) {
	switch {
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return reconcile.Result{RequeueAfter: conflictRetry}, nil
	case apierrors.IsInvalid(err), apierrors.IsForbidden(err), apierrors.IsBadRequest(err):
		if recordErr := c.refused(ctx, migration, err); recordErr != nil {
			return reconcile.Result{}, recordErr
		}
		return reconcile.Result{RequeueAfter: refusedRetry}, nil
	}
	return reconcile.Result{}, err
}
