package controller

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/argosy-dev/argosy/migration/plan"
)

// sentOf is what an action sends of an object with fields that the types built in here do not know. It is answered as a newer
// karmada-apiserver would: who reads it typed loses those.
func sentOf(t *testing.T, text string, action plan.Action) string {
	t.Helper()
	kinds := scheme(t)
	for _, install := range []func(*runtime.Scheme) error{policyv1alpha1.Install, workv1alpha2.Install} {
		if err := install(kinds); err != nil {
			t.Fatal(err)
		}
	}
	existing, sent := &unstructured.Unstructured{}, ""
	if err := json.Unmarshal([]byte(text), &existing.Object); err != nil {
		t.Fatal(err)
	}
	control := fake.NewClientBuilder().WithScheme(kinds).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(_ context.Context, _ client.WithWatch, _ client.ObjectKey, object client.Object, _ ...client.GetOption) error {
			return runtime.DefaultUnstructuredConverter.FromUnstructured(existing.DeepCopy().Object, object)
		},
		Patch: func(_ context.Context, _ client.WithWatch, object client.Object, patch client.Patch, _ ...client.PatchOption) error {
			raw, err := patch.Data(object)
			sent = string(raw)
			return err
		},
	}).Build()
	if err := (&Controller{Client: control, Reader: control}).apply(t.Context(), "shop", []plan.Action{action}); err != nil {
		t.Fatal(err)
	}
	return sent
}

// The placement that counts as applied is the binding's own, also what a newer Karmada has in it: the scheduler would take its loss for
// another placement, and divide anew at the thaw.
func TestTheAppliedPlacementIsTheBindingsOwn(t *testing.T) {
	const (
		placement = `{"clusterAffinity":{"clusterNames":["a"],"newInAffinity":1},` +
			`"clusterTolerations":[{"key":"gpu","newInToleration":"x"}],"newInPlacement":{"deep":[1,2]}}`
		held = `{"clusterAffinity":{"clusterNames":["a"],"newInAffinity":1},` +
			`"clusterTolerations":[{"key":"gpu","newInToleration":"x"},{"effect":"NoExecute","operator":"Exists"}],"newInPlacement":{"deep":[1,2]}}`
		binding = `{"apiVersion":"work.karmada.io/v1alpha2","kind":"ResourceBinding",` +
			`"metadata":{"namespace":"shop","name":"web-deployment","resourceVersion":"7"},"spec":{"newInSpec":"stays","placement":` + placement +
			`}}`
	)
	for name, tc := range map[string]struct {
		action plan.Action
		want   string
	}{
		"presets": {action: plan.Action{Frozen: true, Clusters: []workv1alpha2.TargetCluster{{Name: "a", Replicas: 9}}}, want: held},
		"freezes": {action: plan.Action{Frozen: true}, want: held},
		"frees":   {want: placement},
	} {
		t.Run(name, func(t *testing.T) {
			tc.action.Verb, tc.action.Ref = plan.SetScheduling, plan.Ref{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}
			sent := map[string]any{}
			if err := json.Unmarshal([]byte(sentOf(t, binding, tc.action)), &sent); err != nil {
				t.Fatal(err)
			}
			applied, _, _ := unstructured.NestedString(sent, "metadata", "annotations", "policy.karmada.io/applied-placement")
			if diff := cmp.Diff(tc.want, applied); diff != "" {
				t.Errorf("applied placement (-want +got):\n%s", diff)
			}
			if spec, _, _ := unstructured.NestedMap(sent, "spec"); spec["placement"] != nil || spec["newInSpec"] != nil {
				t.Errorf("fields that nobody changed were sent: %v", spec)
			}
		})
	}
}

// A policy that is closed keeps what a newer Karmada has in its tolerations, a list that is sent whole.
func TestAHeldPolicyKeepsNewerTolerations(t *testing.T) {
	const policy = `{"apiVersion":"policy.karmada.io/v1alpha1","kind":"PropagationPolicy",` +
		`"metadata":{"namespace":"shop","name":"web","resourceVersion":"7"},` +
		`"spec":{"placement":{"clusterTolerations":[{"key":"gpu","newInToleration":"x"}]}}}`
	sent := sentOf(t, policy, plan.Action{
		Verb: plan.SetSuspension, Ref: plan.Ref{Kind: "PropagationPolicy", Name: "web"}, Seen: "7",
		Suspension: &policyv1alpha1.Suspension{Dispatching: ptr.To(true)},
	})
	const want = `{"metadata":{"resourceVersion":"7"},"spec":{"placement":{"clusterTolerations":[` +
		`{"key":"gpu","newInToleration":"x"},{"effect":"NoExecute","operator":"Exists"}]},` +
		`"preserveResourcesOnDeletion":true,"suspension":{"dispatching":true}}}`
	if sent != want {
		t.Errorf("sent %s, want %s", sent, want)
	}
}
