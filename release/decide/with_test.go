package decide

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// configured is a fleet whose config goes out with its template, in two clusters and cluster by cluster.
func configured(t *testing.T) (f *fleet, r1 string) {
	t.Helper()
	f = newFleet(t, "Deployment", map[string]int64{"member1": 2, "member2": 2},
		v1alpha1.Stage{Name: "canary", Clusters: names("member1"), Gates: v1alpha1.Gates{Approvals: 1}})
	f.configure("a")
	r1 = f.push("web:1")
	f.settle()
	return f, r1
}

// has is what the config is in each cluster.
func (f *fleet) has() string {
	var out []string
	for _, cluster := range []string{"member1", "member2", "member3"} {
		if config := f.configs[cluster]; config != nil {
			out = append(out, fmt.Sprint(config.Object["data"].(map[string]any)["value"]))
		}
	}
	return strings.Join(out, " ")
}

// TestConfigGoesOutWithIt: a changed config alone is a revision of the application, held and opened and taken back with the template.
func TestConfigGoesOutWithIt(t *testing.T) {
	f, r1 := configured(t)
	r2 := f.configure("b")
	if r1 == r2 || f.has() != "a a" {
		t.Fatalf("revision %s, was %s; nobody opened anything, and clusters have %s", r2, r1, f.has())
	}
	f.settle()
	if f.has() != "b a" || f.release.Status.Revision != r2 {
		t.Fatalf("the first stage is open: clusters have %s, status %+v", f.has(), f.release.Status)
	}
	// Rejected, it goes back; the template is not written.
	f.release.Spec.Rejected = []string{r2}
	f.settle()
	if f.has() != "a a" || f.is(v1alpha1.ConditionRolledBack) != metav1.ConditionTrue {
		t.Fatalf("rejected: clusters have %s, status %+v", f.has(), f.release.Status)
	}
	f.release.Spec.Rejected = nil
	f.settle()
	f.approve("canary", "ann")
	f.settle()
	if f.has() != "b b" || f.is(v1alpha1.ConditionComplete) != metav1.ConditionTrue {
		t.Fatalf("approved: clusters have %s, status %+v", f.has(), f.release.Status)
	}
	// Put back, it is released as any change.
	f.configure("a")
	f.settle()
	if f.has() != "a b" {
		t.Errorf("put back after it was complete: clusters have %s", f.has())
	}
	// Put back in the middle, it ends the release.
	f.configure("b")
	f.settle()
	if f.has() != "b b" || f.is(v1alpha1.ConditionComplete) != metav1.ConditionTrue {
		t.Errorf("put back in the middle: clusters have %s, status %+v", f.has(), f.release.Status)
	}
}

// TestConfigComesFirst: a cluster does not get the template before the config, and the stage says what it waits for.
func TestConfigComesFirst(t *testing.T) {
	f, _ := configured(t)
	f.slow["member1"] = true
	f.configure("b")
	f.push("web:2")
	f.settle()
	f.says(t, v1alpha1.ConditionProgressing, v1alpha1.ReasonUpdating, "member1 has revision")
	if d := f.release.Status.Dispatch; len(d.Open) > 0 || cmp.Diff([]string{"member1"}, d.WithOpen) != "" {
		t.Fatalf("dispatch is %+v", d)
	}
	if f.has() != "a a" || sum(f.count(f.content(f.template))) != 0 {
		t.Fatalf("clusters have %s, and pods %v", f.has(), f.pods)
	}
	f.slow = map[string]bool{}
	f.karmada()
	f.settle()
	if f.has() != "b a" || sum(f.count(f.content(f.template))) != 2 {
		t.Fatalf("clusters have %s, and pods %v", f.has(), f.pods)
	}
	// What a cluster was given stays, though its config is away for a moment.
	f.configs["member1"] = nil
	f.reconcile()
	if d := f.release.Status.Dispatch; cmp.Diff([]string{"member1"}, d.Open) != "" {
		t.Errorf("dispatch is %+v", d)
	}
}

