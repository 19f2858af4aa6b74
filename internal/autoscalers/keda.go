package autoscalers

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ScaledObject is KEDA's. KEDA does not run in the control plane; in each member that the object is propagated to it makes an HPA of it.
var ScaledObject = schema.GroupVersionKind{Group: "keda.sh", Version: "v1alpha1", Kind: "ScaledObject"}

// NewScaledObject is an empty one, for a watch.
func NewScaledObject() *unstructured.Unstructured {
	out := &unstructured.Unstructured{}
	out.SetGroupVersionKind(ScaledObject)
	return out
}

// ScaledObjects are those of a control plane that serves them. Most do not, and are not asked.
type ScaledObjects struct {
	// Cache holds them once they are served and watched, which whoever watches them stores in Served.
	Cache  client.Reader
	Served atomic.Bool
}

// Of names the ScaledObject that scales a target; empty for none.
func (s *ScaledObjects) Of(ctx context.Context, namespace string, target autoscalingv2.CrossVersionObjectReference) (string, error) {
	if s == nil || !s.Served.Load() {
		return "", nil
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(ScaledObject.GroupVersion().WithKind(ScaledObject.Kind + "List"))
	if err := s.Cache.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return "", fmt.Errorf("listing ScaledObjects: %w", err)
	}
	for i := range list.Items {
		if ref, ok := Target(&list.Items[i]); ok && TargetKey(ref) == TargetKey(target) {
			return list.Items[i].GetName(), nil
		}
	}
	return "", nil
}

// scaledTarget reads what a ScaledObject scales: a Deployment where it does not say.
func scaledTarget(o *unstructured.Unstructured) (ref autoscalingv2.CrossVersionObjectReference, ok bool) {
	if o.GroupVersionKind() != ScaledObject {
		return ref, false
	}
	field := func(name, otherwise string) string {
		value, _, _ := unstructured.NestedString(o.Object, "spec", "scaleTargetRef", name)
		return cmp.Or(value, otherwise)
	}
	ref = autoscalingv2.CrossVersionObjectReference{
		APIVersion: field("apiVersion", "apps/v1"),
		Kind:       field("kind", "Deployment"),
		Name:       field("name", ""),
	}
	return ref, ref.Name != ""
}
