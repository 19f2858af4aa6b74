package whitelist

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// However many applications there are, a look at a whitelist lists none of them, and makes the Migrations that are missing.
func TestALookListsNothing(t *testing.T) {
	kinds := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1.AddToScheme} {
		if err := add(kinds); err != nil {
			t.Fatal(err)
		}
	}
	list := whitelistOf("all", "", entryOf(v1alpha1.EnvironmentTest, "web"), entryOf(v1alpha1.EnvironmentTest, "api"))
	control := fake.NewClientBuilder().WithScheme(kinds).WithStatusSubresource(list).WithObjects(list).
		WithInterceptorFuncs(interceptor.Funcs{
			List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
				t.Error("listed")
				return nil
			},
		}).Build()
	c := &Controller{Client: control}
	c.order.Put(list)
	c.order.See(migrationOf("api", v1alpha1.PhaseFederated))
	if _, err := c.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(list)}); err != nil {
		t.Fatal(err)
	}
	if err := control.Get(t.Context(), key("web"), &v1alpha1.Migration{}); err != nil {
		t.Error(err)
	}
	if err := control.Get(t.Context(), client.ObjectKeyFromObject(list), list); err != nil {
		t.Fatal(err)
	}
	if got, want := list.Status.Progress, "Test 1/2, 1 of 2 federated"; got != want {
		t.Errorf("says %q, want %q", got, want)
	}
}
