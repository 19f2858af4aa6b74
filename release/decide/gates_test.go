package decide

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// gated is a fleet in the middle of a release, whose first stage has member1 open and these gates.
func gated(t *testing.T, gates v1alpha1.Gates) (f *fleet, r1, r2 string) {
	t.Helper()
	f = newFleet(t, "Deployment", map[string]int64{"member1": 2, "member2": 2},
		v1alpha1.Stage{Name: "canary", Clusters: names("member1"), Gates: gates})
	f.release.Spec.OnFailure = v1alpha1.OnFailureRollback
	r1 = f.push("web:1")
	f.settle()
	r2 = f.push("web:2")
	f.settle()
	return f, r1, r2
}

// says fails where the condition has not this reason, or its message not this text.
func (f *fleet) says(t *testing.T, condition, reason, message string) {
	t.Helper()
	c := meta.FindStatusCondition(f.release.Status.Conditions, condition)
	if c == nil || c.Reason != reason || !strings.Contains(c.Message, message) {
		t.Fatalf("%s is %+v, want %s with %q", condition, c, reason, message)
	}
}

func (f *fleet) runs(t *testing.T, revision string, want int64) {
	t.Helper()
	if got := sum(f.count(revision)); got != want {
		t.Fatalf("%d pods of %s, want %d: %v", got, revision, want, f.pods)
	}
}

func (f *fleet) report(name string, result v1alpha1.CheckResult, revision string) {
	f.release.Spec.Checks = append(f.release.Spec.Checks, v1alpha1.Check{
		Revision: revision, Stage: "canary", Name: name, Result: result, Message: "12 of 40 tests red", User: "ci",
	})
}

// TestOneReplica: while the replica that is replaced serves, a Deployment reports all that is asked for as updated, ready and healthy. That
// is no stage done, and no next cluster opened.
func TestOneReplica(t *testing.T) {
	f := newFleet(t, "Deployment", map[string]int64{"member1": 1, "member2": 1}, v1alpha1.Stage{Name: "canary", Clusters: names("member1")})
	f.release.Spec.OnFailure = v1alpha1.OnFailureRollback
	r1 := f.push("web:1")
	f.settle()
	f.surging = true
	r2 := f.push("web:2")
	f.bad[r2] = true
	f.settle()
	f.says(t, v1alpha1.ConditionProgressing, v1alpha1.ReasonUpdating, "still has old replicas beside the updated ones: 1")
	f.runs(t, r2, 1)
	f.now = f.now.Add(11 * time.Minute)
	f.settle()
	f.runs(t, r1, 2)
}

func TestChecksOpenTheNextStage(t *testing.T) {
	f, _, r2 := gated(t, v1alpha1.Gates{Checks: []string{"Smoke", "Load"}})
	f.says(t, v1alpha1.ConditionProgressing, v1alpha1.ReasonAwaitingChecks, "waits for: Smoke, Load")
	f.report("Smoke", v1alpha1.CheckPassed, r2)
	f.report("Load", v1alpha1.CheckPassed, "another revision")
	f.settle()
	f.runs(t, r2, 2)
	f.says(t, v1alpha1.ConditionProgressing, v1alpha1.ReasonAwaitingChecks, "waits for: Load")
	f.report("Load", v1alpha1.CheckPassed, r2)
	f.settle()
	f.runs(t, r2, 4)
}

// A check that failed is a failure of the revision, at once; one that passed after it takes it back, unless it was given up.
func TestAFailedCheck(t *testing.T) {
	f, _, r2 := gated(t, v1alpha1.Gates{Checks: []string{"Smoke"}})
	f.release.Spec.OnFailure = v1alpha1.OnFailurePause
	f.report("Smoke", v1alpha1.CheckFailed, r2)
	f.settle()
	f.says(t, v1alpha1.ConditionStalled, v1alpha1.ReasonCheckFailed, "stage canary: check Smoke failed, says ci: 12 of 40 tests red")
	f.runs(t, r2, 2)
	f.report("Smoke", v1alpha1.CheckPassed, r2)
	f.settle()
	f.runs(t, r2, 4)

	f, r1, r2 := gated(t, v1alpha1.Gates{Approvals: 1})
	f.report("Anything", v1alpha1.CheckFailed, r2)
	f.settle()
	f.runs(t, r1, 4)
	f.says(t, v1alpha1.ConditionRolledBack, v1alpha1.ReasonRolledBack, "no cluster has revision "+r2)
}

func TestQueriesHoldTheStage(t *testing.T) {
	f, r1, r2 := gated(t, v1alpha1.Gates{SoakSeconds: 3600, Prometheus: []gatev1alpha1.PrometheusGate{{Query: "errors"}}})
	f.says(t, v1alpha1.ConditionProgressing, v1alpha1.ReasonGateUnanswered, "stage canary: its Prometheus queries are to be asked")
	f.gates = &Gates{Stage: "another"}
	f.settle()
	f.says(t, v1alpha1.ConditionProgressing, v1alpha1.ReasonGateUnanswered, "are to be asked")
	f.gates = &Gates{Stage: "canary"}
	f.settle()
	f.says(t, v1alpha1.ConditionProgressing, v1alpha1.ReasonSoaking, "")

	// Long after the deadline of the stage: one look that is not at zero begins the soak anew, and fails nothing yet.
	f.now = f.now.Add(30 * time.Minute)
	f.gates.Unwell = "Prometheus says 3"
	f.settle()
	f.says(t, v1alpha1.ConditionProgressing, v1alpha1.ReasonGateUnwell, "stage canary: Prometheus says 3")
	if f.release.Status.DoneTime != nil {
		t.Error("the soak goes on")
	}
	f.runs(t, r2, 2)
	f.gates.Unwell = ""
	f.settle()
	f.now = f.now.Add(59 * time.Minute)
	f.settle()
	f.runs(t, r2, 2)

	// A Prometheus that does not answer says nothing about the revision: it stalls, and is not rolled back.
	f.gates.Unanswered = "connection refused"
	f.settle()
	f.now = f.now.Add(11 * time.Minute)
	f.settle()
	f.says(t, v1alpha1.ConditionStalled, v1alpha1.ReasonGateUnanswered, "connection refused")
	f.runs(t, r2, 2)
	f.gates.Unanswered = ""
	f.settle()

	// For longer than the deadline it is a failure of the revision.
	f.gates.Unwell = "Prometheus says 3"
	f.settle()
	f.now = f.now.Add(11 * time.Minute)
	f.settle()
	f.runs(t, r1, 4)
}

