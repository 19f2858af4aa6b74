// Package autoscalers finds the autoscaler that sets a workload's replicas in the control plane: whoever else would set them
// has to stand back. It reads a cache with the indexes of AddIndexes and writes nothing.
package autoscalers

import (
	"context"
	"fmt"

	karmadaautoscaling "github.com/karmada-io/karmada/pkg/apis/autoscaling/v1alpha1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// ByTarget is the index of objects by what they scale. Its values are those of TargetKey.
const ByTarget = "argosy.targetKey"

// TargetKey names a target within its namespace, in any version.
func TargetKey(ref autoscalingv2.CrossVersionObjectReference) string {
	gk := GroupKind(ref)
	return gk.Group + "/" + gk.Kind + "/" + ref.Name
}

// GroupKind of a target.
func GroupKind(ref autoscalingv2.CrossVersionObjectReference) schema.GroupKind {
	return schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind()
}

// Autoscaler is a kind that owns the replicas of what it targets, or one object of that kind.
type Autoscaler struct {
	Kind, APIVersion, Name string
	// Object is set for one object.
	Object client.Object

	// optional is a kind that a control plane may lack. No cache can index what is not served.
	optional  bool
	newObject func() client.Object
	newList   func() client.ObjectList
}

// Kinds are the autoscalers that can own a workload in the control plane. The CEL rules of CronHPASpec name the same.
func Kinds() []Autoscaler {
	return []Autoscaler{
		{
			Kind: "FedHPA", APIVersion: v1alpha1.GroupVersion.String(),
			newObject: func() client.Object { return &v1alpha1.FedHPA{} },
			newList:   func() client.ObjectList { return &v1alpha1.FedHPAList{} },
		},
		{
			Kind: "HorizontalPodAutoscaler", APIVersion: autoscalingv2.SchemeGroupVersion.String(),
			newObject: func() client.Object { return &autoscalingv2.HorizontalPodAutoscaler{} },
			newList:   func() client.ObjectList { return &autoscalingv2.HorizontalPodAutoscalerList{} },
		},
		{
			Kind: "FederatedHPA", APIVersion: karmadaautoscaling.GroupVersion.String(), optional: true,
			newObject: func() client.Object { return &karmadaautoscaling.FederatedHPA{} },
			newList:   func() client.ObjectList { return &karmadaautoscaling.FederatedHPAList{} },
		},
	}
}

// Target is what an autoscaler scales; ok is false for any other object.
func Target(object client.Object) (ref autoscalingv2.CrossVersionObjectReference, ok bool) {
	switch o := object.(type) {
	case *v1alpha1.FedHPA:
		return o.Spec.ScaleTargetRef, true
	case *autoscalingv2.HorizontalPodAutoscaler:
		return o.Spec.ScaleTargetRef, true
	case *karmadaautoscaling.FederatedHPA:
		return o.Spec.ScaleTargetRef, true
	case *unstructured.Unstructured:
		return scaledTarget(o)
	}
	return ref, false
}

// AddIndexes lets a cache find autoscalers by what they scale. Once for a cache.
func AddIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, kind := range Kinds() {
		if kind.optional {
			continue
		}
		err := indexer.IndexField(ctx, kind.newObject(), ByTarget, func(o client.Object) []string {
			ref, _ := Target(o)
			return []string{TargetKey(ref)}
		})
		if err != nil {
			return fmt.Errorf("indexing %s by target: %w", kind.Kind, err)
		}
	}
	return nil
}

// Indexed narrows Find to the target in a cache that has the indexes of AddIndexes. An API server has none: there Find looks
// at every autoscaler of the namespace.
func Indexed(ref autoscalingv2.CrossVersionObjectReference) client.ListOption {
	return client.MatchingFields{ByTarget: TargetKey(ref)}
}

// Find the autoscaler that sets a workload's replicas; nil when there is none. One that is being deleted still does.
func Find(ctx context.Context, reader client.Reader, namespace string, ref autoscalingv2.CrossVersionObjectReference,
	narrow ...client.ListOption) (*Autoscaler, error) {
	all, err := All(ctx, reader, namespace, ref, narrow...)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// All autoscalers that name the workload, in the order of Kinds. They may be a cache's own: not to be changed.
func All(ctx context.Context, reader client.Reader, namespace string, ref autoscalingv2.CrossVersionObjectReference,
	narrow ...client.ListOption) ([]Autoscaler, error) {
	key := TargetKey(ref)
	var out []Autoscaler
	for _, kind := range Kinds() {
		list := kind.newList()
		options := append([]client.ListOption{client.InNamespace(namespace), client.UnsafeDisableDeepCopy}, narrow...)
		if kind.optional {
			options = options[:2]
		}
		err := reader.List(ctx, list, options...)
		if kind.optional && (meta.IsNoMatchError(err) || apierrors.IsNotFound(err)) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("listing %s of the target: %w", kind.Kind, err)
		}
		items, err := meta.ExtractList(list)
		if err != nil {
			return nil, fmt.Errorf("reading the list of %s: %w", kind.Kind, err)
		}
		for _, item := range items {
			object, _ := item.(client.Object)
			if ref, ok := Target(object); ok && TargetKey(ref) == key {
				kind.Name, kind.Object = object.GetName(), object
				out = append(out, kind)
			}
		}
	}
	return out, nil
}
