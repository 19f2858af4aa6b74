package decide

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// halfway is a fleet of which one member of three has the second revision.
func halfway(t *testing.T, kind string, first v1alpha1.Stage) (f *fleet, r1, r2 string) {
	t.Helper()
	first.Name, first.Gates.Approvals = "first", 1
	f = newFleet(t, kind, map[string]int64{"member1": 4, "member2": 3, "member3": 3}, first)
	r1 = f.push("web:1")
	f.settle()
	r2 = f.push("web:2")
	f.settle()
	return f, r1, r2
}

// TestMadeAnewItTakesUpWhatIsHeld: a Release whose predecessor's finalizer was taken off by hand opens nothing and takes nothing back, and
// goes on with people's word.
func TestMadeAnewItTakesUpWhatIsHeld(t *testing.T) {
	for name, tc := range map[string]struct {
		kind  string
		first v1alpha1.Stage
		want  map[string]int64
		// between the two Releases.
		between func(*fleet)
	}{
		"a cluster":              {"Deployment", v1alpha1.Stage{Clusters: names("member1")}, map[string]int64{"member1": 4}, nil},
		"a number":               {"CloneSet", v1alpha1.Stage{Updated: number(2)}, map[string]int64{"member1": 1, "member2": 1}, nil},
		"and somebody writes it": {"Deployment", v1alpha1.Stage{Clusters: names("member1")}, map[string]int64{"member1": 4}, (*fleet).admit},
		"and Karmada writes": {"CloneSet", v1alpha1.Stage{Updated: number(2)}, map[string]int64{"member1": 1, "member2": 1},
			func(f *fleet) { f.admit(); f.karmada() }},
	} {
		t.Run(name, func(t *testing.T) {
			f, r1, r2 := halfway(t, tc.kind, tc.first)
			if diff := cmp.Diff(tc.want, f.count(r2)); diff != "" {
				t.Fatalf("before (-want +have):\n%s", diff)
			}
			f.madeAnew()
			if tc.between != nil {
				tc.between(f)
			}
			f.settle()
			if diff := cmp.Diff(tc.want, f.count(r2)); diff != "" {
				t.Errorf("made anew (-want +have):\n%s", diff)
			}
			if d := f.release.Status.Dispatch; d == nil || d.Stable != r1 || f.is(v1alpha1.ConditionAwaitingApproval) != metav1.ConditionTrue {
				t.Errorf("status %+v", f.release.Status)
			}
			if history := f.release.Status.History; len(history) != 2 || history[0].Name != r1 || history[1].Name != r2 {
				t.Errorf("history %v", history)
			}
			f.approve("first", "ann")
			f.settle()
			if got := sum(f.count(r2)); got != 10 || f.is(v1alpha1.ConditionComplete) != metav1.ConditionTrue {
				t.Errorf("in the end %d pods, status %+v", got, f.release.Status)
			}
		})
	}
}

// TestMadeAnewARejectedRevisionStaysSo until somebody tries it again.
func TestMadeAnewARejectedRevisionStaysSo(t *testing.T) {
	f, r1, r2 := halfway(t, "Deployment", v1alpha1.Stage{Clusters: names("member1")})
	f.release.Spec.Rejected = []string{r2}
	f.settle()
	f.madeAnew()
	f.push("web:2")
	f.settle()
	if got := f.count(r1); sum(got) != 10 || f.is(v1alpha1.ConditionRolledBack) != metav1.ConditionTrue {
		t.Fatalf("pods of the stable revision: %v, status %+v", got, f.release.Status)
	}
	f.release.Spec.Attempt++
	f.settle()
	if diff := cmp.Diff(map[string]int64{"member1": 4}, f.count(r2)); diff != "" {
		t.Errorf("tried again (-want +have):\n%s", diff)
	}
}

