package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// TestPlanNotesGates with their stages: one before machines are made stops no change of packages.
func TestPlanNotesGates(t *testing.T) {
	set := &v1alpha1.VMReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	set.Spec.Replicas = ptr.To[int32](1)
	here := []planned{{}}
	here[0].Namespace, here[0].Name = set.Namespace, set.Name
	if diff := cmp.Diff([]string(nil), (&vmPlan{}).notesOf(set, nil, here)); diff != "" {
		t.Errorf("without gates (-want +have)\n%s", diff)
	}
	set.Spec.Gates = []gatev1alpha1.Gate{{Name: "make", Stage: gatev1alpha1.StageProvision}, {Name: "out", Stage: gatev1alpha1.StageOffline}}
	want := []string{"shop/web: each server waits until somebody approves at gate make (stage Provision), out (stage Offline)"}
	if diff := cmp.Diff(want, (&vmPlan{}).notesOf(set, nil, here)); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}
