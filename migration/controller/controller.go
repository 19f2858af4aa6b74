package controller

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate/prometheus"
	"github.com/argosy-dev/argosy/internal/members"
	"github.com/argosy-dev/argosy/migration/plan"
	"github.com/argosy-dev/argosy/migration/policy"
	"github.com/argosy-dev/argosy/migration/whitelist"
)

// ControllerName in logs, metrics and events.
const ControllerName = "migration"

// Controller moves each Migration one step at a time.
type Controller struct {
	// Client writes to karmada-apiserver, and its cache says whether there is anything to do; Reader reads past every cache.
	Client client.Client
	Reader client.Reader
	// Members are reached for reading and for dry runs.
	Members *members.Members
	// Kinds of objects that an application may consist of.
	Kinds policy.Kinds
	// Retainer is Karmada's resource interpreter.
	Retainer Retainer
	Clock    clock.PassiveClock
	Events   record.EventRecorder
	// Gates asks Prometheus.
	Gates *prometheus.Gates
	// order is whose turn it is.
	order whitelist.Order
	// returns are the applications that are to come back, on their way to the workers kept for them.
	returns chan event.GenericEvent
	// failing since when, by Migration. It only says how soon people are told: a restart begins to count anew.
	failing sync.Map
	pace    pace
}

// +kubebuilder:rbac:groups=migration.argosy.dev,resources=migrations,verbs=get;list;watch;create;delete
// +kubebuilder:rbac:groups=migration.argosy.dev,resources=migrations/status;migrationwhitelists/status,verbs=update
// +kubebuilder:rbac:groups=migration.argosy.dev,resources=migrationwhitelists,verbs=get;list;watch
// +kubebuilder:rbac:groups=policy.karmada.io,resources=propagationpolicies;overridepolicies,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=policy.karmada.io,resources=clusterpropagationpolicies,verbs=get;list
// +kubebuilder:rbac:groups=work.karmada.io,resources=resourcebindings,verbs=get;patch
// +kubebuilder:rbac:groups=work.karmada.io,resources=works,verbs=get;list
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

// Reconcile gathers the world, lets the planner decide, records the intent, and carries it out. Of an application that only waits for its
// turn it reads nothing but caches.
func (c *Controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	if again, idle := c.idle(ctx, request); idle {
		return reconcile.Result{RequeueAfter: again}, nil
	}
	migration := &v1alpha1.Migration{}
	if err := c.Reader.Get(ctx, request.NamespacedName, migration); err != nil {
		c.pace.forget(request.NamespacedName)
		if apierrors.IsNotFound(err) {
			c.failing.Delete(request.NamespacedName)
		}
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
	return reconcile.Result{RequeueAfter: c.rest(c.pace.next(request.NamespacedName, decision))}, nil
}

// restEach so long after another, on the average, applications at rest are looked at for what no watch shows: ten thousand at rest ask
// karmada-apiserver no more than a few.
const restEach = 250 * time.Millisecond

// rest stretches a long pause by the number of applications.
func (c *Controller) rest(pause time.Duration) time.Duration {
	if pause < time.Minute {
		return pause
	}
	return max(pause, time.Duration(c.order.Len())*restEach)
}

// idle says that caches suffice to see that nothing is to be done about an application, and when to look again. Who is in doubt is not
// idle.
func (c *Controller) idle(ctx context.Context, request reconcile.Request) (time.Duration, bool) {
	migration := &v1alpha1.Migration{}
	if err := c.Client.Get(ctx, request.NamespacedName, migration); err != nil || !migration.DeletionTimestamp.IsZero() {
		return 0, false
	}
	world := c.outline(migration)
	if err := c.listed(ctx, c.Client, migration, &world); err != nil || !plan.Needs(world).Nothing {
		return 0, false
	}
	decision := plan.Next(world)
	if len(decision.Actions) > 0 || len(decision.Events) > 0 || !equality.Semantic.DeepEqual(migration.Status, decision.Status) {
		return 0, false
	}
	return c.pace.next(request.NamespacedName, decision), true
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
