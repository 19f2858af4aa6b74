package decide

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// passing lets time pass, with a look every five seconds.
func (f *fleet) passing(span time.Duration) {
	f.t.Helper()
	for end := f.now.Add(span); f.now.Before(end); f.now = f.now.Add(lookAgain) {
		f.reconcile()
	}
}

// TestLateForAnotherReason: a stage that is late because argosy-webhook was away, or a member, fails no revision, and members that get it
// late have the whole deadline. A revision that is bad then still fails.
func TestLateForAnotherReason(t *testing.T) {
	const allowed = 10 * time.Minute
	for name, tc := range map[string]struct {
		away, back func(*fleet)
		want       string
		wantWords  string
	}{
		"argosy-webhook is away": {func(f *fleet) { f.hookless = true }, func(f *fleet) { f.hookless = false }, v1alpha1.ReasonWorkNotWritten,
			"in its Work"},
		"a member is away": {func(f *fleet) { f.away["member2"] = true }, func(f *fleet) { f.away = map[string]bool{} },
			v1alpha1.ReasonClusterUnreachable, "member2 does not answer: no route to host"},
	} {
		for _, bad := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				f := newFleet(t, "Deployment", map[string]int64{"member1": 2, "member2": 2},
					v1alpha1.Stage{Name: "canary", Clusters: names("member1"), Gates: v1alpha1.Gates{Approvals: 1}})
				f.release.Spec.OnFailure = v1alpha1.OnFailureRollback
				f.push("web:1")
				f.settle()
				r2 := f.push("web:2")
				f.settle()
				tc.away(f)
				f.approve("canary", "ann")
				f.passing(2 * allowed)
				if diff := cmp.Diff(map[string]int64{"member1": 2}, f.count(r2)); diff != "" {
					t.Errorf("pods of the new revision meanwhile (-want +have):\n%s", diff)
				}
				late := meta.FindStatusCondition(f.release.Status.Conditions, v1alpha1.ConditionStalled)
				if late == nil || late.Status != metav1.ConditionTrue || late.Reason != tc.want || !strings.Contains(late.Message, tc.wantWords) {
					t.Errorf("Stalled: %+v, want %s", late, tc.want)
				}
				// Back; its members take their time with it.
				f.frozen = true
				tc.back(f)
				f.passing(allowed - time.Minute)
				if f.release.Status.Failure != nil || f.is(v1alpha1.ConditionStalled) == metav1.ConditionTrue {
					t.Fatalf("the revision is blamed: %+v", f.release.Status)
				}
				if bad {
					f.passing(2 * time.Minute)
					if f.release.Status.Failure == nil {
						t.Errorf("never done, and not failed: %+v", f.release.Status)
					}
					return
				}
				f.frozen = false
				f.karmada()
				f.settle()
				if f.count(r2)["member2"] != 2 || f.is(v1alpha1.ConditionComplete) != metav1.ConditionTrue {
					t.Errorf("pods %v, status %+v", f.pods, f.release.Status)
				}
			})
		}
	}
}

// TestNobodySaysWhetherItIsHealthy: while the interpreter is away Karmada calls the health of what members report unknown. A stage is not
// done then, and blames no revision for it; Karmada is asked to look again.
func TestNobodySaysWhetherItIsHealthy(t *testing.T) {
	f := newFleet(t, "Deployment", map[string]int64{"member1": 2, "member2": 2},
		v1alpha1.Stage{Name: "canary", Clusters: names("member1"), Gates: v1alpha1.Gates{Approvals: 1}})
	f.release.Spec.OnFailure = v1alpha1.OnFailureRollback
	f.push("web:1")
	f.settle()
	f.unjudged = true
	r2 := f.push("web:2")
	f.passing(20 * time.Minute)
	late := meta.FindStatusCondition(f.release.Status.Conditions, v1alpha1.ConditionStalled)
	if late == nil || late.Status != metav1.ConditionTrue || late.Reason != v1alpha1.ReasonHealthUnknown {
		t.Errorf("Stalled: %+v", late)
	}
	if f.release.Status.Failure != nil || f.count(r2)["member1"] != 2 {
		t.Fatalf("the revision is blamed: %+v", f.release.Status)
	}
	asked := f.release.Status.Dispatch.Asked
	if asked == 0 {
		t.Error("Karmada was not asked to look again")
	}
	f.unjudged = false
	f.settle()
	if f.is(v1alpha1.ConditionAwaitingApproval) != metav1.ConditionTrue || f.is(v1alpha1.ConditionStalled) != metav1.ConditionFalse {
		t.Errorf("status %+v", f.release.Status)
	}
}

