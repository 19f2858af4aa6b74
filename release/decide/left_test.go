package decide

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// TestMadeAnewCountsWhatIsOpen: a cluster that has all of the revision counts for the number of a stage, which opens no other beside it.
func TestMadeAnewCountsWhatIsOpen(t *testing.T) {
	f := newFleet(t, "CloneSet", map[string]int64{"member1": 4, "member2": 3, "member3": 3},
		v1alpha1.Stage{Name: "first", Clusters: names("member1"), Gates: v1alpha1.Gates{Approvals: 1}})
	f.push("web:1")
	f.settle()
	r2 := f.push("web:2")
	f.settle()
	f.runs(t, r2, 4)
	f.madeAnew()
	f.release.Spec.Stages = []v1alpha1.Stage{{Name: "first", Updated: number(4), Gates: v1alpha1.Gates{Approvals: 1}}, {Name: "all"}}
	f.settle()
	if diff := cmp.Diff(map[string]int64{"member1": 4}, f.count(r2)); diff != "" {
		t.Errorf("pods of the revision, of which the stage allows 4 (-want +have):\n%s", diff)
	}
	if state := f.release.Status.Clusters[0]; state.Name != "member1" || state.State != v1alpha1.ClusterOpen {
		t.Errorf("member1 has all of it, and is %+v", state)
	}
}

// TestMadeAnewKeepsHistoryAndRejections: what can be gone back to, and what no cluster is to keep, outlast the Release.
func TestMadeAnewKeepsHistoryAndRejections(t *testing.T) {
	f, r1, r2 := halfway(t, "Deployment", v1alpha1.Stage{Clusters: names("member1")})
	f.release.Spec.Rejected = []string{r2}
	// The way back of member1 has not been written yet.
	works := f.works["member1"]
	f.reconcile()
	r3 := f.push("web:3")
	f.works["member1"] = works
	f.madeAnew()
	w := f.world()
	w.Template.Before = &Before{Stable: r1, Rejected: []string{r2}, Record: &v1alpha1.Revision{Name: r1},
		History: []v1alpha1.Revision{{Name: "r0"}, {Name: r1}, {Name: r2}}}
	d := Next(w)
	var have []string
	for _, one := range d.Status.History {
		have = append(have, one.Name)
	}
	if diff := cmp.Diff([]string{"r0", r1, r2, r3}, have); diff != "" {
		t.Errorf("history (-want +have):\n%s", diff)
	}
	if !slices.Contains(d.Status.Dispatch.Rejected, r2) {
		t.Errorf("member1 has %s still, and rejected are %v", r2, d.Status.Dispatch.Rejected)
	}
	f.release.Status = d.Status
	f.settle()
	if got := sum(f.count(r2)); got != 0 {
		t.Errorf("%d pods of what was rejected", got)
	}
	f.reconcile()
	if got := f.release.Status.Dispatch.Rejected; len(got) != 0 {
		t.Errorf("no cluster has it any more, and rejected are %v", got)
	}
}

// TestPausedSaysWhatIsOpen: taken up while nothing may be opened, what a cluster has is not called held.
func TestPausedSaysWhatIsOpen(t *testing.T) {
	for name, pause := range map[string]func(*v1alpha1.ReleaseSpec){
		"paused": func(s *v1alpha1.ReleaseSpec) { s.Mode = v1alpha1.ModePause },
		"lost":   nil,
	} {
		f, _, r2 := halfway(t, "Deployment", v1alpha1.Stage{Clusters: names("member1")})
		f.madeAnew()
		if pause != nil {
			pause(&f.release.Spec)
		} else {
			clear(f.records)
		}
		f.settle()
		f.runs(t, r2, 4)
		states := map[string]v1alpha1.ClusterState{}
		for _, c := range f.release.Status.Clusters {
			states[c.Name] = c.State
		}
		want := map[string]v1alpha1.ClusterState{
			"member1": v1alpha1.ClusterOpen, "member2": v1alpha1.ClusterHeld, "member3": v1alpha1.ClusterHeld,
		}
		if diff := cmp.Diff(want, states); diff != "" || f.release.Status.Held != 2 {
			t.Errorf("%s: %d held; states (-want +have):\n%s", name, f.release.Status.Held, diff)
		}
	}
}

