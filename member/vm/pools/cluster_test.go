package pools

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/balance"
	"github.com/argosy-dev/argosy/member/vm/control"
)

// heard keeps of which pools a driver was told.
type heard struct{ pools []balance.Pool }

func (a *heard) Ensure(_ context.Context, pool balance.Pool, _ []balance.Member) error {
	a.pools = append(a.pools, pool)
	return nil
}

func (a *heard) Observe(context.Context, balance.Pool) ([]balance.Seen, error) { return nil, nil }

// TestAPoolIsOfItsCluster: a load balancer that several members share is told which of them speaks.
func TestAPoolIsOfItsCluster(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	driver := &heard{}
	for _, member := range []types.UID{"member1", "member2"} {
		server := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1"}}
		server.Spec.LoadBalancers = []v1alpha1.LoadBalancer{{Name: "public", Driver: "edge", Pool: "web", Port: 80}}
		system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: metav1.NamespaceSystem, UID: member}}
		api := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(server).WithObjects(server, system).Build()
		r := New(Options{Drivers: map[string]balance.Driver{"edge": driver}},
			control.Means{Cache: api, Live: api, Writer: api, Recorder: record.NewFakeRecorder(10)})
		if _, err := r.Reconcile(t.Context(), Key{Namespace: "shop", Driver: "edge", Pool: "web"}); err != nil {
			t.Fatal(err)
		}
	}
	if len(driver.pools) != 2 || driver.pools[0].Cluster != "member1" || driver.pools[1].Cluster != "member2" {
		t.Errorf("told of %+v", driver.pools)
	}
}
