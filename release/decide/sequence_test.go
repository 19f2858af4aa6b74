package decide

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// TestOneTwoTwoFive is the story the design begins with: ten replicas over three members go out as 1, 2, 2, 5, with an approval between.
func TestOneTwoTwoFive(t *testing.T) {
	f := newFleet(t, "CloneSet", map[string]int64{"member1": 4, "member2": 3, "member3": 3},
		v1alpha1.Stage{Name: "one", Updated: number(1), Gates: v1alpha1.Gates{Approvals: 2}},
		v1alpha1.Stage{Name: "three", Updated: number(3), Gates: v1alpha1.Gates{Approvals: 1}},
		v1alpha1.Stage{Name: "five", Updated: number(5), Gates: v1alpha1.Gates{Approvals: 1}},
	)
	f.push("web:1")
	f.settle()
	r2 := f.push("web:2")
	if got := sum(f.count(r2)); got != 0 {
		t.Fatalf("%d pods of a revision nobody opened", got)
	}
	for _, step := range []struct {
		approve string
		people  []string
		want    int64
	}{
		{want: 1}, {"one", []string{"ann"}, 1}, {"one", []string{"ann"}, 1}, {"one", []string{"bob"}, 3}, {"three", []string{"ann"}, 5},
		{"five", []string{"ann"}, 10},
	} {
		for _, user := range step.people {
			f.approve(step.approve, user)
		}
		f.settle()
		if got := sum(f.count(r2)); got != step.want {
			t.Fatalf("after %q by %v: %d pods of the new revision, want %d (%v)", step.approve, step.people, got, step.want, f.pods)
		}
	}
	if f.is(v1alpha1.ConditionComplete) != metav1.ConditionTrue || f.release.Status.Dispatch.Stable != r2 {
		t.Errorf("status %+v", f.release.Status)
	}
	want := []string{"Adopted", "Complete", "NewRevision", "StageOpened", "StageDone", "AwaitingApproval", "StageOpened", "StageDone",
		"AwaitingApproval", "StageOpened", "StageDone", "AwaitingApproval", "StageOpened", "StageDone", "Complete"}
	if diff := cmp.Diff(want, f.events); diff != "" {
		t.Errorf("events (-want +have):\n%s", diff)
	}
}

// TestABadRevisionStopsInTheFirst cluster, goes back by itself, and the others never saw it.
func TestABadRevisionStopsInTheFirst(t *testing.T) {
	f := newFleet(t, "Deployment", map[string]int64{"member1": 2, "member2": 2, "member3": 2}, v1alpha1.Stage{Name: "canary",
		Clusters: names("member1")},
		v1alpha1.Stage{Name: "second", Clusters: names("member2")})
	f.release.Spec.OnFailure = v1alpha1.OnFailureRollback
	r1 := f.push("web:1")
	f.settle()
	r2 := f.push("web:2")
	f.bad[r2] = true
	f.settle()
	if diff := cmp.Diff(map[string]int64{"member1": 2}, f.count(r2)); diff != "" {
		t.Fatalf("pods of the bad revision (-want +have):\n%s", diff)
	}
	f.now = f.now.Add(11 * time.Minute)
	f.settle()
	if got := f.count(r1); sum(got) != 6 || f.is(v1alpha1.ConditionRolledBack) != metav1.ConditionTrue {
		t.Fatalf("pods of the stable revision: %v, status %+v", got, f.release.Status)
	}
	// GitOps applies the same again, for ever.
	for range 3 {
		f.push("web:2")
		f.settle()
	}
	if got := sum(f.count(r2)); got != 0 {
		t.Fatalf("%d pods of the rejected revision", got)
	}
	// A person tries again, now that it is good.
	f.bad = map[string]bool{}
	f.release.Spec.Attempt++
	f.settle()
	if got := f.count(r2); sum(got) != 6 {
		t.Errorf("pods after another attempt: %v", got)
	}
}

func TestPutBackEndsIt(t *testing.T) {
	f := newFleet(t, "Deployment", map[string]int64{"member1": 2, "member2": 2}, v1alpha1.Stage{Name: "canary", Clusters: names("member1"),
		Gates: v1alpha1.Gates{Approvals: 1}})
	r1 := f.push("web:1")
	f.settle()
	f.push("web:2")
	f.settle()
	f.push("web:1")
	f.settle()
	if got := f.count(r1); sum(got) != 4 || f.is(v1alpha1.ConditionComplete) != metav1.ConditionTrue {
		t.Errorf("pods %v, status %+v", got, f.release.Status)
	}
}

