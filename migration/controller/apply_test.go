package controller

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
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
		"opens":             {action: plan.Action{Verb: plan.SetSuspension, Ref: ref(policyKind)}},
		"opens what it saw": {action: plan.Action{Verb: plan.SetSuspension, Ref: ref(policyKind)}, current: true},
		"rewrites": {
			action: plan.Action{Verb: plan.WritePolicy, Ref: ref(policyKind), Policy: &policyv1alpha1.PropagationPolicy{ObjectMeta: named}},
		},
		"rewrites an override": {
			action: plan.Action{Verb: plan.WriteOverride, Ref: ref(overrideKind), Over: &policyv1alpha1.OverridePolicy{ObjectMeta: named}},
		},
		"deletes":             {action: plan.Action{Verb: plan.Delete, Ref: ref(policyKind)}},
		"deletes what it saw": {action: plan.Action{Verb: plan.Delete, Ref: ref(policyKind)}, current: true},
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

// A policy that a removal had let go of, and that is written again since the removal was given up, is guarded again.
func TestAWrittenPolicyIsNotLetGoOf(t *testing.T) {
	kinds := scheme(t)
	if err := policyv1alpha1.Install(kinds); err != nil {
		t.Fatal(err)
	}
	existing := &policyv1alpha1.PropagationPolicy{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "configmap-web", Annotations: map[string]string{v1alpha1.AnnotationLeaving: "deployment-web", "mine": "stays"},
		},
	}
	control := fake.NewClientBuilder().WithScheme(kinds).WithObjects(existing).Build()
	if err := control.Get(t.Context(), client.ObjectKeyFromObject(existing), existing); err != nil {
		t.Fatal(err)
	}
	want := &policyv1alpha1.PropagationPolicy{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "configmap-web", Annotations: map[string]string{v1alpha1.AnnotationCutOff: "deployment-web"},
		},
	}
	action := plan.Action{Verb: plan.WritePolicy, Policy: want, Seen: existing.ResourceVersion}
	if err := (&Controller{Client: control, Reader: control}).apply(t.Context(), "shop", []plan.Action{action}); err != nil {
		t.Fatal(err)
	}
	if err := control.Get(t.Context(), client.ObjectKeyFromObject(existing), existing); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{v1alpha1.AnnotationCutOff: "deployment-web", "mine": "stays"}, existing.Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
}

// Fields of a Karmada newer than the types built in here stay: what is sent is what changed, not the object as it was understood.
func TestNewerFieldsOfAPolicyStay(t *testing.T) {
	kinds := scheme(t)
	if err := policyv1alpha1.Install(kinds); err != nil {
		t.Fatal(err)
	}
	named := metav1.ObjectMeta{Namespace: "shop", Name: "web"}
	for name, tc := range map[string]struct {
		existing client.Object
		action   plan.Action
		want     string
	}{
		"policy": {
			existing: &policyv1alpha1.PropagationPolicy{
				ObjectMeta: named, Spec: policyv1alpha1.PropagationSpec{Priority: ptr.To[int32](1), SchedulerName: "other"},
			},
			action: plan.Action{Verb: plan.WritePolicy, Ref: plan.Ref{Kind: "PropagationPolicy", Name: "web"},
				Policy: &policyv1alpha1.PropagationPolicy{ObjectMeta: named, Spec: policyv1alpha1.PropagationSpec{Priority: ptr.To[int32](2)}}},
			want: `{"metadata":{"resourceVersion":"999"},"spec":{"priority":2,"schedulerName":null}}`,
		},
		"override": {
			existing: &policyv1alpha1.OverridePolicy{ObjectMeta: named},
			action: plan.Action{Verb: plan.WriteOverride, Ref: plan.Ref{Kind: "OverridePolicy", Name: "web"},
				Over: &policyv1alpha1.OverridePolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web",
					Labels: map[string]string{"a": "b"}}}},
			want: `{"metadata":{"labels":{"a":"b"},"resourceVersion":"999"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			sent := ""
			control := fake.NewClientBuilder().WithScheme(kinds).WithObjects(tc.existing).WithInterceptorFuncs(interceptor.Funcs{
				Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error {
					return errors.New("the whole object was sent")
				},
				Patch: func(_ context.Context, _ client.WithWatch, object client.Object, patch client.Patch, _ ...client.PatchOption) error {
					raw, err := patch.Data(object)
					sent = string(raw)
					return err
				},
			}).Build()
			tc.action.Seen = "999"
			if err := (&Controller{Client: control, Reader: control}).apply(t.Context(), "shop", []plan.Action{tc.action}); err != nil {
				t.Fatal(err)
			}
			if sent != tc.want {
				t.Errorf("sent %s, want %s", sent, tc.want)
			}
		})
	}
}

// A controller that lost its lease wakes up late, and would free a binding that was frozen since, or divide it as it was: it does
// neither. To freeze one is right whatever it has become.
func TestOutdatedDecisionsDoNotSchedule(t *testing.T) {
	for name, tc := range map[string]struct {
		action plan.Action
		want   bool
	}{
		"frees":   {action: plan.Action{Seen: "1"}},
		"presets": {action: plan.Action{Seen: "1", Frozen: true, Clusters: []workv1alpha2.TargetCluster{{Name: "a", Replicas: 9}}}},
		"freezes": {action: plan.Action{Frozen: true}, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			kinds := scheme(t)
			if err := workv1alpha2.Install(kinds); err != nil {
				t.Fatal(err)
			}
			binding := &workv1alpha2.ResourceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-deployment"}}
			control := fake.NewClientBuilder().WithScheme(kinds).WithObjects(binding).Build()
			tc.action.Verb, tc.action.Ref = plan.SetScheduling, plan.Ref{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}
			err := (&Controller{Client: control, Reader: control}).apply(t.Context(), "shop", []plan.Action{tc.action})
			if apierrors.IsConflict(err) == tc.want || tc.want && err != nil {
				t.Fatalf("error %v, want it written: %v", err, tc.want)
			}
			if err := control.Get(t.Context(), client.ObjectKeyFromObject(binding), binding); err != nil {
				t.Fatal(err)
			}
			if got := binding.Spec.SchedulingSuspended(); got != tc.want || len(binding.Spec.Clusters) > 0 {
				t.Errorf("frozen: %v, clusters %v", got, binding.Spec.Clusters)
			}
		})
	}
}