// TestConfigThatIsNotThere: no member reports on a config. One that refuses it, or was not given it, is not done, whenever that is seen;
// and nobody is back who refuses what was before.
func TestConfigThatIsNotThere(t *testing.T) {
	f, _ := configured(t)
	f.refusals = map[string]string{"member1": "denied the request: no"}
	r2 := f.configure("b")
	f.settle()
	f.says(t, v1alpha1.ConditionProgressing, v1alpha1.ReasonUpdating, "member1 refuses ConfigMap web: denied the request: no")
	f.passing(20 * time.Minute)
	f.says(t, v1alpha1.ConditionStalled, v1alpha1.ReasonDeadlineExceeded, "member1 refuses ConfigMap web")

	// Nobody has failed where Karmada has not tried.
	f.refusals, f.notGiven = nil, map[string]bool{"member1": true}
	f.settle()
	f.says(t, v1alpha1.ConditionStalled, v1alpha1.ReasonWorkNotWritten, "member1 has not been given ConfigMap web yet")
	f.notGiven = nil
	f.settle()
	f.approve("canary", "ann")
	f.settle()
	if f.is(v1alpha1.ConditionComplete) != metav1.ConditionTrue {
		t.Fatalf("status %+v", f.release.Status)
	}
	// Complete, it is not for good: the config of a cluster is written again, and refused.
	f.refusals = map[string]string{"member2": "is invalid: data"}
	f.settle()
	f.says(t, v1alpha1.ConditionComplete, v1alpha1.ReasonUpdating, "member2 refuses ConfigMap web: is invalid: data")

	f.refusals = nil
	r3 := f.configure("c")
	f.settle()
	f.refusals = map[string]string{"member1": "denied the request: not back"}
	f.release.Spec.Rejected = []string{r3}
	f.settle()
	if f.has() != "b b" {
		t.Fatalf("clusters have %s", f.has())
	}
	f.says(t, v1alpha1.ConditionRolledBack, v1alpha1.ReasonRejected,
		"member1 refuses the way back of ConfigMap web: denied the request: not back")
	f.refusals = nil
	f.settle()
	f.says(t, v1alpha1.ConditionRolledBack, v1alpha1.ReasonRolledBack, "no cluster has revision "+r3+": every one has "+r2)
}

// TestConfigInAnyOrder of pushes of both, scalings and slow clusters: no cluster has a new template without its config (the fleet looks at
// each Work that is written), and in the end both are everywhere.
func TestConfigInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]string{"CloneSet", "Deployment"}).Draw(t, "kind")
		stage := v1alpha1.Stage{Name: "s0", Clusters: names("member1"), Gates: v1alpha1.Gates{Approvals: 1}}
		if kind == "CloneSet" {
			stage = v1alpha1.Stage{Name: "s0", Updated: number(3), Gates: v1alpha1.Gates{Approvals: 1}}
		}
		f := newFleet(t, kind, map[string]int64{"member1": 4, "member2": 3, "member3": 3}, stage)
		f.configure("0")
		f.push("web:0")
		f.settle()
		for range rapid.IntRange(1, 25).Draw(t, "turns") {
			member := rapid.SampledFrom([]string{"member1", "member2", "member3"}).Draw(t, "member")
			switch rapid.IntRange(0, 3).Draw(t, "of both") {
			case 0:
				f.configure(fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "value")))
			case 1:
				f.slow[member] = !f.slow[member]
			default:
				f.turn(t)
			}
		}
		f.away, f.slow = map[string]bool{}, map[string]bool{}
		f.release.Spec.Rejected, f.release.Spec.RollbackTo, f.release.Spec.Attempt = nil, "", 100
		for _, name := range []string{"member1", "member2", "member3"} {
			f.assigned[name] = 3
		}
		f.karmada()
		f.approve("s0", "ann")
		f.settle()
		for range 4 {
			f.now = f.now.Add(askAgain)
			f.settle()
		}
		value := fmt.Sprint(f.config.Object["data"].(map[string]any)["value"])
		want := value + " " + value + " " + value
		if f.has() != want || sum(f.count(f.content(f.template))) != 9 || f.is(v1alpha1.ConditionComplete) != metav1.ConditionTrue {
			t.Fatalf("in the end clusters have %s, want %s; pods %v, status %+v", f.has(), want, f.pods, f.release.Status)
		}
	})
}
