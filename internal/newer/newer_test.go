package newer

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// newerPolicy has a field that no type here knows at every level: newIn... .
const newerPolicy = `{"apiVersion":"policy.karmada.io/v1alpha1","kind":"PropagationPolicy",
	"metadata":{"namespace":"shop","name":"web","resourceVersion":"7"},
	"spec":{"newInSpec":true,
		"resourceSelectors":[{"apiVersion":"apps/v1","kind":"Deployment","newInSelector":"a"},
			{"apiVersion":"v1","kind":"ConfigMap","newInSelector":"b"}],
		"suspension":{"dispatching":true,"newInSuspension":1},
		"placement":{"newInPlacement":{"deep":[1,2]},
			"clusterTolerations":[{"key":"a","operator":"Exists","newInToleration":"x"},{"key":"b","operator":"Exists","newInToleration":"y"}],
			"clusterAffinities":[{"affinityName":"one","clusterNames":["m1"],"newInTerm":1},
				{"affinityName":"two","clusterNames":["m2"],"newInTerm":2}]}}}`

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	out := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(text), &out.Object); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPatch: what is sent is what was changed, with the unknown fields of every list that has to be sent whole.
func TestPatch(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*policyv1alpha1.PropagationPolicy)
		want   string
	}{
		"nothing": {change: func(*policyv1alpha1.PropagationPolicy) {}, want: `{"metadata":{"resourceVersion":"7"}}`},
		"one field": {
			change: func(p *policyv1alpha1.PropagationPolicy) { p.Spec.PreserveResourcesOnDeletion = ptr.To(true) },
			want:   `{"metadata":{"resourceVersion":"7"},"spec":{"preserveResourcesOnDeletion":true}}`,
		},
		"a field beside an unknown one": {
			change: func(p *policyv1alpha1.PropagationPolicy) { p.Spec.Suspension.Dispatching = nil },
			want:   `{"metadata":{"resourceVersion":"7"},"spec":{"suspension":{"dispatching":null}}}`,
		},
		"a struct that goes": {
			change: func(p *policyv1alpha1.PropagationPolicy) { p.Spec.Suspension = nil },
			want:   `{"metadata":{"resourceVersion":"7"},"spec":{"suspension":null}}`,
		},
		"an item more": {
			change: func(p *policyv1alpha1.PropagationPolicy) {
				p.Spec.Placement.ClusterTolerations = append(p.Spec.Placement.ClusterTolerations, corev1.Toleration{Key: "c"})
			},
			want: `{"metadata":{"resourceVersion":"7"},"spec":{"placement":{"clusterTolerations":[` +
				`{"key":"a","newInToleration":"x","operator":"Exists"},{"key":"b","newInToleration":"y","operator":"Exists"},{"key":"c"}]}}}`,
		},
		"an item less": {
			change: func(p *policyv1alpha1.PropagationPolicy) {
				p.Spec.Placement.ClusterTolerations = p.Spec.Placement.ClusterTolerations[1:]
			},
			want: `{"metadata":{"resourceVersion":"7"},"spec":{"placement":` +
				`{"clusterTolerations":[{"key":"b","newInToleration":"y","operator":"Exists"}]}}}`,
		},
		"an item with a name is changed": {
			change: func(p *policyv1alpha1.PropagationPolicy) {
				terms := p.Spec.Placement.ClusterAffinities
				terms[0], terms[1] = terms[1], terms[0]
				terms[0].ClusterNames = []string{"m3"}
			},
			want: `{"metadata":{"resourceVersion":"7"},"spec":{"placement":{"clusterAffinities":[` +
				`{"affinityName":"two","clusterNames":["m3"],"newInTerm":2},{"affinityName":"one","clusterNames":["m1"],"newInTerm":1}]}}}`,
		},
		"an item without a name is changed": {
			change: func(p *policyv1alpha1.PropagationPolicy) { p.Spec.ResourceSelectors[1].Namespace = "shop" },
			want: `{"metadata":{"resourceVersion":"7"},"spec":{"resourceSelectors":[` +
				`{"apiVersion":"apps/v1","kind":"Deployment","newInSelector":"a"},{"apiVersion":"v1","kind":"ConfigMap","namespace":"shop"}]}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			raw, known := parse(t, newerPolicy), &policyv1alpha1.PropagationPolicy{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw.Object, known); err != nil {
				t.Fatal(err)
			}
			tc.change(known)
			changed, err := Carry(raw, known)
			if err != nil {
				t.Fatal(err)
			}
			got, err := client.MergeFromWithOptions(raw, client.MergeFromWithOptimisticLock{}).Data(changed)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("patch (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(parse(t, newerPolicy), raw); diff != "" {
				t.Errorf("what was read was changed (-want +got):\n%s", diff)
			}
		})
	}
}

// TestGetAndPatch of an object that has nothing of the field before: it is read, and written, as the API server has it.
func TestGetAndPatch(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := workv1alpha2.Install(scheme); err != nil {
		t.Fatal(err)
	}
	binding := &workv1alpha2.ResourceBinding{}
	binding.Namespace, binding.Name = "shop", "web-deployment"
	control := fake.NewClientBuilder().WithScheme(scheme).WithObjects(binding.DeepCopy()).Build()
	raw, err := Get(t.Context(), control, control, binding)
	if err != nil {
		t.Fatal(err)
	}
	binding.Spec.Suspension = &workv1alpha2.Suspension{Scheduling: ptr.To(true)}
	binding.Spec.Clusters = []workv1alpha2.TargetCluster{{Name: "m1", Replicas: 2}}
	if err := Patch(t.Context(), control, raw, binding); err != nil {
		t.Fatal(err)
	}
	got := &workv1alpha2.ResourceBinding{}
	if err := control.Get(t.Context(), client.ObjectKeyFromObject(binding), got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(binding.Spec, got.Spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	if err := Patch(t.Context(), control, raw, binding); err == nil {
		t.Error("an object that changed since it was read was written")
	}
}
