package decide

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/release/hold"
)

// TestPushedWhileAdopted: between the status that says what is stable and the mark on the template nothing holds a push. It has reached
// every cluster, so it is the stable revision, no stage begins, and until the template bears its marks nobody is told that changes are
// held.
func TestPushedWhileAdopted(t *testing.T) {
	f := newFleet(t, "CloneSet", map[string]int64{"member1": 4, "member2": 3, "member3": 3},
		v1alpha1.Stage{Name: "one", Updated: number(1), Gates: v1alpha1.Gates{Approvals: 1}})
	r1 := f.push("web:1")
	f.release.Status = Next(f.world()).Status // and the mark meets a conflict
	if got := f.is(v1alpha1.ConditionAdopted); got != metav1.ConditionFalse {
		t.Errorf("Adopted is %s, and the template bears no mark", got)
	}
	if got := f.release.Status.Dispatch.Stable; got != r1 {
		t.Fatalf("stable is %s, want %s", got, r1)
	}
	r2 := f.push("web:2")
	if got := sum(f.count(r2)); got != 10 {
		t.Fatalf("%d pods of the push, and nothing held it", got)
	}
	d := f.reconcile()
	if stable := d.Status.Dispatch.Stable; stable != r2 || d.Status.Stage != "" || f.is(v1alpha1.ConditionAdopted) != metav1.ConditionFalse {
		t.Errorf("stable %s, want %s; stage %q; Adopted %s", stable, r2, d.Status.Stage, f.is(v1alpha1.ConditionAdopted))
	}
	f.settle()
	if got := f.is(v1alpha1.ConditionAdopted); got != metav1.ConditionTrue {
		t.Errorf("Adopted is %s, and the template is marked", got)
	}
	r3 := f.push("web:3")
	if got := sum(f.count(r3)); got != 0 {
		t.Errorf("%d pods of a revision nobody opened", got)
	}
	f.settle()
	if got := sum(f.count(r3)); got != 1 {
		t.Errorf("%d pods of the new revision, want 1: %v", got, f.pods)
	}
}

// TestMarksGoneWhileHeld: marks that vanish in the middle of a release are put back with what is held; nothing is opened by that.
func TestMarksGoneWhileHeld(t *testing.T) {
	f := newFleet(t, "CloneSet", map[string]int64{"member1": 4, "member2": 3, "member3": 3},
		v1alpha1.Stage{Name: "one", Updated: number(1), Gates: v1alpha1.Gates{Approvals: 1}})
	r1 := f.push("web:1")
	f.settle()
	r2 := f.push("web:2")
	f.settle()
	hold.Stamp(f.template, f.release.Name, nil, r2)
	if d := f.reconcile(); d.Status.Dispatch.Stable != r1 {
		t.Errorf("stable became %s", d.Status.Dispatch.Stable)
	}
	if got := f.is(v1alpha1.ConditionAdopted); got != metav1.ConditionFalse {
		t.Errorf("Adopted is %s, and the template bore no mark", got)
	}
	f.settle()
	if got := sum(f.count(r2)); got != 1 || f.is(v1alpha1.ConditionAdopted) != metav1.ConditionTrue {
		t.Errorf("%d pods of the new revision, want 1; Adopted %s", got, f.is(v1alpha1.ConditionAdopted))
	}
}
