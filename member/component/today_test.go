package component

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// TestNothingByTemplatesOfBefore: a manager that begins at an API server which is behind brings out no wave and renders nothing, until what
// it sees is what is stored; from then on it asks no more.
func TestNothingByTemplatesOfBefore(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	template := func(generation int64) *v1alpha1.ComponentTemplate {
		return &v1alpha1.ComponentTemplate{ObjectMeta: metav1.ObjectMeta{Name: "base", UID: "base-uid", Generation: generation}}
	}
	values := func(zone string) *corev1.ConfigMap {
		return &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: "argosy-system", Name: v1alpha1.ClusterValuesName}, Data: map[string]string{"zone": zone},
		}
	}
	// A Component with something in place, whose wave would be looked at.
	component := &v1alpha1.Component{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "demo", UID: "demo-uid"}}
	component.Status.ControllerID = "a"
	with := func(objects ...client.Object) client.Client {
		return fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(component).
			WithObjects(append(objects, component.DeepCopy())...).Build()
	}
	stored := with(template(2), values("a"))
	r := &Reconciler{reader: stored, writer: stored, id: "a", namespace: "argosy-system", clock: clock.RealClock{}, measures: newMeasures()}
	for name, cache := range map[string]client.Client{
		"the templates of before":     with(template(1), values("a")),
		"a template that is gone":     with(template(2), &v1alpha1.ComponentTemplate{ObjectMeta: metav1.ObjectMeta{Name: "old"}}, values("a")),
		"values of before":            with(template(2), values("b")),
		"neither templates nor value": with(),
	} {
		r.cache = cache
		if _, _, err := r.today(t.Context()); !errors.Is(err, errBehind) {
			t.Errorf("%s: %v", name, err)
		}
		again, err := (&waves{Reconciler: r}).Reconcile(t.Context(), reconcile.Request{})
		if err != nil || again.RequeueAfter != lookSoon {
			t.Errorf("%s: the waves look again after %s (%v)", name, again.RequeueAfter, err)
		}
		again, err = r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(component)})
		if err != nil || again.RequeueAfter != lookSoon {
			t.Errorf("%s: the Component is looked at again after %s (%v)", name, again.RequeueAfter, err)
		}
	}
	r.cache = stored
	templates, have, err := r.today(t.Context())
	if err != nil || len(templates) != 1 || templates[0].Generation != 2 || have["zone"] != "a" {
		t.Fatalf("it has caught up: %v, %v, %v", templates, have, err)
	}
	r.reader = nil // It is asked no more.
	if _, _, err = r.today(t.Context()); err != nil {
		t.Error(err)
	}
}
