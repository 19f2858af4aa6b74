package publish

import (
	"errors"
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

func plane(t testing.TB, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, policyv1alpha1.Install, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	mapper := testrestmapper.TestOnlyStaticRESTMapper(scheme) // as an API server that serves all of the scheme
	return fake.NewClientBuilder().WithScheme(scheme).WithRESTMapper(mapper).WithObjects(objects...).Build()
}

func migration(management v1alpha1.Management, phase v1alpha1.Phase) *v1alpha1.Migration {
	out := &v1alpha1.Migration{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deployment-web"}}
	out.Spec.WorkloadReference = v1alpha1.WorkloadReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}
	out.Status.Management, out.Status.Phase = management, phase
	out.Status.Clusters = []v1alpha1.ClusterStatus{{Name: "a", State: v1alpha1.ClusterOpen}, {Name: "b", State: v1alpha1.ClusterOpen}}
	return out
}

func rolledBack(migration *v1alpha1.Migration) *v1alpha1.Migration {
	migration.Spec.Rollback = &v1alpha1.Rollback{}
	return migration
}

func listing(trigger v1alpha1.Trigger) *v1alpha1.MigrationWhitelist {
	out := &v1alpha1.MigrationWhitelist{ObjectMeta: metav1.ObjectMeta{Name: "all"}}
	out.Spec.Entries = []v1alpha1.WhitelistEntry{{Namespace: "shop", Trigger: trigger,
		WorkloadReference: v1alpha1.WorkloadReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}}}
	return out
}

func TestAsk(t *testing.T) {
	listed := func(management v1alpha1.Management, phase v1alpha1.Phase) []client.Object {
		return []client.Object{listing(""), migration(management, phase)}
	}
	federated := listed(v1alpha1.ManagementFederated, v1alpha1.PhaseFederated)
	for name, tc := range map[string]struct {
		objects []client.Object
		kind    string
		want    v1alpha1.Management
		listed  bool
	}{
		"nobody knows it":   {want: v1alpha1.ManagementStatic},
		"listed, not begun": {objects: []client.Object{listing("")}, want: v1alpha1.ManagementStatic, listed: true},
		"being prepared": {
			objects: listed(v1alpha1.ManagementStatic, v1alpha1.PhasePreparing), want: v1alpha1.ManagementStatic, listed: true,
		},
		"being opened": {
			objects: listed(v1alpha1.ManagementChanging, v1alpha1.PhaseOpening), want: v1alpha1.ManagementChanging, listed: true,
		},
		"federated":          {objects: federated, want: v1alpha1.ManagementFederated, listed: true},
		"kind in lower case": {kind: "deployment", objects: federated, want: v1alpha1.ManagementFederated, listed: true},
		"rolled back, and listed still": {objects: []client.Object{listing(""), rolledBack(migration(v1alpha1.ManagementFederated,
			v1alpha1.PhaseFederated))}, want: v1alpha1.ManagementChanging},
		"taken off this moment":     {objects: federated[1:], want: v1alpha1.ManagementChanging},
		"cut off":                   {objects: listed(v1alpha1.ManagementStatic, v1alpha1.PhaseCutOff)[1:], want: v1alpha1.ManagementStatic},
		"another kind of that name": {kind: "CloneSet", objects: federated, want: v1alpha1.ManagementStatic},
	} {
		t.Run(name, func(t *testing.T) {
			kind := tc.kind
			if kind == "" {
				kind = "Deployment"
			}
			got, err := Ask(t.Context(), plane(t, tc.objects...), Application{Namespace: "shop", Kind: kind, Name: "web"})
			if err != nil {
				t.Fatal(err)
			}
			if got.Management != tc.want || got.IsKarmada != (tc.want == v1alpha1.ManagementFederated) || got.Whitelisted != tc.listed {
				t.Errorf("answer %+v, want %s, listed %v", got, tc.want, tc.listed)
			}
		})
	}
}

// Whatever kubectl calls a kind, the answer is the same; a word that is no kind gets none, since Static would be a lie.
func TestAskKnowsWhatKindsAreCalled(t *testing.T) {
	control := plane(t, listing(""), migration(v1alpha1.ManagementFederated, v1alpha1.PhaseFederated))
	for kind, known := range map[string]bool{
		"Deployment": true, "deployment": true, "deployments": true, "deploy": true, "Deployments.apps": true, "deployment.v1.apps": true,
		"deploymnt": false, "Job": false, "": false,
	} {
		got, err := Ask(t.Context(), control, Application{Namespace: "shop", Kind: kind, Name: "web"})
		if known != got.IsKarmada || known == errors.Is(err, ErrBadApplication) {
			t.Errorf("%q: %+v, %v", kind, got, err)
		}
	}
	if _, err := Ask(t.Context(), control, Application{Kind: "Deployment", Name: "web"}); !errors.Is(err, ErrBadApplication) {
		t.Errorf("error %v for a question without a namespace", err)
	}
	for word, kind := range called {
		if !policy.Supported("apps/v1", kind) && !policy.Supported("apps.kruise.io/v1alpha1", kind) {
			t.Errorf("%s is called %s, which cannot be moved", kind, word)
		}
	}
}