// TestNowhereIsNotComplete: of an application that is in no cluster nobody was seen with anything.
func TestNowhereIsNotComplete(t *testing.T) {
	f := newFleet(t, "Deployment", map[string]int64{}, v1alpha1.Stage{Name: "first", Clusters: names("member1")})
	f.push("web:1")
	f.settle()
	f.says(t, v1alpha1.ConditionComplete, v1alpha1.ReasonNowhere, "in no cluster")
	if got := f.is(v1alpha1.ConditionComplete); got != metav1.ConditionUnknown {
		t.Errorf("Complete is %s", got)
	}
	f.assigned["member1"] = 2
	f.karmada()
	f.settle()
	if got := f.is(v1alpha1.ConditionComplete); got != metav1.ConditionTrue {
		t.Errorf("scheduled, Complete is %s", got)
	}
}

// TestAskedLessAndLess: what Karmada was asked for in vain it is asked for again ever more rarely, and soon for what is lacking anew.
func TestAskedLessAndLess(t *testing.T) {
	f := newFleet(t, "Deployment", map[string]int64{"member1": 2}, v1alpha1.Stage{Name: "first", Clusters: names("member1")})
	f.push("web:1")
	f.settle()
	f.unjudged = true
	f.passing(time.Hour)
	if asked := f.release.Status.Dispatch.Asked; asked < 8 || asked > 12 { // 20 s, 20, 40, 80, 160, 320, then each 10 minutes
		t.Errorf("asked %d times in an hour", asked)
	}
	f.unjudged = false
	f.settle()
	if s := f.release.Status; s.WaitingTime != nil || s.AskedTime != nil {
		t.Errorf("nothing is waited for, and it is since %v, asked %v", s.WaitingTime, s.AskedTime)
	}
	before := f.release.Status.Dispatch.Asked
	f.unjudged = true
	f.passing(30 * time.Second)
	if got := f.release.Status.Dispatch.Asked - before; got != 1 {
		t.Errorf("anew: asked %d times in half a minute", got)
	}
}

// TestUntoldIsNotBlamed: a member that does not say of which revision it reports keeps the stage from being done, and Karmada is asked; the
// revision is not rejected for it.
func TestUntoldIsNotBlamed(t *testing.T) {
	f := newFleet(t, "CloneSet", map[string]int64{"member1": 2, "member2": 2}, v1alpha1.Stage{Name: "first", Clusters: names("member1")})
	f.release.Spec.OnFailure = v1alpha1.OnFailureRollback
	f.push("web:1")
	f.settle()
	r2 := f.push("web:2")
	f.untold = true
	f.settle()
	f.runs(t, r2, 2)
	f.passing(time.Hour)
	f.runs(t, r2, 2)
	f.says(t, v1alpha1.ConditionStalled, v1alpha1.ReasonHealthUnknown, "member1 has not said of which revision")
	if f.release.Status.Failure != nil || f.release.Status.Dispatch.Asked == 0 {
		t.Errorf("status %+v", f.release.Status)
	}
	f.untold = false
	f.settle()
	f.runs(t, r2, 4)
}

// TestGoesWhenEveryWorkSaysSo: a Release that is deleted and put back lets go once no Work bears marks of when something was held: without
// them Karmada's next write would be refused for good.
func TestGoesWhenEveryWorkSaysSo(t *testing.T) {
	f, _, r2 := halfway(t, "Deployment", v1alpha1.Stage{Clusters: names("member1")})
	f.runs(t, r2, 4)
	now := metav1.NewTime(f.now)
	f.release.DeletionTimestamp = &now
	f.reconcile()
	had := f.works["member1"]
	f.push("web:1")
	f.works["member1"] = had // Karmada has not got to it yet
	for range 3 {
		if d := f.reconcile(); d.Free {
			t.Fatalf("it lets go, and the Work of member1 says %v", had.GetAnnotations())
		}
		f.works["member1"] = had
	}
	held := meta.FindStatusCondition(f.release.Status.Conditions, v1alpha1.ConditionProgressing)
	f.says(t, v1alpha1.ConditionProgressing, v1alpha1.ReasonHeld, "its marks say so, too, in member1")
	if held.Status != metav1.ConditionFalse {
		t.Errorf("%+v", held)
	}
	f.karmada()
	if d := f.reconcile(); !d.Free {
		t.Errorf("every Work is open: %+v", d.Status)
	}
}

