package component

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// owned is a Component of controller a, and the API server that has it.
func owned(t *testing.T) (client.Client, *v1alpha1.Component) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	stored := &v1alpha1.Component{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "demo", UID: "demo-uid"}}
	stored.Status.ControllerID = "a"
	api := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(stored).WithObjects(stored).Build()
	live := &v1alpha1.Component{}
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(stored), live); err != nil {
		t.Fatal(err)
	}
	return api, live
}

// TestConfirm: nothing is written of what a cache shows of before: neither of another's Component nor of one that was changed since.
func TestConfirm(t *testing.T) {
	api, live := owned(t)
	older := live.DeepCopy()
	live.Spec.Image = "demo:2"
	if err := api.Update(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	a, b := &Reconciler{reader: api, id: "a"}, &Reconciler{reader: api, id: "b"}
	for _, step := range []struct {
		name string
		by   *Reconciler
		of   *v1alpha1.Component
		want bool
	}{
		{"the cache of its owner is behind", a, older, false},
		{"it has caught up", a, live, true},
		{"it is another's", b, live, false},
	} {
		have, err := step.by.confirm(t.Context(), step.of)
		if err != nil || have != step.want {
			t.Errorf("%s: confirmed %v, want %v (%v)", step.name, have, step.want, err)
		}
	}
}

// TestForgotten: of Components that are gone nothing is remembered. Those without a finalizer are never seen to be deleted.
func TestForgotten(t *testing.T) {
	api, live := owned(t)
	key := client.ObjectKeyFromObject(live)
	r := &Reconciler{cache: api, reader: api, id: "a"}
	if ours, err := r.confirm(t.Context(), live); err != nil || !ours {
		t.Fatalf("confirmed %v (%v)", ours, err)
	}
	if err := api.Delete(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: key}); err != nil {
		t.Fatal(err)
	}
	r.confirmed.Range(func(of, _ any) bool {
		t.Errorf("%v is remembered", of)
		return true
	})
}
