package controller

import (
	"context"
	"errors"
	"testing"
	"time"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// crowd is two applications in two batches of one whitelist, as a controller's caches show them.
type crowd struct {
	first, second *v1alpha1.Migration
	list          *v1alpha1.MigrationWhitelist
}

func newCrowd() *crowd {
	c := &crowd{list: &v1alpha1.MigrationWhitelist{ObjectMeta: metav1.ObjectMeta{Name: "all"}}}
	for i, into := range []**v1alpha1.Migration{&c.first, &c.second} {
		workload := v1alpha1.WorkloadReference{APIVersion: "apps/v1", Kind: "Deployment", Name: []string{"web", "api"}[i]}
		*into = &v1alpha1.Migration{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deployment-" + workload.Name}}
		(*into).Spec.WorkloadReference = workload
		c.list.Spec.Entries = append(c.list.Spec.Entries, v1alpha1.WhitelistEntry{
			Namespace: "shop", WorkloadReference: workload,
			Environment: []v1alpha1.Environment{v1alpha1.EnvironmentTest, v1alpha1.EnvironmentProduction}[i],
		})
	}
	return c
}

// Who waits for its turn costs no request: not of karmada-apiserver, and not of a member.
func TestWhoWaitsReadsNothing(t *testing.T) {
	c := newCrowd()
	kinds := scheme(t)
	if err := policyv1alpha1.Install(kinds); err != nil {
		t.Fatal(err)
	}
	cache := fake.NewClientBuilder().WithScheme(kinds).WithStatusSubresource(c.second).WithObjects(c.first, c.second, c.list).Build()
	reads, writes := 0, 0
	api := interceptor.NewClient(cache, interceptor.Funcs{
		Get: func(ctx context.Context, inner client.WithWatch, key client.ObjectKey, object client.Object, o ...client.GetOption) error {
			reads++
			return inner.Get(ctx, key, object, o...)
		},
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			reads++
			return errors.New("listed past the cache")
		},
	})
	writing := interceptor.NewClient(cache, interceptor.Funcs{SubResourceUpdate: func(ctx context.Context, inner client.Client, name string,
		object client.Object, o ...client.SubResourceUpdateOption) error {
		writes++
		return inner.SubResource(name).Update(ctx, object, o...)
	}})
	controller := &Controller{Client: writing, Reader: api, Events: record.NewFakeRecorder(10),
		Clock: testingclock.NewFakePassiveClock(time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC))}
	controller.order.Put(c.list)
	controller.order.See(c.first)
	controller.order.See(c.second)
	request := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(c.second)}
	if _, err := controller.Reconcile(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if writes != 1 {
		t.Fatalf("the first look wrote %d times, want 1: that it waits, and for what", writes)
	}
	reads = 0
	for range 3 {
		result, err := controller.Reconcile(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if result.RequeueAfter < time.Minute {
			t.Errorf("it is looked at again after %s", result.RequeueAfter)
		}
	}
	if reads != 0 || writes != 1 {
		t.Errorf("three further looks: %d requests of the API server, %d writes", reads, writes-1)
	}
}

// Who is to come back goes to the workers kept for that, whichever way it is told; nobody else does.
func TestWhoComesBackGoesFirst(t *testing.T) {
	for name, tc := range map[string]struct {
		phase  v1alpha1.Phase
		change func(*crowd, *Controller)
		want   bool
	}{
		"federated": {phase: v1alpha1.PhaseFederated, change: func(*crowd, *Controller) {}},
		"a person rolls it back": {phase: v1alpha1.PhaseFederated, want: true, change: func(c *crowd, _ *Controller) {
			c.first.Spec.Rollback = &v1alpha1.Rollback{}
		}},
		"it failed": {phase: v1alpha1.PhaseCuttingOff, want: true, change: func(*crowd, *Controller) {}},
		"taken off the whitelist": {phase: v1alpha1.PhaseFederated, want: true, change: func(c *crowd, controller *Controller) {
			edited := c.list.DeepCopy()
			edited.Spec.Entries = edited.Spec.Entries[1:]
			controller.put(t.Context(), edited, &ignored{})
		}},
		"it is back": {phase: v1alpha1.PhaseCutOff, change: func(c *crowd, _ *Controller) { c.first.Spec.Rollback = &v1alpha1.Rollback{} }},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCrowd()
			c.first.Status.Phase = tc.phase
			controller := &Controller{returns: make(chan event.GenericEvent, 10)}
			controller.order.Put(c.list)
			controller.order.See(c.first)
			tc.change(c, controller)
			controller.see(t.Context(), c.first, false, &ignored{})
			if got := len(controller.returns) > 0; got != tc.want {
				t.Errorf("goes first: %v, want %v", got, tc.want)
			}
		})
	}
}

// ignored is a queue that takes what it is given.
type ignored struct{ queue }

func (*ignored) Add(reconcile.Request) {}
