package migration

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// The gauge counts the applications of all whitelists, whichever was looked at last: a failed one must not read 0.
func TestTheGaugeCountsEveryWhitelist(t *testing.T) {
	failed := &v1alpha1.Migration{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deployment-web"}}
	failed.Spec.WorkloadReference = listed("apps/v1", "Deployment", "web").WorkloadReference
	failed.Status.Failure = &v1alpha1.Failure{Attempt: 1}
	fine := &v1alpha1.Migration{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deployment-api"}}
	fine.Spec.WorkloadReference = listed("apps/v1", "Deployment", "api").WorkloadReference
	fine.Status.Phase = v1alpha1.PhaseFederated
	one, two := whitelist("one", listed("apps/v1", "Deployment", "web")), whitelist("two", listed("apps/v1", "Deployment", "api"))
	control := fake.NewClientBuilder().WithScheme(scheme(t)).WithStatusSubresource(one, two).WithObjects(failed, fine, one, two).Build()
	for _, last := range []client.Object{one, two} {
		if _, err := (&Whitelists{Client: control}).
			Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(last)}); err != nil {
			t.Fatal(err)
		}
		for state, want := range map[string]float64{"failed": 1, "federated": 1, "waiting": 0} {
			if got := testutil.ToFloat64(applications.WithLabelValues("Test", state)); got != want {
				t.Errorf("after a look at %s: %s %v, want %v", last.GetName(), state, got, want)
			}
		}
	}
}
