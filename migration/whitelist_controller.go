package migration

import (
	"context"
	"fmt"
	"strings"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/retry"
	"github.com/argosy-dev/argosy/migration/plan"
	"github.com/argosy-dev/argosy/migration/policy"
)

// Whitelists makes a Migration for each entry and sums their states up.
type Whitelists struct {
	Client client.Client
}

// SetupWithManager watches whitelists, and the Migrations whose states they sum up.
func (w *Whitelists) SetupWithManager(mgr manager.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("migration-whitelist").
		For(&v1alpha1.MigrationWhitelist{}).
		Watches(&v1alpha1.Migration{}, handler.EnqueueRequestsFromMapFunc(func(_ context.Context, object client.Object) []reconcile.Request {
			migration, ok := object.(*v1alpha1.Migration)
			if !ok || migration.Status.Whitelist == "" {
				return nil
			}
			return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: migration.Status.Whitelist}}}
		})).
		WithOptions(controller.Options{RateLimiter: retry.Limiter()}).
		Complete(w)
}

// Reconcile one whitelist.
func (w *Whitelists) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	whitelist := &v1alpha1.MigrationWhitelist{}
	if err := w.Client.Get(ctx, request.NamespacedName, whitelist); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if !whitelist.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, nil
	}
	var migrations v1alpha1.MigrationList
	if err := w.Client.List(ctx, &migrations); err != nil {
		return reconcile.Result{}, fmt.Errorf("listing migrations: %w", err)
	}
	have := map[client.ObjectKey]bool{}
	for i := range migrations.Items {
		have[client.ObjectKeyFromObject(&migrations.Items[i])] = true
	}
	for i := range whitelist.Spec.Entries {
		entry := &whitelist.Spec.Entries[i]
		if !have[client.ObjectKey{Namespace: entry.Namespace, Name: policy.Name(entry.Kind, entry.Name)}] {
			if err := w.make(ctx, entry); err != nil {
				return reconcile.Result{}, err
			}
		}
	}
	return reconcile.Result{}, w.sum(ctx, whitelist, migrations.Items)
}

// make the Migration of an entry, in its namespace. A new namespace is kept out of Karmada's own propagation
// of namespaces: the members have theirs, and Karmada's Works for it would fail for ever.
func (w *Whitelists) make(ctx context.Context, entry *v1alpha1.WhitelistEntry) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: entry.Namespace, Labels: map[string]string{policyv1alpha1.NamespaceSkipAutoPropagationLabel: "true"},
	}}
	if err := w.Client.Create(ctx, namespace); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating namespace %s: %w", entry.Namespace, err)
	}
	migration := &v1alpha1.Migration{
		ObjectMeta: metav1.ObjectMeta{Namespace: entry.Namespace, Name: policy.Name(entry.Kind, entry.Name)},
		Spec:       v1alpha1.MigrationSpec{WorkloadReference: entry.WorkloadReference},
	}
	if err := w.Client.Create(ctx, migration); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating migration %s: %w", client.ObjectKeyFromObject(migration), err)
	}
	return nil
}

// sum the states up for people.
func (w *Whitelists) sum(ctx context.Context, whitelist *v1alpha1.MigrationWhitelist, migrations []v1alpha1.Migration) error {
	before := whitelist.Status.DeepCopy()
	listed := listedOf(whitelist, migrations)
	_, environments := plan.Turns(listed, whitelist.Spec.Strategy.BatchWeights)
	whitelist.Status.ObservedGeneration = whitelist.Generation
	whitelist.Status.Environments = environments
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
	parts = append(parts, fmt.Sprintf("%d of %d federated", federated, len(listed)))
	whitelist.Status.Progress = strings.Join(parts, ", ")
	switch {
	case len(listed) == 0:
		whitelist.Status.Progress = "lists no application"
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, v1alpha1.ReasonAllDone, "no application is listed"
	case int(federated) == len(listed):
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, v1alpha1.ReasonAllDone,
			"every application listed is federated"
	case whitelist.Spec.Mode == v1alpha1.ModePause:
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, v1alpha1.ReasonPaused, "spec.mode is Pause"
	case failed > 0:
		condition.Status, condition.Reason = metav1.ConditionFalse, v1alpha1.ReasonBatchStopped
		condition.Message = fmt.Sprintf("applications that failed: %d; see 'argosyctl migration status -A'", failed)
	}
	meta.SetStatusCondition(&whitelist.Status.Conditions, condition)
	if err := w.count(ctx, migrations); err != nil {
		return err
	}
	if equality.Semantic.DeepEqual(*before, whitelist.Status) {
		return nil
	}
	if err := w.Client.Status().Update(ctx, whitelist); err != nil {
		return fmt.Errorf("recording the status of whitelist %s: %w", whitelist.Name, err)
	}
	return nil
}

// count the applications of all whitelists: the gauge has no whitelist in it, and one must not pass for everybody.
func (w *Whitelists) count(ctx context.Context, migrations []v1alpha1.Migration) error {
	var whitelists v1alpha1.MigrationWhitelistList
	if err := w.Client.List(ctx, &whitelists); err != nil {
		return fmt.Errorf("listing whitelists: %w", err)
	}
	names := map[plan.State]string{plan.Waiting: "waiting", plan.Moving: "moving", plan.Done: "federated", plan.Failed: "failed"}
	totals := map[string]map[string]float64{}
	for i := range whitelists.Items {
		for _, one := range listedOf(&whitelists.Items[i], migrations) {
			if totals[string(one.Environment)] == nil {
				totals[string(one.Environment)] = map[string]float64{}
			}
			totals[string(one.Environment)][names[one.State]]++
		}
	}
	for _, environment := range []v1alpha1.Environment{v1alpha1.EnvironmentTest, v1alpha1.EnvironmentPreRelease,
		v1alpha1.EnvironmentProduction} {
		states, listed := totals[string(environment)]
		for _, state := range names {
			if listed {
				applications.WithLabelValues(string(environment), state).Set(states[state])
			} else {
				applications.DeleteLabelValues(string(environment), state)
			}
		}
	}
	return nil
}
