package component

import (
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// TestFreedHost: who waits for a host is looked at as soon as the Ingress that has it goes or answers for another, and not a minute later.
func TestFreedHost(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	waits, other := demo("waits", "go"), demo("other", "go")
	waits.Spec.Ingress = &v1alpha1.IngressSpec{Host: "shop.example.com"}
	other.Spec.Ingress = &v1alpha1.IngressSpec{Host: "other.example.com"}
	cache := fake.NewClientBuilder().WithScheme(scheme).WithIndex(&v1alpha1.Component{}, byIngress, asksFor).
		WithObjects(waits, other, demo("within", "go")).Build()
	has := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "has", Generation: 1}}
	has.Spec.Rules = []networkingv1.IngressRule{{Host: "shop.example.com"}}
	if have := (&Reconciler{cache: cache}).freed(t.Context(), has); len(have) != 1 || have[0].Name != "waits" {
		t.Errorf("%v are looked at, want waits", have)
	}

	moved, leaves, same := has.DeepCopy(), has.DeepCopy(), has.DeepCopy()
	moved.Generation = 2
	leaves.DeletionTimestamp = &metav1.Time{}
	same.Labels = map[string]string{"a": "b"}
	if !frees().Delete(event.DeleteEvent{Object: has}) {
		t.Error("it is gone, and nobody looks")
	}
	for name, tc := range map[string]struct {
		after *networkingv1.Ingress
		want  bool
	}{"it answers for others": {moved, true}, "it is being deleted": {leaves, true}, "a label": {same, false}} {
		if have := frees().Update(event.UpdateEvent{ObjectOld: has, ObjectNew: tc.after}); have != tc.want {
			t.Errorf("%s: looked at %v", name, have)
		}
	}
}