func TestASecondPushInTheMiddle(t *testing.T) {
	f := newFleet(t, "CloneSet", map[string]int64{"member1": 3, "member2": 3}, v1alpha1.Stage{Name: "some", Updated: number(2),
		Gates: v1alpha1.Gates{Approvals: 1}})
	r1 := f.push("web:1")
	f.settle()
	r2 := f.push("web:2")
	f.settle()
	f.frozen = true // so that what the Works say is looked at, not what members made of it
	r3 := f.push("web:3")
	for cluster, work := range f.works {
		if got := work.GetAnnotations()[v1alpha1.AnnotationRevision]; got != r2 {
			t.Errorf("%s has %s, want to stay at %s", cluster, got, r2)
		}
		if got := work.GetAnnotations()[v1alpha1.AnnotationShare]; got != "1" {
			t.Errorf("%s has share %q of the revision in between", cluster, got)
		}
	}
	f.frozen = false
	f.settle()
	if got := f.count(r3); sum(got) != 2 {
		t.Errorf("pods of the third: %v of %v, first %s", got, f.pods, r1)
	}
}

// TestStops are states in which nothing further is opened, each with the condition that says why.
func TestStops(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare   func(*fleet)
		after     time.Duration
		condition string
		reason    string
		want      int64
	}{
		"paused": {func(f *fleet) { f.release.Spec.Mode = v1alpha1.ModePause }, 0, v1alpha1.ConditionProgressing,
			v1alpha1.ReasonPaused, 0},
		"away": {func(f *fleet) { f.away["member1"] = true }, time.Hour, v1alpha1.ConditionStalled,
			v1alpha1.ReasonClusterUnreachable, 0},
		"away, and skip": {func(f *fleet) { f.away["member1"], f.release.Spec.Unreachable = true, v1alpha1.UnreachableSkip }, 0,
			v1alpha1.ConditionComplete, v1alpha1.ReasonComplete, 2},
		"soak": {func(f *fleet) { f.release.Spec.Stages[0].Gates.SoakSeconds = 60 }, 59 * time.Second, v1alpha1.ConditionProgressing,
			v1alpha1.ReasonSoaking, 2},
		"soaked": {func(f *fleet) { f.release.Spec.Stages[0].Gates.SoakSeconds = 60 }, time.Minute, v1alpha1.ConditionComplete,
			v1alpha1.ReasonComplete, 4},
		"bad, and pause": {func(f *fleet) { f.bad[f.revision()] = true }, 11 * time.Minute, v1alpha1.ConditionStalled,
			v1alpha1.ReasonDeadlineExceeded, 2},
		"no such cluster": {func(f *fleet) { f.release.Spec.Stages[0].Clusters = names("member9") }, 0, v1alpha1.ConditionStalled,
			v1alpha1.ReasonStageEmpty, 0},
		"a selector of nothing": {func(f *fleet) {
			f.release.Spec.Stages[0].Clusters = labelled("zone", "mars")
		}, 0, v1alpha1.ConditionStalled, v1alpha1.ReasonStageEmpty, 0},
		"no selector at all": {func(f *fleet) { f.release.Spec.Stages[0].Clusters = &v1alpha1.ClusterSelection{} }, 0, v1alpha1.ConditionStalled,
			v1alpha1.ReasonStageEmpty, 0},
		"a bad selector": {func(f *fleet) {
			f.release.Spec.Stages[0].Clusters = labelled("a b", "c")
		}, 0, v1alpha1.ConditionStalled, v1alpha1.ReasonStageEmpty, 0},
		"migrating away": {func(f *fleet) { f.migrating = "CutOff" }, 0, v1alpha1.ConditionProgressing, v1alpha1.ReasonMigrating, 0},
		"migrating in":   {func(f *fleet) { f.migrating = "Opening" }, 0, v1alpha1.ConditionProgressing, v1alpha1.ReasonMigrating, 4},
		"promoted": {func(f *fleet) { f.release.Spec.Promoted, f.bad["x"] = f.revision(), true }, 0, v1alpha1.ConditionComplete,
			v1alpha1.ReasonComplete, 4},
		"scaled to zero": {func(f *fleet) { f.assigned = map[string]int64{} }, 0, v1alpha1.ConditionStalled, v1alpha1.ReasonStageEmpty, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, "Deployment", map[string]int64{"member1": 2, "member2": 2}, v1alpha1.Stage{Name: "canary", Clusters: names("member1")})
			f.push("web:1")
			f.settle()
			r2 := f.push("web:2")
			tc.prepare(f)
			f.karmada()
			f.settle()
			f.now = f.now.Add(tc.after)
			f.settle()
			c := meta.FindStatusCondition(f.release.Status.Conditions, tc.condition)
			if c == nil || c.Reason != tc.reason {
				t.Errorf("condition %s is %+v, want %s", tc.condition, c, tc.reason)
			}
			if got := f.count(r2); sum(got) != tc.want {
				t.Errorf("pods of the new revision %v, want %d", got, tc.want)
			}
		})
	}
}