// TestPushedAgainAfterAnother: clusters that have a revision from when it was pushed before are not called held, and count for the number
// of the first stage.
func TestPushedAgainAfterAnother(t *testing.T) {
	f := newFleet(t, "CloneSet", map[string]int64{"member1": 4, "member2": 3, "member3": 3},
		v1alpha1.Stage{Name: "four", Updated: number(4), Gates: v1alpha1.Gates{Approvals: 1}},
		v1alpha1.Stage{Name: "second", Clusters: names("member2"), Gates: v1alpha1.Gates{Approvals: 1}})
	f.push("web:1")
	f.settle()
	r2 := f.push("web:2")
	f.settle()
	f.approve("four", "ann")
	f.settle()
	before := f.count(r2)
	if before["member2"] != 3 {
		t.Fatalf("member2 is open: %v", before)
	}
	f.release.Spec.Mode = v1alpha1.ModePause
	f.push("web:3")
	f.settle()
	f.push("web:2")
	f.settle()
	f.release.Spec.Mode, f.release.Spec.Approvals = v1alpha1.ModeRun, nil
	f.settle()
	if diff := cmp.Diff(before, f.count(r2)); diff != "" {
		t.Errorf("pods of the revision that was pushed again (-want +have):\n%s", diff)
	}
	states := map[string]v1alpha1.ClusterState{}
	for _, c := range f.release.Status.Clusters {
		states[c.Name] = c.State
	}
	if states["member2"] != v1alpha1.ClusterOpen {
		t.Errorf("member2 has all of it: %v", states)
	}
}

// TestNobodyApprovesWhatIsStuck: a stage that waited for people, and is stuck for another reason since, no longer asks them.
func TestNobodyApprovesWhatIsStuck(t *testing.T) {
	for name, stick := range map[string]func(f *fleet, r2 string){
		"scaled to nothing": func(f *fleet, _ string) { clear(f.assigned) },
		"a check failed": func(f *fleet, r2 string) {
			f.report("Smoke", v1alpha1.CheckFailed, r2)
			f.release.Spec.Checks[0].Stage = "first"
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, _, r2 := halfway(t, "Deployment", v1alpha1.Stage{Clusters: names("member1")})
			if f.is(v1alpha1.ConditionAwaitingApproval) != metav1.ConditionTrue {
				t.Fatalf("status %+v", f.release.Status)
			}
			stick(f, r2)
			f.karmada()
			f.settle()
			if f.is(v1alpha1.ConditionStalled) != metav1.ConditionTrue || f.is(v1alpha1.ConditionAwaitingApproval) != metav1.ConditionFalse {
				t.Errorf("conditions %+v", f.release.Status.Conditions)
			}
		})
	}
}

// TestGoesWhenTheTemplateSaysSo: promoted and deleted at once, the marks are of before it was stable, and the status is not; nobody but the
// next look writes these.
func TestGoesWhenTheTemplateSaysSo(t *testing.T) {
	f, r1, r2 := halfway(t, "Deployment", v1alpha1.Stage{Clusters: names("member1")})
	f.release.Spec.Promoted = r2
	now := metav1.NewTime(f.now)
	f.release.DeletionTimestamp = &now
	f.reconcile()
	marks := f.template.GetAnnotations()
	if marks[v1alpha1.AnnotationOpen] != v1alpha1.OpenAll || marks[v1alpha1.AnnotationStable] != r1 {
		t.Fatalf("open everywhere, and not stable yet: %v", marks)
	}
	f.hookless = true // the write of the marks meets a conflict
	if d := f.reconcile(); d.Free || d.Status.Dispatch.Stable != r2 {
		t.Fatalf("%+v", d.Status)
	}
	f.hookless = false
	if d := f.reconcile(); d.Free {
		t.Fatalf("it lets go, and the marks say %v", f.template.GetAnnotations())
	}
	if d := f.reconcile(); !d.Free {
		t.Errorf("the marks say %v, and it stays: %+v", f.template.GetAnnotations(), d.Status)
	}
}

// TestPausedLooksChangeNothing: while nothing may be opened before the first stage a look is no news. It moves no time of the history, and
// does not forget since when a Work is waited for.
func TestPausedLooksChangeNothing(t *testing.T) {
	f := newFleet(t, "Deployment", map[string]int64{"member1": 2, "member2": 2}, v1alpha1.Stage{Name: "canary", Clusters: names("member1")})
	f.push("web:1")
	f.settle()
	f.release.Spec.Mode = v1alpha1.ModePause
	f.push("web:2")
	f.settle()
	before := f.release.Status.DeepCopy()
	f.now = f.now.Add(time.Hour)
	if d := f.reconcile(); d.Record {
		t.Error("what is recorded is recorded again")
	}
	if diff := cmp.Diff(before, &f.release.Status); diff != "" {
		t.Errorf("an hour later (-was +is):\n%s", diff)
	}
	delete(f.works, "member2")
	f.passing(askAgain + 2*lookAgain)
	if f.release.Status.Dispatch.Asked == 0 || f.works["member2"] == nil {
		t.Errorf("Karmada was not asked for the Work of member2: %+v", f.release.Status)
	}
}
