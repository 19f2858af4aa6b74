package cronhpa

import (
	"context"
	"fmt"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	migration "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/autoscalers"
)

// targetForm is how a target is scaled.
type targetForm int

const (
	// workload has a scale subresource: rules set its replicas.
	workload targetForm = iota
	// specBounds is an autoscaler whose spec holds its bounds: rules write them there.
	specBounds
	// offeredBounds is a FedHPA: it reads the bounds in the CronHPA's status.
	offeredBounds
)

// formOf looks at group and kind alone: the version is the API server's business.
func formOf(ref autoscalingv2.CrossVersionObjectReference) targetForm {
	switch autoscalers.GroupKind(ref) {
	case schema.GroupKind{Group: v1alpha1.GroupVersion.Group, Kind: "FedHPA"}:
		return offeredBounds
	case schema.GroupKind{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"},
		schema.GroupKind{Group: "autoscaling.karmada.io", Kind: "FederatedHPA"}:
		return specBounds
	}
	return workload
}

// problem is why a target cannot be scaled: a condition's reason and a message that says what to do.
type problem struct {
	reason, message string
}

// target is what was seen of the object to scale.
type target struct {
	// seen is false when the target was not looked at: nothing is due and nothing changed.
	seen bool
	// problem is nil when it may be scaled.
	problem *problem
	// unheeded: it may be scaled, and no member heeds it.
	unheeded *problem
	// unwatched: no event will tell when it changes.
	unwatched bool
	// bounds are those in its spec (specBounds only).
	bounds *heldBounds
}

// heldBounds are the bounds an autoscaler holds.
type heldBounds struct {
	uid, version string
	min          *int32
	max          int32
}

// ownedMessage says who owns the replicas and what to write instead.
func ownedMessage(ref autoscalingv2.CrossVersionObjectReference, by autoscalers.Autoscaler) string {
	return fmt.Sprintf(
		"the replicas of %s %s belong to %s %s: target that (apiVersion %s, kind %s, name %s) and set targetMinReplicas/targetMaxReplicas "+
			"instead of targetReplicas",
		ref.Kind, ref.Name, by.Kind, by.Name, by.APIVersion, by.Kind, by.Name)
}

// sharedMessage says who has the target, and under which name.
func sharedMessage(ref autoscalingv2.CrossVersionObjectReference, first *v1alpha1.CronHPA) string {
	theirs := first.Spec.ScaleTargetRef
	if theirs.Kind == ref.Kind {
		return fmt.Sprintf("CronHPA %s was there first for %s %s: move the rules into it and delete this one", first.Name, ref.Kind, ref.Name)
	}
	return fmt.Sprintf(
		"CronHPA %s was there first for %s %s, which is the same autoscaler as %s %s (annotation %s): move the rules into it and delete this one",
		first.Name, theirs.Kind, theirs.Name, ref.Kind, ref.Name, v1alpha1.FederateAnnotation)
}

// cutOff is a target that a migration's rollback took out of the federation: whatever is set here would reach its members on the day it is
// adopted again, or never.
func cutOff(ref autoscalingv2.CrossVersionObjectReference) *problem {
	return &problem{v1alpha1.CronHPAReasonCutOff, fmt.Sprintf(
		"%s %s is cut off from the federation: no rule sets it until it is adopted again. Scale it in its members meanwhile", ref.Kind, ref.Name)}
}

// isCutOff reads the mark of an autoscaler that is carried itself, and the word of a FedHPA whose target is.
func isCutOff(object *unstructured.Unstructured) bool {
	if object.GetAnnotations()[migration.AnnotationCutOff] != "" {
		return true
	}
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	return slices.ContainsFunc(conditions, func(one any) bool {
		condition, ok := one.(map[string]any)
		return ok && condition["type"] == v1alpha1.FedHPAReady && condition["reason"] == v1alpha1.FedHPAReasonCutOff
	})
}

// wrongGroup is a target with an autoscaler's kind in a group that has none.
func wrongGroup(ref autoscalingv2.CrossVersionObjectReference) *problem {
	for _, known := range autoscalers.Kinds() {
		if known.Kind == ref.Kind {
			return &problem{v1alpha1.CronHPAReasonTargetKindUnknown, fmt.Sprintf(
				"no autoscaler %s in apiVersion %s: did you mean %s?", ref.Kind, ref.APIVersion, known.APIVersion)}
		}
	}
	return nil
}

// AddIndexes lets a cache find CronHPAs by what they scale. It needs those of package autoscalers beside it.
func AddIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	err := indexer.IndexField(ctx, &v1alpha1.CronHPA{}, autoscalers.ByTarget, func(o client.Object) []string {
		return []string{autoscalers.TargetKey(o.(*v1alpha1.CronHPA).Spec.ScaleTargetRef)}
	})
	if err != nil {
		return fmt.Errorf("indexing CronHPA by target: %w", err)
	}
	err = indexer.IndexField(ctx, &v1alpha1.CronHPA{}, byCalendar, func(o client.Object) []string {
		return calendarNames(o.(*v1alpha1.CronHPA))
	})
	if err != nil {
		return fmt.Errorf("indexing CronHPA by calendar: %w", err)
	}
	return nil
}
