package whitelist

import (
	"context"
	"fmt"
	"strings"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/retry"
	"github.com/argosy-dev/argosy/migration/policy"
)

// Controller makes a Migration for each entry and sums their states up.
type Controller struct {
	// Client reads from its cache.
	Client client.Client
	// carried kinds beside the built-in ones, as each whitelist says for whoever publishes.
	carried []string
	order   Order
}

// AddToManager adds the controller, and the gauge of what it sees, to a manager of karmada-apiserver.
// Carried are the kinds beside the built-in ones that the controllers handle.
func AddToManager(mgr manager.Manager, registerer prometheus.Registerer, carried []schema.GroupVersionKind) error {
	c := &Controller{Client: mgr.GetClient()}
	for _, kind := range carried {
		c.carried = append(c.carried, kind.GroupVersion().String()+"/"+kind.Kind)
	}
	if err := registerer.Register(&c.order); err != nil {
		return fmt.Errorf("registering the applications' gauge: %w", err)
	}
	return c.SetupWithManager(mgr)
}

// SetupWithManager watches whitelists, and the Migrations whose states they sum up.
func (c *Controller) SetupWithManager(mgr manager.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("migration-whitelist").
		Watches(&v1alpha1.MigrationWhitelist{}, handler.Funcs{
			CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { c.put(e.Object, q) },
			UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
				if Edited(e.ObjectOld, e.ObjectNew) {
					c.put(e.ObjectNew, q)
				}
			},
			DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) {
				changed, _ := c.order.Drop(e.Object.GetName())
				c.wake(q, changed)
			},
		}).
		Watches(&v1alpha1.Migration{}, handler.Funcs{
			CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { c.see(e.Object, q) },
			UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) { c.see(e.ObjectNew, q) },
			DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) {
				key := client.ObjectKeyFromObject(e.Object)
				changed, _ := c.order.Forget(key)
				c.wake(q, append(changed, key))
			},
		}).
		WithOptions(controller.Options{RateLimiter: retry.Limiter()}).
		Complete(c)
}

// Edited tells an edit of a whitelist from a write of its status.
func Edited(old, next client.Object) bool {
	return old.GetGeneration() != next.GetGeneration() || old.GetDeletionTimestamp().IsZero() != next.GetDeletionTimestamp().IsZero()
}

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

func (c *Controller) put(object client.Object, q queue) {
	if whitelist, ok := object.(*v1alpha1.MigrationWhitelist); ok {
		changed, _ := c.order.Put(whitelist)
		q.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(whitelist)})
		c.wake(q, changed)
	}
}

func (c *Controller) see(object client.Object, q queue) {
	if migration, ok := object.(*v1alpha1.Migration); ok {
		if changed, moved := c.order.See(migration); moved {
			c.wake(q, append(changed, client.ObjectKeyFromObject(migration)))
		}
	}
}

// wake the whitelists that list any of these.
func (c *Controller) wake(q queue, keys []client.ObjectKey) {
	names := map[string]bool{}
	for _, key := range keys {
		for _, name := range c.order.Listing(key) {
			names[name] = true
		}
	}
	for name := range names {
		q.Add(reconcile.Request{NamespacedName: client.ObjectKey{Name: name}})
	}
}

// Reconcile one whitelist.
func (c *Controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	whitelist := &v1alpha1.MigrationWhitelist{}
	if err := c.Client.Get(ctx, request.NamespacedName, whitelist); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if !whitelist.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, nil
	}
	for i := range whitelist.Spec.Entries {
		entry := &whitelist.Spec.Entries[i]
		if !c.order.Known(KeyOf(entry)) {
			if err := c.make(ctx, entry); err != nil {
				return reconcile.Result{}, err
			}
		}
	}
	return reconcile.Result{}, c.sum(ctx, whitelist)
}

// make the Migration of an entry, in its namespace. A new namespace is kept out of Karmada's own propagation
// of namespaces: the members have theirs, and Karmada's Works for it would fail for ever.
func (c *Controller) make(ctx context.Context, entry *v1alpha1.WhitelistEntry) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: entry.Namespace, Labels: map[string]string{policyv1alpha1.NamespaceSkipAutoPropagationLabel: "true"},
	}}
	if err := c.Client.Create(ctx, namespace); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating namespace %s: %w", entry.Namespace, err)
	}
	migration := &v1alpha1.Migration{
		ObjectMeta: metav1.ObjectMeta{Namespace: entry.Namespace, Name: policy.Name(entry.Kind, entry.Name)},
		Spec:       v1alpha1.MigrationSpec{WorkloadReference: entry.WorkloadReference},
	}
	if err := c.Client.Create(ctx, migration); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating migration %s: %w", client.ObjectKeyFromObject(migration), err)
	}
	return nil
}

// sum the states up for people.
func (c *Controller) sum(ctx context.Context, whitelist *v1alpha1.MigrationWhitelist) error {
	before := whitelist.Status.DeepCopy()
	environments, listed := c.order.Environments(whitelist.Name)
	whitelist.Status.ObservedGeneration = whitelist.Generation
	whitelist.Status.Environments = environments
	whitelist.Status.CarriedKinds = c.carried
	condition := metav1.Condition{
		Type: v1alpha1.ConditionProgressing, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAdvancing,
		ObservedGeneration: whitelist.Generation,
	}
	var parts []string
	federated, failed := int32(0), int32(0)
	for _, environment := range environments {
		federated += environment.Federated
		failed += environment.Failed
		if environment.Batch <= environment.Batches && len(parts) == 0 {
			parts = append(parts, fmt.Sprintf("%s %d/%d", environment.Name, environment.Batch, environment.Batches))
		}
	}
	parts = append(parts, fmt.Sprintf("%d of %d federated", federated, listed))
	whitelist.Status.Progress = strings.Join(parts, ", ")
	switch {
	case listed == 0:
		whitelist.Status.Progress = "lists no application"
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, v1alpha1.ReasonAllDone, "no application is listed"
	case int(federated) == listed:
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, v1alpha1.ReasonAllDone,
			"every application listed is federated"
	case whitelist.Spec.Mode == v1alpha1.ModePause:
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, v1alpha1.ReasonPaused, "spec.mode is Pause"
	case failed > 0:
		condition.Status, condition.Reason = metav1.ConditionFalse, v1alpha1.ReasonBatchStopped
		condition.Message = fmt.Sprintf("applications that failed: %d; see 'argosyctl migration status -A'", failed)
	}
	meta.SetStatusCondition(&whitelist.Status.Conditions, condition)
	if equality.Semantic.DeepEqual(*before, whitelist.Status) {
		return nil
	}
	if err := c.Client.Status().Update(ctx, whitelist); err != nil {
		return fmt.Errorf("recording the status of whitelist %s: %w", whitelist.Name, err)
	}
	return nil
}
