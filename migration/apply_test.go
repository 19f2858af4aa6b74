package migration

import (
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/argosy-dev/argosy/migration/plan"
)

// A decision rests on what was read. When another application's rollback closed a shared policy since, or a second
// controller that lost its lease wakes up late, nothing of it is written.
func TestOutdatedDecisionsAreNotCarriedOut(t *testing.T) {
	named := metav1.ObjectMeta{Namespace: "shop", Name: "configmap-common"}
	closing := &policyv1alpha1.Suspension{Dispatching: ptr.To(true)}
	ref := func(kind string) plan.Ref {
		return plan.Ref{APIVersion: policyv1alpha1.GroupVersion.String(), Kind: kind, Name: named.Name}
	}
	policyKind, overrideKind := policyv1alpha1.ResourceKindPropagationPolicy, policyv1alpha1.ResourceKindOverridePolicy
	for name, tc := range map[string]struct {
		action  plan.Action
		current bool
	}{
		"opens":                {action: plan.Action{Verb: plan.SetSuspension, Ref: ref(policyKind)}},
		"opens what it saw":    {action: plan.Action{Verb: plan.SetSuspension, Ref: ref(policyKind)}, current: true},
		"rewrites":             {action: plan.Action{Verb: plan.WritePolicy, Ref: ref(policyKind), Policy: &policyv1alpha1.PropagationPolicy{ObjectMeta: named}}},
		"rewrites an override": {action: plan.Action{Verb: plan.WriteOverride, Ref: ref(overrideKind), Over: &policyv1alpha1.OverridePolicy{ObjectMeta: named}}},
		"deletes":              {action: plan.Action{Verb: plan.Delete, Ref: ref(policyKind)}},
		"deletes what it saw":  {action: plan.Action{Verb: plan.Delete, Ref: ref(policyKind)}, current: true},
	} {
		t.Run(name, func(t *testing.T) {
			kinds := scheme(t)
			if err := policyv1alpha1.Install(kinds); err != nil {
				t.Fatal(err)
			}
			existing := &policyv1alpha1.PropagationPolicy{ObjectMeta: named}
			control := fake.NewClientBuilder().WithScheme(kinds).WithObjects(existing, &policyv1alpha1.OverridePolicy{ObjectMeta: named}).Build()
			if err := control.Get(t.Context(), client.ObjectKeyFromObject(existing), existing); err != nil {
				t.Fatal(err)
			}
			tc.action.Seen = existing.ResourceVersion
			if !tc.current {
				// Somebody closes it between the decision and its write.
				existing.Spec.Suspension = closing
				if err := control.Update(t.Context(), existing); err != nil {
					t.Fatal(err)
				}
				override := &policyv1alpha1.OverridePolicy{ObjectMeta: named}
				changed := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"changed":"true"}}}`))
				if err := control.Patch(t.Context(), override, changed); err != nil {
					t.Fatal(err)
				}
			}
			err := (&Controller{Client: control, Reader: control}).apply(t.Context(), "shop", []plan.Action{tc.action})
			if got := apierrors.IsConflict(err); got == tc.current {
				t.Fatalf("error %v, want a conflict: %v", err, !tc.current)
			}
			if tc.current {
				return
			}
			if err := control.Get(t.Context(), client.ObjectKeyFromObject(existing), existing); err != nil {
				t.Fatal(err)
			}
			if existing.Spec.Suspension == nil || !ptr.Deref(existing.Spec.Suspension.Dispatching, false) {
				t.Error("what was closed is open again")
			}
		})
	}
}