// TestAwayInEveryStage: whichever stage a cluster that does not answer is in, that stage is not done, the condition names it, nothing is
// rolled back for it, and the stages after it stay closed.
func TestAwayInEveryStage(t *testing.T) {
	for i, away := range []string{"member1", "member2", "member3"} {
		f := newFleet(t, "Deployment", map[string]int64{"member1": 2, "member2": 2, "member3": 2},
			v1alpha1.Stage{Name: "one", Clusters: names("member1")}, v1alpha1.Stage{Name: "two", Clusters: names("member2")})
		f.release.Spec.OnFailure = v1alpha1.OnFailureRollback
		f.push("web:1")
		f.settle()
		f.away[away] = true
		r2 := f.push("web:2")
		f.settle()
		f.now = f.now.Add(time.Hour)
		f.settle()
		f.says(t, v1alpha1.ConditionStalled, v1alpha1.ReasonClusterUnreachable, away+" does not answer")
		f.runs(t, r2, int64(2*i))
		f.away[away] = false
		f.karmada()
		f.settle()
		f.runs(t, r2, 6)
	}
}

func labelled(key, value string) *v1alpha1.ClusterSelection {
	return &v1alpha1.ClusterSelection{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}}
}

// TestStalledNoMore: what a Release waited for in vain is no trouble of its any more once its target is gone, unfit or migrates.
func TestStalledNoMore(t *testing.T) {
	for name, change := range map[string]func(*World){
		"the target is gone":  func(w *World) { w.Template = nil },
		"the target is unfit": func(w *World) { w.UnfitReason, w.Unfit = v1alpha1.ReasonMembersOwn, "members have the last word" },
		"it is cut off":       func(w *World) { w.Migrating = "CutOff" },
		"it is taken over":    func(w *World) { w.Migrating = "Opening" },
	} {
		t.Run(name, func(t *testing.T) {
			f, _, r2 := gated(t, v1alpha1.Gates{Approvals: 1})
			f.release.Spec.OnFailure = v1alpha1.OnFailurePause
			f.bad[r2] = true
			f.passing(20 * time.Minute)
			if f.is(v1alpha1.ConditionStalled) != metav1.ConditionTrue {
				t.Fatalf("not stalled: %+v", f.release.Status.Conditions)
			}
			w := f.world()
			change(&w)
			if c := meta.FindStatusCondition(Next(w).Status.Conditions, v1alpha1.ConditionStalled); c.Status != metav1.ConditionFalse {
				t.Errorf("%+v", c)
			}
		})
	}
}

// TestUnfit: what is in the way is said, nothing further is opened, nobody need approve, and it is looked at again though no event tells.
func TestUnfit(t *testing.T) {
	f := newFleet(t, "Deployment", map[string]int64{"member1": 2, "member2": 2},
		v1alpha1.Stage{Name: "one", Clusters: names("member1"), Gates: v1alpha1.Gates{Approvals: 1}})
	f.push("web:1")
	f.settle()
	r2 := f.push("web:2")
	f.settle()
	f.says(t, v1alpha1.ConditionAwaitingApproval, v1alpha1.ReasonAwaitingApproval, "stage one")
	f.approve("one", "ann")
	w := f.world()
	w.UnfitReason, w.Unfit = v1alpha1.ReasonMembersOwn, "an autoscaler in each member has the last word"
	d := Next(w)
	if d.After == 0 || d.Status.Stage != "one" || meta.IsStatusConditionTrue(d.Status.Conditions, v1alpha1.ConditionAwaitingApproval) {
		t.Errorf("decided %+v", d)
	}
	f.runs(t, r2, 2)
}

// TestAClusterInTwoStages is opened in the first of them, and the second is done at once.
func TestAClusterInTwoStages(t *testing.T) {
	f := newFleet(t, "Deployment", map[string]int64{"member1": 2, "member2": 2},
		v1alpha1.Stage{Name: "one", Clusters: names("member1")},
		v1alpha1.Stage{Name: "two", Clusters: names("member1"), Gates: v1alpha1.Gates{Approvals: 1}})
	f.push("web:1")
	f.settle()
	r2 := f.push("web:2")
	f.settle()
	f.runs(t, r2, 2)
	f.says(t, v1alpha1.ConditionProgressing, v1alpha1.ReasonAwaitingApproval, "stage two")
}

// TestDeletedWhileHeld: held stays held, promoting lets go.
func TestDeletedWhileHeld(t *testing.T) {
	f := newFleet(t, "Deployment", map[string]int64{"member1": 2, "member2": 2}, v1alpha1.Stage{Name: "canary", Clusters: names("member1"),
		Gates: v1alpha1.Gates{Approvals: 1}})
	f.push("web:1")
	f.settle()
	r2 := f.push("web:2")
	f.settle()
	at := metav1.NewTime(f.now)
	f.release.DeletionTimestamp = &at
	if d := f.reconcile(); d.Free || sum(f.count(r2)) != 2 {
		t.Fatalf("freed %v, pods %v", d.Free, f.pods)
	}
	if c := meta.FindStatusCondition(f.release.Status.Conditions, v1alpha1.ConditionProgressing); c.Reason != v1alpha1.ReasonHeld {
		t.Errorf("condition %+v", c)
	}
	f.release.Spec.Promoted = r2
	f.reconcile()
	f.reconcile()
	if d := f.reconcile(); !d.Free || sum(f.count(r2)) != 4 {
		t.Errorf("freed %v, pods %v", d.Free, f.pods)
	}
}
