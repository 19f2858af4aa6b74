package hook

import (
	"context"
	"fmt"
	"slices"
	"strings"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/internal/retry"
	"github.com/argosy-dev/argosy/interpreter"
)

// ReasonOverridden is the event's reason on a ResourceInterpreterCustomization that takes operations from us.
const ReasonOverridden = "InterpreterOverridden"

// Overridden is the operations a ResourceInterpreterCustomization takes from the webhook: Karmada asks it first.
func Overridden(catalog interpreter.Catalog, c *configv1alpha1.ResourceInterpreterCustomization) []configv1alpha1.InterpreterOperation {
	family, ok := catalog[target(c).GroupKind()]
	if !ok {
		return nil
	}
	var out []configv1alpha1.InterpreterOperation
	rules := c.Spec.Customizations
	for _, rule := range []struct {
		operation configv1alpha1.InterpreterOperation
		set       bool
	}{
		{configv1alpha1.InterpreterOperationInterpretReplica, rules.ReplicaResource != nil},
		{configv1alpha1.InterpreterOperationInterpretComponent, rules.ComponentResource != nil},
		{configv1alpha1.InterpreterOperationReviseReplica, rules.ReplicaRevision != nil},
		{configv1alpha1.InterpreterOperationRetain, rules.Retention != nil},
		{configv1alpha1.InterpreterOperationAggregateStatus, rules.StatusAggregation != nil},
		{configv1alpha1.InterpreterOperationInterpretStatus, rules.StatusReflection != nil},
		{configv1alpha1.InterpreterOperationInterpretHealth, rules.HealthInterpretation != nil},
		{configv1alpha1.InterpreterOperationInterpretDependency, rules.DependencyInterpretation != nil},
	} {
		if rule.set && slices.Contains(family.Operations(), rule.operation) {
			out = append(out, rule.operation)
		}
	}
	return out
}

func target(c *configv1alpha1.ResourceInterpreterCustomization) schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(c.Spec.Target.APIVersion, c.Spec.Target.Kind)
}

// OverrideWatch warns of customizations that silently disable the webhook: an event on the customization, a log line
// and the gauge argosy_interpreter_overridden. It changes nothing: the customization may be meant.
type OverrideWatch struct {
	Client  client.Reader
	Catalog interpreter.Catalog
	Metrics *Metrics
	Events  record.EventRecorder
}

// +kubebuilder:rbac:groups=config.karmada.io,resources=resourceinterpretercustomizations,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch

// SetupWithManager starts the watch. Every replica watches for itself: replicas share nothing.
func (w *OverrideWatch) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("interpreter-overrides").
		For(&configv1alpha1.ResourceInterpreterCustomization{}).
		WithOptions(controller.Options{RateLimiter: retry.Limiter()}).
		Complete(w)
}

// Reconcile looks at all customizations, of which there are few: the gauge tells the state, not the history.
func (w *OverrideWatch) Reconcile(ctx context.Context, changed reconcile.Request) (reconcile.Result, error) {
	var all configv1alpha1.ResourceInterpreterCustomizationList
	if err := w.Client.List(ctx, &all); err != nil {
		return reconcile.Result{}, fmt.Errorf("listing ResourceInterpreterCustomizations: %w", err)
	}
	next := w.Metrics.override.Blank()
	for i := range all.Items {
		c := &all.Items[i]
		operations := Overridden(w.Catalog, c)
		for _, operation := range operations {
			next.WithLabelValues(c.Spec.Target.Kind, string(operation)).Set(1)
		}
		if len(operations) == 0 || c.Name != changed.Name {
			continue
		}
		klog.FromContext(ctx).Info("A customization takes operations from the webhook: Karmada asks it instead",
			"customization", klog.KObj(c), "target", target(c).String(), "operations", operations, "reason", ReasonOverridden)
		w.Events.Eventf(c, corev1.EventTypeWarning, ReasonOverridden,
			"This customization takes %s of %s from Argosy's webhook; delete it, or its rules, to have Argosy's back", list(operations),
			target(c).GroupKind())
	}
	w.Metrics.override.Show(next)
	return reconcile.Result{}, nil
}

func list(operations []configv1alpha1.InterpreterOperation) string {
	words := make([]string, len(operations))
	for i, operation := range operations {
		words[i] = string(operation)
	}
	return strings.Join(words, ", ")
}
