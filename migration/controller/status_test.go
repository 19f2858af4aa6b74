package controller

import (
	"context"
	"testing"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/record"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// A write that is refused again and again is said once, and stands until it goes through: nothing flaps, nobody is told twice.
func TestARefusedWriteIsSaidOnce(t *testing.T) {
	kinds := scheme(t)
	for _, add := range []func() error{
		func() error { return clientgoscheme.AddToScheme(kinds) }, func() error { return policyv1alpha1.Install(kinds) },
		func() error { return clusterv1alpha1.Install(kinds) }, func() error { return workv1alpha1.Install(kinds) },
		func() error { return workv1alpha2.Install(kinds) },
	} {
		if err := add(); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	workload := v1alpha1.WorkloadReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}
	migration := &v1alpha1.Migration{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deployment-web"}}
	migration.Spec.WorkloadReference = workload
	migration.Status.Phase = v1alpha1.PhaseCuttingOff
	migration.Status.Resources = []v1alpha1.ResourceStatus{{
		ResourceReference: v1alpha1.ResourceReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}, Policy: "deployment-web",
	}}
	refusing, updates := true, 0
	control := fake.NewClientBuilder().WithScheme(kinds).WithStatusSubresource(migration).
		WithObjects(migration, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}},
			&policyv1alpha1.PropagationPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deployment-web"}}).
		WithInterceptorFuncs(interceptor.Funcs{
			Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
				if refusing {
					return apierrors.NewInvalid(schema.GroupKind{Kind: "PropagationPolicy"}, object.GetName(), nil)
				}
				return c.Patch(ctx, object, patch, options...)
			},
			SubResourceUpdate: func(ctx context.Context, c client.Client, name string, object client.Object,
				options ...client.SubResourceUpdateOption) error {
				updates++
				return c.SubResource(name).Update(ctx, object, options...)
			},
		}).Build()
	events := record.NewFakeRecorder(100)
	controller := &Controller{Client: control, Reader: control, Clock: testingclock.NewFakePassiveClock(now), Events: events}
	pass := func() *metav1.Condition {
		t.Helper()
		if _, err := controller.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(migration)}); err != nil {
			t.Fatal(err)
		}
		if err := control.Get(t.Context(), client.ObjectKeyFromObject(migration), migration); err != nil {
			t.Fatal(err)
		}
		return meta.FindStatusCondition(migration.Status.Conditions, v1alpha1.ConditionAdvancing)
	}
	if got := pass(); got.Reason != v1alpha1.ReasonWriteRefused || migration.Status.Blocked != v1alpha1.ReasonWriteRefused {
		t.Fatalf("says %+v, blocked by %q", got, migration.Status.Blocked)
	}
	wrote, told := updates, len(events.Events)
	for range 3 {
		if got := pass(); got.Reason != v1alpha1.ReasonWriteRefused {
			t.Errorf("says %+v", got)
		}
	}
	if updates != wrote || len(events.Events) != told {
		t.Errorf("three further tries wrote the status %d times and told %d events", updates-wrote, len(events.Events)-told)
	}
	refusing = false
	if got := pass(); got.Reason != v1alpha1.ReasonCuttingOff || migration.Status.Blocked != "" {
		t.Errorf("once it went through it says %+v, blocked by %q", got, migration.Status.Blocked)
	}
}

// An error that stops every pass is told of once it has lasted a minute, and an API server that answers again ends it.
func TestAnErrorThatLastsIsACondition(t *testing.T) {
	kinds := scheme(t)
	for _, add := range []func() error{
		func() error { return clientgoscheme.AddToScheme(kinds) }, func() error { return policyv1alpha1.Install(kinds) },
		func() error { return clusterv1alpha1.Install(kinds) }, func() error { return workv1alpha1.Install(kinds) },
		func() error { return workv1alpha2.Install(kinds) },
	} {
		if err := add(); err != nil {
			t.Fatal(err)
		}
	}
	migration := &v1alpha1.Migration{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deployment-web"}}
	migration.Spec.WorkloadReference = v1alpha1.WorkloadReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}
	failing := true
	control := fake.NewClientBuilder().WithScheme(kinds).WithStatusSubresource(migration).
		WithObjects(migration, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}).
		WithInterceptorFuncs(
			interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
				if _, clusters := list.(*clusterv1alpha1.ClusterList); clusters && failing {
					return apierrors.NewServiceUnavailable("aggregated API server")
				}
				return c.List(ctx, list, options...)
			}}).Build()
	clock := testingclock.NewFakePassiveClock(time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC))
	events := record.NewFakeRecorder(10)
	controller := &Controller{Client: control, Reader: control, Clock: clock, Events: events}
	advancing := func() metav1.Condition {
		t.Helper()
		_, err := controller.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(migration)})
		if (err != nil) != failing {
			t.Fatalf("reconciling: %v", err)
		}
		if err := control.Get(t.Context(), client.ObjectKeyFromObject(migration), migration); err != nil {
			t.Fatal(err)
		}
		if found := meta.FindStatusCondition(migration.Status.Conditions, v1alpha1.ConditionAdvancing); found != nil {
			return *found
		}
		return metav1.Condition{}
	}
	if said := advancing(); said.Reason == v1alpha1.ReasonFailing {
		t.Errorf("said at once: %+v", said)
	}
	clock.SetTime(clock.Now().Add(time.Minute))
	advancing()
	if said := advancing(); said.Reason != v1alpha1.ReasonFailing || said.Status != metav1.ConditionUnknown ||
		migration.Status.Blocked != v1alpha1.ReasonFailing {
		t.Errorf("after a minute: %+v, blocked by %q", said, migration.Status.Blocked)
	}
	if len(events.Events) != 1 {
		t.Errorf("%d events, want 1", len(events.Events))
	}
	failing = false
	if said := advancing(); said.Reason == v1alpha1.ReasonFailing || migration.Status.Blocked == v1alpha1.ReasonFailing {
		t.Errorf("still said: %+v", said)
	}
}
