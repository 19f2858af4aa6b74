package state

import (
	"slices"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

func TestOffline(t *testing.T) {
	w := serving()
	w.in.Server.Spec.Offline = true
	w.settle()
	w.in.Server.Spec.Offline = false
	if way := w.settle(); !slices.Equal(way, []string{"Offline StaysOffline"}) {
		t.Errorf("what went offline: %v", way)
	}
	w.override(v1alpha1.ServerInitializing, v1alpha1.OverrideOnce)
	if w.settle(); w.last.Phase != v1alpha1.ServerReady || w.last.OverrideApplied == nil {
		t.Errorf("after a person's word: %s, applied %v", w.last.Phase, w.last.OverrideApplied)
	}
	w.in.Now = noon.Add(time.Hour)
	w.override(v1alpha1.ServerOffline, v1alpha1.OverrideHold)
	w.in.Server.Spec.Override.ExpiresAt = &metav1.Time{Time: w.in.Now.Add(time.Hour)}
	if w.settle(); w.last.Phase != v1alpha1.ServerOffline || !w.last.Wake.Equal(w.in.Now.Add(time.Hour)) {
		t.Errorf("held: %s, wake %v", w.last.Phase, w.last.Wake)
	}
	w.in.Now = w.in.Now.Add(time.Hour)
	if w.settle(); w.last.Phase != v1alpha1.ServerReady {
		t.Errorf("after its end: %s", w.last.Phase)
	}
}

func TestRemoval(t *testing.T) {
	for name, tc := range map[string]struct {
		policy v1alpha1.RemovalPolicy
		skip   []v1alpha1.TaskType
		want   v1alpha1.TaskState
	}{
		"approved": {policy: v1alpha1.RemovalApprove, want: v1alpha1.TaskSucceeded},
		"deleted":  {policy: v1alpha1.RemovalDelete, want: v1alpha1.TaskSucceeded},
		"kept":     {policy: v1alpha1.RemovalKeep, want: v1alpha1.TaskSkipped},
		"a person lets the machine go": {
			policy: v1alpha1.RemovalDelete,
			skip:   []v1alpha1.TaskType{v1alpha1.TaskDeleteMachine},
			want:   v1alpha1.TaskSkipped,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := serving()
			w.in.SetDeleted, w.in.Removal = true, tc.policy
			w.in.Server.DeletionTimestamp = &metav1.Time{Time: noon}
			if tc.skip != nil {
				w.override(v1alpha1.ServerReady, v1alpha1.OverrideHold, tc.skip...)
			}
			w.settle()
			w.approve(gatev1alpha1.Approve)
			w.settle()
			last := w.last.Tasks[len(w.last.Tasks)-1]
			if w.last.Phase != v1alpha1.ServerOffline || last.Type != v1alpha1.TaskDeleteMachine || last.State != tc.want {
				t.Errorf("%s, last task %+v, want %s", w.last.Phase, last, tc.want)
			}
		})
	}
}

// TestTheSetGoesMeanwhile: a Server that is being deleted by itself, whose set is deleted before its machine was asked to be removed, waits
// for who decides about the set's machines, or keeps its own; and one that has no machine has nothing to ask about.
func TestTheSetGoesMeanwhile(t *testing.T) {
	leaving := func() *world {
		w := serving()
		w.in.Server.DeletionTimestamp = &metav1.Time{Time: noon}
		w.decide()
		return w
	}
	machine := func(w *world) v1alpha1.TaskState {
		for _, task := range w.last.Tasks {
			if task.Type == v1alpha1.TaskDeleteMachine {
				return task.State
			}
		}
		return "none"
	}
	w := leaving()
	w.work()
	w.in.SetDeleted = true
	apimeta.RemoveStatusCondition(&w.in.Server.Status.Conditions, v1alpha1.ConditionHealthy) // nobody asks who is being deleted
	if w.settle(); machine(w) != "none" || len(w.last.PendingApprovals) != 1 || w.last.PendingApprovals[0].Gate != gatev1alpha1.GateRemoval {
		t.Fatalf("policy Approve: its machine's removal is %s, and %+v waits", machine(w), w.last.PendingApprovals)
	}
	if w.last.Phase != v1alpha1.ServerReady || !w.attached {
		t.Errorf("policy Approve: it waits, %s, attached %v", w.last.Phase, w.attached)
	}
	w.approve(gatev1alpha1.Approve)
	if w.settle(); machine(w) != v1alpha1.TaskSucceeded {
		t.Errorf("approved: its machine's removal is %s", machine(w))
	}
	w = leaving()
	w.in.SetDeleted, w.in.Removal = true, v1alpha1.RemovalKeep
	if w.settle(); machine(w) != v1alpha1.TaskSkipped {
		t.Errorf("policy Keep: its machine's removal is %s", machine(w))
	}
	w = leaving()
	w.in.SetDeleted, w.in.Removal = true, v1alpha1.RemovalDelete
	if w.settle(); machine(w) != v1alpha1.TaskSucceeded {
		t.Errorf("policy Delete: its machine's removal is %s", machine(w))
	}
	w = leaving()
	w.settle()
	w.in.SetDeleted = true
	if w.settle(); machine(w) != v1alpha1.TaskSucceeded || len(w.last.PendingApprovals) != 0 {
		t.Errorf("removed before: its machine's removal is %s, and %+v waits", machine(w), w.last.PendingApprovals)
	}
	w = newWorld()
	w.in.SetDeleted, w.in.Server.DeletionTimestamp = true, &metav1.Time{Time: noon}
	if w.settle(); w.last.Phase != v1alpha1.ServerOffline || len(w.last.PendingApprovals) != 0 {
		t.Errorf("without a machine: %s, and %+v waits", w.last.Phase, w.last.PendingApprovals)
	}
}