// TestMadeAnewARejectedRevisionGoesOnGoingBack: it was open everywhere when it was rejected, and Karmada had taken it from no cluster yet
// when its Release was gone.
func TestMadeAnewARejectedRevisionGoesOnGoingBack(t *testing.T) {
	f, r1, r2 := halfway(t, "Deployment", v1alpha1.Stage{Clusters: names("member1")})
	f.approve("first", "ann")
	f.settle()
	f.runs(t, r2, 10)
	f.release.Spec.Rejected, f.release.Spec.RollbackTo = []string{r2}, r1
	// The marks are written, and argosy-webhook is away before a Work is.
	had := maps.Clone(f.works)
	f.reconcile()
	f.works = had
	f.madeAnew()
	f.hookless = true
	f.reconcile()
	if d := f.release.Status.Dispatch; d == nil || d.Stable != r1 || !slices.Contains(d.Rejected, r2) {
		t.Fatalf("what was rejected is taken up as %+v", d)
	}
	f.hookless = false
	f.settle()
	f.karmada()
	f.settle()
	f.runs(t, r1, 10)
	f.says(t, v1alpha1.ConditionRolledBack, v1alpha1.ReasonRolledBack, r2)
}

// TestMadeAnewWithoutRecords it opens nothing by itself: it says what people can do, and each of these helps.
func TestMadeAnewWithoutRecords(t *testing.T) {
	lose := func(t *testing.T) (f *fleet, r1, r2 string) {
		f, r1, r2 = halfway(t, "Deployment", v1alpha1.Stage{Clusters: names("member1")})
		f.madeAnew()
		clear(f.records)
		f.settle()
		if diff := cmp.Diff(map[string]int64{"member1": 4}, f.count(r2)); diff != "" {
			t.Fatalf("pods of what was held (-want +have):\n%s", diff)
		}
		adopted := meta.FindStatusCondition(f.release.Status.Conditions, v1alpha1.ConditionAdopted)
		if adopted == nil || adopted.Status != metav1.ConditionFalse || adopted.Reason != v1alpha1.ReasonRecordLost ||
			!strings.Contains(adopted.Message, r1) || !strings.Contains(adopted.Message, "promote web") {
			t.Fatalf("condition %+v", adopted)
		}
		return f, r1, r2
	}
	t.Run("put back", func(t *testing.T) {
		f, r1, _ := lose(t)
		f.push("web:1")
		f.settle()
		if got := sum(f.count(r1)); got != 10 || f.is(v1alpha1.ConditionComplete) != metav1.ConditionTrue {
			t.Errorf("%d pods, status %+v", got, f.release.Status)
		}
	})
	t.Run("promoted", func(t *testing.T) {
		f, _, r2 := lose(t)
		f.release.Spec.Promoted = r2
		f.settle()
		if got := sum(f.count(r2)); got != 10 || f.is(v1alpha1.ConditionComplete) != metav1.ConditionTrue {
			t.Errorf("%d pods, status %+v", got, f.release.Status)
		}
	})
	t.Run("deleted", func(t *testing.T) {
		f, r1, _ := lose(t)
		now := metav1.NewTime(f.now)
		f.release.DeletionTimestamp = &now
		d := f.reconcile()
		held := meta.FindStatusCondition(d.Status.Conditions, v1alpha1.ConditionProgressing)
		if d.Free || held.Reason != v1alpha1.ReasonHeld || !strings.Contains(held.Message, r1) {
			t.Errorf("let go: %v, %+v", d.Free, held)
		}
		// Put back, it lets go, and says so: the admission of templates takes the marks off for that alone.
		f.says(t, v1alpha1.ConditionAdopted, v1alpha1.ReasonRecordLost, r1)
		f.push("web:1")
		if d := f.reconcile(); !d.Free {
			t.Errorf("held at the stable revision: %+v", d.Status)
		}
		f.says(t, v1alpha1.ConditionAdopted, v1alpha1.ReasonLetGo, "nothing is held")
	})
	t.Run("and every cluster has it", func(t *testing.T) {
		f, _, r2 := halfway(t, "Deployment", v1alpha1.Stage{Clusters: names("member1")})
		f.release.Spec.Promoted = r2
		f.settle()
		f.release.Spec.Promoted = ""
		r3 := f.push("web:3")
		f.settle()
		f.push("web:2")
		f.madeAnew()
		clear(f.records)
		f.settle()
		if f.is(v1alpha1.ConditionComplete) != metav1.ConditionTrue || sum(f.count(r3)) != 0 {
			t.Errorf("status %+v", f.release.Status)
		}
	})
}
