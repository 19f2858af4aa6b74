package release

import (
	"context"
	"fmt"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/record"
	conflict "k8s.io/client-go/util/retry"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate/prometheus"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/internal/retry"
	"github.com/argosy-dev/argosy/release/decide"
	"github.com/argosy-dev/argosy/release/hold"
)

// ControllerName in logs, metrics and events.
const ControllerName = "release"

// fieldManager of what we write.
const fieldManager = "argosy-release"

// Controller lets each Release go on.
type Controller struct {
	// Client writes to karmada-apiserver; Reader reads it past every cache.
	Client client.Client
	Reader client.Reader
	Clock  clock.PassiveClock
	// Gates asks the Prometheus queries of stages.
	Gates  *prometheus.Gates
	Events record.EventRecorder
}

// Options of the controller.
type Options struct {
	// Concurrency is how many Releases are looked at at a time.
	Concurrency int
}

// AddToManager adds the controller to a manager of karmada-apiserver.
func AddToManager(mgr manager.Manager, options Options) error {
	c := &Controller{
		Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Clock: clock.RealClock{}, Events: program.Events(mgr, "argosy-release"),
		Gates: &prometheus.Gates{Reader: mgr.GetAPIReader()},
	}
	ofSpecs := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).
		Named(ControllerName).
		For(&v1alpha1.Release{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		// A binding follows its template, and the reports of the members.
		Watches(&workv1alpha2.ResourceBinding{}, handler.EnqueueRequestsFromMapFunc(c.ofBinding)).
		// A changed override is a revision where overrides are held, and is said where they act at once.
		Watches(&policyv1alpha1.OverridePolicy{}, handler.EnqueueRequestsFromMapFunc(c.ofOverride), ofSpecs).
		Watches(&policyv1alpha1.ClusterOverridePolicy{}, handler.EnqueueRequestsFromMapFunc(c.ofOverride), ofSpecs).
		WithOptions(controller.Options{MaxConcurrentReconciles: options.Concurrency, RateLimiter: retry.Limiter()}).
		Complete(c)
}

// ofBinding are the Releases of its template.
func (c *Controller) ofBinding(ctx context.Context, object client.Object) []reconcile.Request {
	binding, ok := object.(*workv1alpha2.ResourceBinding)
	if !ok {
		return nil
	}
	var list v1alpha1.ReleaseList
	if err := c.Client.List(ctx, &list, client.InNamespace(binding.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "Listing the Releases of a binding; they are looked at with their next period", "binding", binding.Name)
		return nil
	}
	of := &unstructured.Unstructured{}
	of.SetAPIVersion(binding.Spec.Resource.APIVersion)
	of.SetKind(binding.Spec.Resource.Kind)
	of.SetName(binding.Spec.Resource.Name)
	var out []reconcile.Request
	for i := range list.Items {
		if targets(&list.Items[i], of) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return out
}

// ofOverride are the Releases a policy may be about: of its namespace, or all when it is for the whole control plane.
func (c *Controller) ofOverride(ctx context.Context, policy client.Object) []reconcile.Request {
	var list v1alpha1.ReleaseList
	if err := c.Client.List(ctx, &list, client.InNamespace(policy.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "Listing the Releases of a policy; they are looked at with their next event", "policy",
			policy.GetName())
		return nil
	}
	var out []reconcile.Request
	for i := range list.Items {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return out
}

// +kubebuilder:rbac:groups=release.argosy.dev,resources=releases,verbs=get;list;watch;update
// +kubebuilder:rbac:groups=release.argosy.dev,resources=releases/status,verbs=patch
// +kubebuilder:rbac:groups=apps,resources=controllerrevisions,verbs=get;list;create;delete
// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets;daemonsets,verbs=get;patch
// +kubebuilder:rbac:groups=apps.kruise.io,resources=clonesets;statefulsets;daemonsets,verbs=get;patch
// +kubebuilder:rbac:groups=component.luojilab.com,resources=components,verbs=get;patch
// +kubebuilder:rbac:groups=work.karmada.io,resources=resourcebindings,verbs=get;list;watch
// +kubebuilder:rbac:groups=work.karmada.io,resources=works,verbs=get;list
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;patch
// +kubebuilder:rbac:groups=policy.karmada.io,resources=overridepolicies;clusteroverridepolicies,verbs=list;watch
// +kubebuilder:rbac:groups=cluster.karmada.io,resources=clusters,verbs=list;watch
// +kubebuilder:rbac:groups=migration.argosy.dev,resources=migrations,verbs=list
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch

// Reconcile gathers, lets package decide say what is open, and writes it. Karmada writes templates too: what was gathered before that is
// gathered anew at once, since nothing holds a change until the template bears its marks.
func (c *Controller) Reconcile(ctx context.Context, request reconcile.Request) (result reconcile.Result, err error) {
	err = conflict.RetryOnConflict(conflict.DefaultRetry, func() error {
		result, err = c.once(ctx, request)
		return err
	})
	return result, err
}

func (c *Controller) once(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	release := &v1alpha1.Release{}
	if err := c.Reader.Get(ctx, request.NamespacedName, release); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if release.DeletionTimestamp.IsZero() && controllerutil.AddFinalizer(release, v1alpha1.Finalizer) {
		// Before anything is held: a Release that is deleted does not leave clusters behind that nobody opens.
		if err := c.Client.Update(ctx, release, client.FieldOwner(fieldManager)); err != nil {
			return reconcile.Result{}, fmt.Errorf("adding the finalizer of Release %s: %w", request, err)
		}
	}
	if !controllerutil.ContainsFinalizer(release, v1alpha1.Finalizer) {
		return reconcile.Result{}, nil
	}
	world, app, err := c.gather(ctx, release)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("gathering the world of Release %s: %w", request, err)
	}
	decision := decide.Next(world)
	if d := decision.Status.Dispatch; d != nil && !decision.Record && world.Template != nil && d.Revision == world.Template.Revision {
		// Somebody deleted it, or the Release this one has the name of took it along.
		has, err := c.has(ctx, release, d.Revision)
		if err != nil {
			return reconcile.Result{}, fmt.Errorf("reading the record of revision %s: %w", d.Revision, err)
		}
		decision.Record = !has
	}
	log.FromContext(ctx).V(1).Info("Decided", "stage", decision.Status.Stage, "record", decision.Record, "free", decision.Free)
	if err := c.apply(ctx, release, app, world, decision); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: decision.After}, nil
}

// apply writes in an order in which a crash between any two is safe: the record, the status, then the marks, which the admission makes of
// the status.
func (c *Controller) apply(
	ctx context.Context, release *v1alpha1.Release, app *application, world decide.World, decision decide.Decision,
) error {
	if decision.Record {
		if err := c.record(ctx, release, app, world.Template.Revision); err != nil {
			return err
		}
	}
	if !equality.Semantic.DeepEqual(release.Status, decision.Status) {
		before := release.DeepCopy()
		release.Status = decision.Status
		patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
		if err := c.Client.Status().Patch(ctx, release, patch, client.FieldOwner(fieldManager)); err != nil {
			return fmt.Errorf("writing the status of Release %s: %w", release.Name, err)
		}
	}
	for _, event := range decision.Events {
		kind := corev1.EventTypeNormal
		if event.Warning {
			kind = corev1.EventTypeWarning
		}
		c.Events.Event(release, kind, event.Reason, event.Message)
	}
	// Without a decision of what is held the marks that are there stay: they may be those of a Release that is gone, and hold.
	marks := decision.Status.Dispatch != nil || decision.Free
	if marks && world.UnfitReason != v1alpha1.ReasonTargetTaken && world.UnfitReason != v1alpha1.ReasonKindNotStaged {
		for _, object := range app.objects() {
			if err := c.mark(ctx, release, object, decision.Status.Dispatch); err != nil {
				return err
			}
		}
	}
	switch {
	case decision.Free:
		return c.letGo(ctx, release)
	case decision.Record:
		return c.prune(ctx, release)
	}
	return nil
}

// letGo of a Release that holds nothing, and of its records.
func (c *Controller) letGo(ctx context.Context, release *v1alpha1.Release) error {
	if err := c.forget(ctx, release); err != nil {
		return err
	}
	controllerutil.RemoveFinalizer(release, v1alpha1.Finalizer)
	if err := c.Client.Update(ctx, release, client.FieldOwner(fieldManager)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("letting Release %s go: %w", release.Name, err)
	}
	return nil
}

// mark an object of the application. One that goes out with the target is not taken from held clusters by deleting its template.
func (c *Controller) mark(
	ctx context.Context, release *v1alpha1.Release, object *unstructured.Unstructured, dispatch *v1alpha1.Dispatch,
) error {
	content, err := hold.Revision(object)
	if err != nil {
		return err
	}
	before := object.DeepCopy()
	changed := hold.Stamp(object, release.Name, dispatch, content)
	if family, _ := hold.FamilyOf(object.GroupVersionKind().GroupKind()); family.With {
		deleted := !object.GetDeletionTimestamp().IsZero()
		switch {
		case dispatch == nil, deleted && dispatch.Revision == dispatch.Stable:
			changed = controllerutil.RemoveFinalizer(object, v1alpha1.FinalizerInUse) || changed
		case !deleted:
			changed = controllerutil.AddFinalizer(object, v1alpha1.FinalizerInUse) || changed
		}
	}
	if !changed {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := c.Client.Patch(ctx, object, patch, client.FieldOwner(fieldManager)); err != nil {
		return fmt.Errorf("marking %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	log.FromContext(ctx).Info("Marked a template", "kind", object.GetKind(), "name", object.GetName(), "open", dispatch)
	return nil
}
