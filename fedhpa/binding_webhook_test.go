package fedhpa

import (
	"encoding/json"
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// makeBinding builds a binding of two clusters.
func makeBinding(m1, m2, replicas int32, ledger string) *workv1alpha2.ResourceBinding {
	b := &workv1alpha2.ResourceBinding{}
	b.APIVersion, b.Kind = workv1alpha2.GroupVersion.String(), "ResourceBinding"
	b.Name, b.Namespace = "web-deployment", "shop"
	b.Spec.Replicas = replicas
	b.Spec.Placement = &policyv1alpha1.Placement{
		ReplicaScheduling: &policyv1alpha1.ReplicaSchedulingStrategy{ReplicaSchedulingType: policyv1alpha1.ReplicaSchedulingTypeDivided},
	}
	b.Spec.Clusters = []workv1alpha2.TargetCluster{{Name: "member1", Replicas: m1}, {Name: "member2", Replicas: m2}}
	if ledger != "" {
		b.Annotations = map[string]string{api.FedHPALedgerAnnotation: ledger}
	}
	return b
}

// duplicated is the binding after its policy was changed: every cluster has all replicas.
func duplicated(b *workv1alpha2.ResourceBinding) *workv1alpha2.ResourceBinding {
	b.Spec.Placement.ReplicaScheduling.ReplicaSchedulingType = policyv1alpha1.ReplicaSchedulingTypeDuplicated
	return b
}

func TestBindingKeeper(t *testing.T) {
	cases := map[string]struct {
		before, after *workv1alpha2.ResourceBinding
		want          int32
		wantKept      bool
	}{
		"the detector puts an old count back": {
			before: makeBinding(9, 5, 14, "member1=9,member2=5"), after: makeBinding(9, 5, 10, "member1=9,member2=5"),
			want: 14, wantKept: true,
		},
		"FedHPA's own write passes": {
			before: makeBinding(9, 5, 14, "member1=9,member2=5"), after: makeBinding(9, 6, 15, "member1=9,member2=6"),
		},
		"a scheduling result passes": {
			before: makeBinding(9, 5, 14, "member1=9,member2=5"), after: makeBinding(7, 7, 14, "member1=9,member2=5"),
		},
		"a scheduling result with a count passes": {
			before: makeBinding(9, 5, 14, "member1=9,member2=5"), after: makeBinding(7, 7, 16, "member1=9,member2=5"),
		},
		"no FedHPA, no business": {
			before: makeBinding(9, 5, 14, ""), after: makeBinding(9, 5, 10, ""),
		},
		"scaling to zero passes": {
			before: makeBinding(9, 5, 14, "member1=9,member2=5"), after: makeBinding(9, 5, 0, "member1=9,member2=5"),
		},
		"where replicas are duplicated the sum is no count": {
			before: duplicated(makeBinding(14, 14, 14, "member1=9,member2=5")), after: duplicated(makeBinding(14, 14, 10, "member1=9,member2=5")),
		},
		"giving the binding up passes": {
			before: makeBinding(9, 5, 14, "member1=9,member2=5"), after: makeBinding(9, 5, 10, ""),
		},
	}
	scheme := runtime.NewScheme()
	if err := workv1alpha2.Install(scheme); err != nil {
		t.Fatal(err)
	}
	keeper := &BindingKeeper{Decoder: admission.NewDecoder(scheme)}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			response := keeper.Handle(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
				Operation: admissionv1.Update, Object: raw(t, tc.after), OldObject: raw(t, tc.before),
			}})
			if !response.Allowed {
				t.Fatalf("refused: %v", response.Result)
			}
			if kept := len(response.Patches) == 1; kept != tc.wantKept {
				t.Fatalf("patches = %v, want kept %v", response.Patches, tc.wantKept)
			}
			if tc.wantKept {
				if p := response.Patches[0]; p.Path != "/spec/replicas" || p.Value != tc.want {
					t.Errorf("patch = %+v, want /spec/replicas %d", p, tc.want)
				}
			}
		})
	}
}

// FuzzBindingKeeper: whatever arrives, no panic, no refusal (Karmada's own writers would stand still), and never more than one patch, which
// is of spec.replicas.
func FuzzBindingKeeper(f *testing.F) {
	f.Add([]byte(`{"spec":{"replicas":1}}`),
		[]byte(`{"metadata":{"annotations":{"fedhpa.argosy.dev/ledger":"member1=1"}},"spec":{"clusters":[{"name":"member1","replicas":2}]}}`))
	f.Add([]byte(`null`), []byte(`[]`))
	f.Add([]byte(`{}`), []byte(`{"spec":{"replicas":"three"}}`))
	scheme := runtime.NewScheme()
	if err := workv1alpha2.Install(scheme); err != nil {
		f.Fatal(err)
	}
	keeper := &BindingKeeper{Decoder: admission.NewDecoder(scheme)}
	f.Fuzz(func(t *testing.T, before, after []byte) {
		response := keeper.Handle(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
			Operation: admissionv1.Update, Object: runtime.RawExtension{Raw: after}, OldObject: runtime.RawExtension{Raw: before},
		}})
		if !response.Allowed {
			t.Errorf("refused: %v", response.Result)
		}
		if len(response.Patches) > 1 || len(response.Patches) == 1 && response.Patches[0].Path != "/spec/replicas" {
			t.Errorf("patches = %+v", response.Patches)
		}
	})
}

func raw(t *testing.T, b *workv1alpha2.ResourceBinding) runtime.RawExtension {
	t.Helper()
	content, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return runtime.RawExtension{Raw: content}
}