// TestOneMomentFailsNothing: a pod away for a moment in a soak longer than the deadline is no failure, and one that stays away is.
func TestOneMomentFailsNothing(t *testing.T) {
	f, r1, r2 := gated(t, v1alpha1.Gates{SoakSeconds: 7200})
	f.now = f.now.Add(time.Hour)
	f.bad[r2] = true
	f.settle()
	f.says(t, v1alpha1.ConditionProgressing, v1alpha1.ReasonUpdating, "0 of 2 replicas ready")
	f.runs(t, r2, 2)
	f.now = f.now.Add(11 * time.Minute)
	f.settle()
	f.runs(t, r1, 4)
}

func TestFreezeWindows(t *testing.T) {
	f, r1, r2 := gated(t, v1alpha1.Gates{Approvals: 1})
	start, end := metav1.NewTime(f.now.Add(-time.Hour)), metav1.NewTime(f.now.Add(3*time.Minute))
	f.release.Spec.FreezeWindows = []gatev1alpha1.FreezeWindow{{Name: "sale", Start: &start, End: &end}}
	f.approve("canary", "ann")
	d := f.reconcile()
	f.says(t, v1alpha1.ConditionProgressing, v1alpha1.ReasonFrozen, "freeze window sale: nothing further is opened until 2026-11-28T10:03:00Z")
	if d.After != 3*time.Minute {
		t.Errorf("looked at again after %s", d.After)
	}
	f.runs(t, r2, 2)
	// A rejection acts at once, and so does a push of the stable revision; a push of another is held whole.
	r3 := f.push("web:3")
	f.settle()
	f.runs(t, r3, 0)
	f.runs(t, r2, 2)
	f.push("web:2")
	f.settle()
	f.release.Spec.Rejected = []string{r2}
	f.settle()
	f.runs(t, r1, 4)
	f.release.Spec.Rejected = nil
	f.now = end.Time
	f.settle()
	f.runs(t, r2, 4)

	f.release.Spec.FreezeWindows = []gatev1alpha1.FreezeWindow{{Name: "x", Days: []gatev1alpha1.Weekday{"Monday"}, From: "01:00", To: "02:00",
		TimeZone: "Mars/North"}}
	r4 := f.push("web:4")
	f.settle()
	f.says(t, v1alpha1.ConditionProgressing, v1alpha1.ReasonFrozen, `spec.freezeWindows[0]: timeZone "Mars/North" is not in the IANA database`)
	f.release.Spec.Promoted = r4
	f.settle()
	f.runs(t, r4, 4)
}

// TestBackToAnOlderRevision that has long been replaced: the template is not written, and what is pushed next goes in stages from there.
func TestBackToAnOlderRevision(t *testing.T) {
	f, r1, r2 := gated(t, v1alpha1.Gates{})
	f.runs(t, r2, 4)
	f.release.Spec.Rejected, f.release.Spec.RollbackTo = []string{r2}, "abc"
	f.settle()
	f.says(t, v1alpha1.ConditionStalled, v1alpha1.ReasonRevisionUnknown, "spec.rollbackTo: revision abc is not in the history")
	f.runs(t, r2, 4)
	// Meanwhile what clusters have is told as it is, and a look at which nothing changed writes nothing.
	f.bad[r2] = true
	f.settle()
	f.says(t, v1alpha1.ConditionStalled, v1alpha1.ReasonRevisionUnknown, "abc")
	if ready, complete := f.release.Status.ReadyText, f.is(v1alpha1.ConditionComplete); ready != "0/4" || complete != metav1.ConditionFalse {
		t.Errorf("ready %s, complete %s, while no pod is ready", ready, complete)
	}
	f.now = f.now.Add(time.Minute)
	before := f.release.Status.DeepCopy()
	f.reconcile()
	if diff := cmp.Diff(before, &f.release.Status); diff != "" {
		t.Errorf("written again (-before +after):\n%s", diff)
	}
	f.bad = map[string]bool{}
	f.release.Spec.RollbackTo = r1
	f.settle()
	f.runs(t, r1, 4)
	f.says(t, v1alpha1.ConditionRolledBack, v1alpha1.ReasonRolledBack, r2)
	f.push("web:2") // GitOps, for ever
	f.settle()
	f.runs(t, r1, 4)
	r3 := f.push("web:3")
	f.settle()
	f.runs(t, r3, 4)
	// Tried again, what was rejected goes in stages, and stays.
	f.release.Spec.Rejected = nil
	f.push("web:2")
	f.settle()
	f.runs(t, r2, 4)
}
