package main

import (
	"context"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// The controllers write Migrations and whitelists every few seconds; a person is not told of that.
func TestEditsMeetTheControllers(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	application := v1alpha1.WorkloadReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}
	migration := &v1alpha1.Migration{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deployment-web"}}
	migration.Spec.WorkloadReference = application
	migration.Spec.Approvals = []v1alpha1.Approval{{PlanHash: "old", User: "carol"}, {PlanHash: "now", User: "alice"}}
	migration.Status.Plan = &v1alpha1.Plan{Hash: "now"}
	whitelist := &v1alpha1.MigrationWhitelist{ObjectMeta: metav1.ObjectMeta{Name: "all"}}
	whitelist.Spec.Entries = []v1alpha1.WhitelistEntry{
		{Namespace: "shop", WorkloadReference: application}, {Namespace: "other", WorkloadReference: application},
	}

	conflicts := 0
	meanwhile := func() error {
		if conflicts++; conflicts%2 == 1 {
			return apierrors.NewConflict(schema.GroupResource{Resource: "x"}, "x", nil)
		}
		return nil
	}
	control := fake.NewClientBuilder().WithScheme(scheme).WithObjects(migration, whitelist).WithInterceptorFuncs(interceptor.Funcs{
		Patch: func(ctx context.Context, inner client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			if err := meanwhile(); err != nil {
				return err
			}
			return inner.Patch(ctx, object, patch, options...)
		},
		Update: func(ctx context.Context, inner client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			if err := meanwhile(); err != nil {
				return err
			}
			return inner.Update(ctx, object, options...)
		},
	}).Build()
	if err := decide(t.Context(), control, migration, v1alpha1.Approval{PlanHash: "now"}); err != nil {
		t.Error(err)
	}
	if got := migration.Spec.Approvals; len(got) != 2 || got[0].User != "alice" || got[1].PlanHash != "now" {
		t.Errorf("approvals %+v, want alice's and the new one", got)
	}
	if err := decide(t.Context(), control, migration, v1alpha1.Approval{PlanHash: "abc"}); err == nil ||
		!strings.Contains(err.Error(),
			"it is not the current plan, which is now: read it with 'argosyctl migration plan -n shop deployment/web' and decide about that") {
		t.Errorf("approving another plan: %v", err)
	}
	name, err := editEntries(t.Context(), control, migration,
		func(entries []v1alpha1.WhitelistEntry) []v1alpha1.WhitelistEntry { return without(entries, migration) })
	if err != nil || name != "all" {
		t.Errorf("edited %q: %v", name, err)
	}
	if err := control.Get(t.Context(), client.ObjectKeyFromObject(whitelist), whitelist); err != nil || len(whitelist.Spec.Entries) != 1 ||
		whitelist.Spec.Entries[0].Namespace != "other" {
		t.Errorf("entries %+v, %v", whitelist.Spec.Entries, err)
	}
	if conflicts != 4 {
		t.Errorf("%d writes, want two that met a conflict and two that did not", conflicts)
	}
}

// Whoever rejected a plan and approves it after all takes the rejection back, and the other way round; another's stays.
func TestADecisionReplacesOnesOwn(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, authenticationv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	migration := &v1alpha1.Migration{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deployment-web"}}
	migration.Spec.WorkloadReference = v1alpha1.WorkloadReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}
	migration.Spec.Approvals = []v1alpha1.Approval{
		{PlanHash: "now", User: "carol", Decision: v1alpha1.DecisionReject, Reason: "no"},
		{PlanHash: "now", User: "bob", Decision: v1alpha1.DecisionReject, Reason: "no"},
	}
	migration.Status.Plan = &v1alpha1.Plan{Hash: "now"}
	control := fake.NewClientBuilder().WithScheme(scheme).WithObjects(migration).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(_ context.Context, _ client.WithWatch, object client.Object, _ ...client.CreateOption) error {
			object.(*authenticationv1.SelfSubjectReview).Status.UserInfo.Username = "bob"
			return nil
		},
	}).Build()
	if err := decide(t.Context(), control, migration, v1alpha1.Approval{PlanHash: "now"}); err != nil {
		t.Fatal(err)
	}
	if got := migration.Spec.Approvals; len(got) != 2 || got[0].User != "carol" || got[1].Decision != "" {
		t.Errorf("decisions %+v, want carol's rejection and the new approval", got)
	}
}
