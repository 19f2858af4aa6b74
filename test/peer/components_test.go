package peer

import (
	"testing"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/scheduler/core"
	"github.com/karmada-io/karmada/pkg/scheduler/core/spreadconstraint"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/family"
)

// TestNoFamilyOfDividedReplicasAnswersComponents plays Karmada's part with its gate MultiplePodTemplatesScheduling on, from its own code:
// the detector puts what a kind answers of components into the binding and leaves the replicas out (applyReplicaInterpretation), the
// scheduler then divides nothing, and the binding controller asks ReviseReplica with the 0 that stands in each target cluster (ensureWork).
func TestNoFamilyOfDividedReplicasAnswersComponents(t *testing.T) {
	binding := workv1alpha2.ResourceBindingSpec{
		Components: []workv1alpha2.Component{{Name: "pod", Replicas: 10}},
		Placement: &policyv1alpha1.Placement{ReplicaScheduling: &policyv1alpha1.ReplicaSchedulingStrategy{
			ReplicaSchedulingType:     policyv1alpha1.ReplicaSchedulingTypeDivided,
			ReplicaDivisionPreference: policyv1alpha1.ReplicaDivisionPreferenceAggregated,
		}},
	}
	var candidates []spreadconstraint.ClusterDetailInfo
	for _, name := range []string{"member1", "member2"} {
		cluster := &clusterv1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: name}}
		candidates = append(candidates, spreadconstraint.ClusterDetailInfo{Name: name, AvailableReplicas: 100, Cluster: cluster})
	}
	divided, err := core.AssignReplicas(candidates, &binding, &workv1alpha2.ResourceBindingStatus{})
	if err != nil {
		t.Fatal(err)
	}
	if len(divided) != 2 || divided[0].Replicas != 0 || divided[1].Replicas != 0 || !binding.IsWorkload() {
		t.Fatalf("Karmada divides components into %v: what this test holds against it is true no more", divided)
	}
	for _, f := range interpreter.Families() {
		if f.ReviseReplica == nil {
			continue
		}
		if f.InterpretComponent != nil {
			t.Errorf("%s answers InterpretComponent beside ReviseReplica: each member would be revised to 0 replicas", f.Name)
		}
		object := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"replicas": int64(10)}}}
		edits, err := f.ReviseReplica(object, family.Target{Replicas: divided[0].Replicas})
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		if err := edits.Apply(object.Object); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		if got, _, _ := unstructured.NestedInt64(object.Object, "spec", "replicas"); got != 0 {
			t.Errorf("%s: a target of 0 leaves %d replicas: what this test holds against Karmada is true no more", f.Name, got)
		}
	}
}