// TestNotAllAreSkipped: with unreachable: Skip a stage is done without some clusters, who are named, and not while none answers: nobody
// would have seen the revision run.
func TestNotAllAreSkipped(t *testing.T) {
	f := newFleet(t, "Deployment", map[string]int64{"member1": 2, "member2": 2}, v1alpha1.Stage{Name: "canary", Clusters: names("member1")})
	f.release.Spec.OnFailure, f.release.Spec.Unreachable = v1alpha1.OnFailureRollback, v1alpha1.UnreachableSkip
	r1 := f.push("web:1")
	f.settle()
	f.away = map[string]bool{"member1": true, "member2": true}
	r2 := f.push("web:2")
	f.passing(20 * time.Minute)
	f.says(t, v1alpha1.ConditionStalled, v1alpha1.ReasonClusterUnreachable, "no cluster answers")
	if d := f.release.Status.Dispatch; d.Stable != r1 || f.release.Status.Failure != nil {
		t.Fatalf("nobody saw it run: %+v", f.release.Status)
	}
	if diff := cmp.Diff([]string{"member1"}, f.release.Status.Dispatch.Open); diff != "" {
		t.Errorf("open (-want +have):\n%s", diff)
	}
	f.away = map[string]bool{"member2": true}
	f.karmada()
	f.settle()
	if f.is(v1alpha1.ConditionComplete) != metav1.ConditionTrue || f.release.Status.Dispatch.Stable != r2 {
		t.Fatalf("status %+v", f.release.Status)
	}
	f.says(t, v1alpha1.ConditionComplete, v1alpha1.ReasonComplete, "every cluster that answers has revision "+r2+"; skipped: member2")
}

// TestClockThatWasAhead: a leader whose clock was a day ahead holds up neither a soak, nor a deadline, nor what Karmada is asked for, once
// another leads.
func TestClockThatWasAhead(t *testing.T) {
	f := newFleet(t, "Deployment", map[string]int64{"member1": 2, "member2": 2},
		v1alpha1.Stage{Name: "canary", Clusters: names("member1"), Gates: v1alpha1.Gates{SoakSeconds: 60}})
	f.push("web:1")
	f.settle()
	const day = 24 * time.Hour
	f.now = f.now.Add(day)
	f.push("web:2")
	f.settle()
	f.says(t, v1alpha1.ConditionProgressing, v1alpha1.ReasonSoaking, "")
	f.now = f.now.Add(-day)
	f.passing(2 * time.Minute)
	if f.is(v1alpha1.ConditionComplete) != metav1.ConditionTrue {
		t.Fatalf("the soak of a minute has not ended: %+v", f.release.Status)
	}
	f.now = f.now.Add(day)
	f.hookless = true
	f.push("web:3")
	f.reconcile()
	delete(f.works, "member2")
	f.passing(3 * lookAgain)
	f.now = f.now.Add(-day)
	asked := f.release.Status.Dispatch.Asked
	f.passing(11 * time.Minute)
	f.says(t, v1alpha1.ConditionStalled, v1alpha1.ReasonWorkNotWritten, "not done after 10m")
	if f.release.Status.Dispatch.Asked == asked {
		t.Error("Karmada is asked for nothing")
	}
}

// TestWhoIsLostIsLookedForSeldom: a lost cluster is in every Release, of which most open nothing.
func TestWhoIsLostIsLookedForSeldom(t *testing.T) {
	f := newFleet(t, "Deployment", map[string]int64{"member1": 2, "member2": 2}, v1alpha1.Stage{Name: "canary", Clusters: names("member1")})
	f.push("web:1")
	f.settle()
	f.away["member2"] = true
	if d := f.reconcile(); d.After != lookForAway || f.is(v1alpha1.ConditionComplete) != metav1.ConditionFalse {
		t.Errorf("after %s: %+v", d.After, d.Status)
	}
	f.push("web:2")
	if d := f.reconcile(); d.After != lookAgain {
		t.Errorf("in a stage after %s", d.After)
	}
}
