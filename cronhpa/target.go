package cronhpa

import (
	"context"
	"fmt"

	karmadaautoscaling "github.com/karmada-io/karmada/pkg/apis/autoscaling/v1alpha1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
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
	switch groupKindOf(ref) {
	case schema.GroupKind{Group: v1alpha1.GroupVersion.Group, Kind: "FedHPA"}:
		return offeredBounds
	case schema.GroupKind{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"},
		schema.GroupKind{Group: "autoscaling.karmada.io", Kind: "FederatedHPA"}:
		return specBounds
	}
	return workload
}

func groupKindOf(ref autoscalingv2.CrossVersionObjectReference) schema.GroupKind {
	return schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind()
}

// targetKey finds objects by what they scale, in any version, within a namespace.
func targetKey(ref autoscalingv2.CrossVersionObjectReference) string {
	gk := groupKindOf(ref)
	return gk.Group + "/" + gk.Kind + "/" + ref.Name
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
	// bounds are those in its spec (specBounds only).
	bounds *heldBounds
}

// heldBounds are the bounds an autoscaler holds.
type heldBounds struct {
	uid string
	min *int32
	max int32
}

// autoscaler is a kind that owns the replicas of what it targets, or one object of that kind.
type autoscaler struct {
	kind, apiVersion, name string
	newObject              func() client.Object
	newList                func() client.ObjectList
	// targetOf is what an object of the kind scales.
	targetOf func(client.Object) autoscalingv2.CrossVersionObjectReference
}

// autoscalers are those that can own a workload in the control plane. The kinds of their names are those of the CEL rules of
// CronHPASpec.
func autoscalers() []autoscaler {
	return []autoscaler{
		{
			kind: "FedHPA", apiVersion: v1alpha1.GroupVersion.String(),
			newObject: func() client.Object { return &v1alpha1.FedHPA{} },
			newList:   func() client.ObjectList { return &v1alpha1.FedHPAList{} },
			targetOf: func(o client.Object) autoscalingv2.CrossVersionObjectReference {
				return o.(*v1alpha1.FedHPA).Spec.ScaleTargetRef
			},
		},
		{
			kind: "HorizontalPodAutoscaler", apiVersion: autoscalingv2.SchemeGroupVersion.String(),
			newObject: func() client.Object { return &autoscalingv2.HorizontalPodAutoscaler{} },
			newList:   func() client.ObjectList { return &autoscalingv2.HorizontalPodAutoscalerList{} },
			targetOf: func(o client.Object) autoscalingv2.CrossVersionObjectReference {
				return o.(*autoscalingv2.HorizontalPodAutoscaler).Spec.ScaleTargetRef
			},
		},
		{
			kind: "FederatedHPA", apiVersion: karmadaautoscaling.GroupVersion.String(),
			newObject: func() client.Object { return &karmadaautoscaling.FederatedHPA{} },
			newList:   func() client.ObjectList { return &karmadaautoscaling.FederatedHPAList{} },
			targetOf: func(o client.Object) autoscalingv2.CrossVersionObjectReference {
				return o.(*karmadaautoscaling.FederatedHPA).Spec.ScaleTargetRef
			},
		},
	}
}

// ownedMessage says who owns the replicas and what to write instead.
func ownedMessage(ref autoscalingv2.CrossVersionObjectReference, by autoscaler) string {
	return fmt.Sprintf("the replicas of %s %s belong to %s %s: target that (apiVersion %s, kind %s, name %s) and set targetMinReplicas/targetMaxReplicas instead of targetReplicas",
		ref.Kind, ref.Name, by.kind, by.name, by.apiVersion, by.kind, by.name)
}

// wrongGroup is a target with an autoscaler's kind in a group that has none.
func wrongGroup(ref autoscalingv2.CrossVersionObjectReference) *problem {
	for _, known := range autoscalers() {
		if known.kind == ref.Kind {
			return &problem{v1alpha1.CronHPAReasonTargetKindUnknown, fmt.Sprintf(
				"no autoscaler %s in apiVersion %s: did you mean %s?", ref.Kind, ref.APIVersion, known.apiVersion)}
		}
	}
	return nil
}

// AddIndexes lets a cache find CronHPAs and autoscalers by what they scale.
func AddIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	err := indexer.IndexField(ctx, &v1alpha1.CronHPA{}, byTarget, func(o client.Object) []string {
		return []string{targetKey(o.(*v1alpha1.CronHPA).Spec.ScaleTargetRef)}
	})
	if err != nil {
		return fmt.Errorf("indexing CronHPA by target: %w", err)
	}
	for _, kind := range autoscalers() {
		err := indexer.IndexField(ctx, kind.newObject(), byTarget, func(o client.Object) []string {
			return []string{targetKey(kind.targetOf(o))}
		})
		if err != nil {
			return fmt.Errorf("indexing %s by target: %w", kind.kind, err)
		}
	}
	return nil
}
