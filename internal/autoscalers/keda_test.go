package autoscalers

import (
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// TestScaledObjects: one scales what it names, a Deployment where it names no kind; and a control plane without the kind is not asked.
func TestScaledObjects(t *testing.T) {
	named := func(name string, target map[string]any) client.Object {
		o := NewScaledObject()
		o.SetNamespace("shop")
		o.SetName(name)
		o.Object["spec"] = map[string]any{"scaleTargetRef": target}
		return o
	}
	scheme := runtime.NewScheme()
	scheme.AddKnownTypeWithName(ScaledObject, &unstructured.Unstructured{})
	scheme.AddKnownTypeWithName(ScaledObject.GroupVersion().WithKind("ScaledObjectList"), &unstructured.UnstructuredList{})
	metav1.AddToGroupVersion(scheme, ScaledObject.GroupVersion())
	s := &ScaledObjects{Cache: fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		named("queue", map[string]any{"name": "web"}),
		named("clones", map[string]any{"apiVersion": "apps.kruise.io/v1alpha1", "kind": "CloneSet", "name": "shop"}),
	).Build()}
	deployment := autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}
	if got, err := s.Of(t.Context(), "shop", deployment); err != nil || got != "" {
		t.Errorf("asked though nothing is served: %q, %v", got, err)
	}
	s.Served.Store(true)
	for ref, want := range map[autoscalingv2.CrossVersionObjectReference]string{
		deployment: "queue",
		{APIVersion: "apps.kruise.io/v1beta1", Kind: "CloneSet", Name: "shop"}: "clones",
		{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "web"}:              "",
		{APIVersion: "apps/v1", Kind: "Deployment", Name: "other"}:             "",
	} {
		if got, err := s.Of(t.Context(), "shop", ref); err != nil || got != want {
			t.Errorf("%s %s is scaled by %q, want %q (%v)", ref.Kind, ref.Name, got, want, err)
		}
	}
	if got, _ := s.Of(t.Context(), "elsewhere", deployment); got != "" {
		t.Errorf("of another namespace: %q", got)
	}
}
