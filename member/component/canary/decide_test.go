package canary

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func steps() []v1alpha1.CanaryStep {
	return []v1alpha1.CanaryStep{
		{Replicas: intstr.FromInt32(1), Pause: v1alpha1.CanaryPauseApproval},
		{Replicas: intstr.FromString("50%"), Pause: v1alpha1.CanaryPauseSeconds, PauseSeconds: ptr.To[int32](60)},
	}
}

// approve is what admission stores of a person's decision.
func approve(p *gatev1alpha1.PendingApproval, decision gatev1alpha1.ApprovalDecision) gatev1alpha1.Approval {
	at := metav1.NewTime(noon)
	return gatev1alpha1.Approval{Gate: p.Gate, OperationID: p.OperationID, Decision: decision, By: "ann", At: &at, Reason: "so"}
}

// TestSteps tells the whole of a change.
func TestSteps(t *testing.T) {
	in := Input{Object: "u", Change: "v2", Steps: steps(), Total: 5, Now: noon}
	var told []string
	look := func() Plan {
		plan := Decide(in)
		in.Before = &plan.Status
		told = append(told, fmt.Sprintf("%d %s -> %d done=%v again=%s asks=%v",
			plan.Status.Step, plan.Status.State, plan.Replicas, plan.Done, plan.Again, plan.Pending != nil))
		return plan
	}
	in.Asked = look().Replicas
	look()
	in.Serve = true
	plan := look()
	in.Approvals = append(in.Approvals, gatev1alpha1.Approval{
		Gate: "canary", OperationID: plan.Pending.OperationID, Decision: gatev1alpha1.Approve,
	})
	look() // It bears no name: admission did not see it.
	in.Approvals = append(in.Approvals, approve(plan.Pending, gatev1alpha1.Approve))
	in.Asked, in.Serve = look().Replicas, false
	in.Serve = true
	look()
	in.Now = noon.Add(59 * time.Second)
	look()
	in.Now = noon.Add(time.Minute)
	look()
	look()
	want := `1 Progressing -> 1 done=false again=0s asks=false
1 Progressing -> 1 done=false again=0s asks=false
1 Paused -> 1 done=false again=0s asks=true
1 Paused -> 1 done=false again=0s asks=true
2 Progressing -> 3 done=false again=0s asks=false
2 Paused -> 3 done=false again=1m0s asks=false
2 Paused -> 3 done=false again=1s asks=false
2 Completed -> 5 done=true again=0s asks=false
2 Completed -> 5 done=true again=0s asks=false`
	if diff := cmp.Diff(want, strings.Join(told, "\n")); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	// Another change begins anew, and no approval of the one before opens it.
	in.Change = "v3"
	if plan := Decide(in); plan.Status.Step != 1 || plan.Replicas != 1 {
		t.Errorf("another change: %+v", plan)
	}
	in.Asked = 1
	if plan := Decide(in); plan.Pending == nil || plan.Pending.OperationID == in.Approvals[0].OperationID {
		t.Errorf("another change asks for no approval of its own: %+v", plan)
	}
}

// TestTheSameOnceMore: a change that was undone and is asked for once more asks people anew; that it goes on asks nothing new.
func TestTheSameOnceMore(t *testing.T) {
	in := Input{Object: "u", Change: "v2", Steps: steps(), Total: 5, Now: noon, Asked: 1, Serve: true}
	first := Decide(in)
	in.Before, in.Canaries = &first.Status, 1
	again := Decide(in)
	if first.Pending == nil || again.Pending == nil || again.Pending.OperationID != first.Pending.OperationID {
		t.Fatalf("%+v, then %+v", first.Pending, again.Pending)
	}
	in.Approvals = []gatev1alpha1.Approval{approve(first.Pending, gatev1alpha1.Approve)}
	if plan := Decide(in); plan.Pending != nil {
		t.Errorf("approved, it asks about %+v", plan.Pending)
	}
	in.Before = nil // it was undone
	if plan := Decide(in); plan.Pending == nil || plan.Pending.OperationID == first.Pending.OperationID || plan.Status.Step != 1 {
		t.Errorf("once more: %+v", plan)
	}
	in.Before, in.Canaries, in.Approvals = &v1alpha1.CanaryStatus{Change: "v2", Step: 1}, 0, nil
	if plan := Decide(in); plan.Pending == nil {
		t.Errorf("begun before they were counted: %+v", plan)
	}
}

// TestNoneHere: of a canary that is divided over clusters a step may have no copy in one of them; a person is told so, in words that are
// not a count of nothing.
func TestNoneHere(t *testing.T) {
	in := Input{Object: "u", Change: "v2", Steps: []v1alpha1.CanaryStep{{Replicas: intstr.FromInt32(0), Pause: v1alpha1.CanaryPauseApproval}},
		Total: 2, Serve: true, Now: noon}
	plan := Decide(in)
	if plan.Pending == nil {
		t.Fatalf("nobody is asked: %+v", plan)
	}
	const want = "Canary step 1 of 1: none of the 2 copies in this cluster is to be new"
	for _, got := range []string{plan.Pending.Summary, plan.Message} {
		if !strings.HasPrefix(got, want) || strings.Contains(got, "serve") {
			t.Errorf("%q, want %q and no word of serving", got, want)
		}
	}
	in.Asked = 1
	if got := Decide(in).Message; got != want+"; those there are go." {
		t.Errorf("while one is new: %q", got)
	}
}

// TestKilledBeforeItSaid: a step whose copies are asked for is not gone back from.
func TestKilledBeforeItSaid(t *testing.T) {
	in := Input{Object: "u", Change: "v2", Steps: steps(), Total: 5, Now: noon, Asked: 3}
	in.Before = &v1alpha1.CanaryStatus{Change: "v2", Step: 1}
	if plan := Decide(in); plan.Status.Step != 2 || plan.Replicas != 3 {
		t.Errorf("%+v", plan)
	}
}

func TestRejected(t *testing.T) {
	in := Input{Object: "u", Change: "v2", Steps: steps(), Total: 5, Now: noon, Asked: 1, Serve: true}
	plan := Decide(in)
	in.Before, in.Canaries = &plan.Status, 1
	in.Approvals = []gatev1alpha1.Approval{approve(plan.Pending, gatev1alpha1.Reject)}
	plan = Decide(in)
	if plan.Replicas != 1 || plan.Pending != nil || !strings.Contains(plan.Message, "ann rejected the next step: so") {
		t.Errorf("%+v", plan)
	}
}

// TestNeverFurther: whatever is observed, no copy more is of the change than the steps allow that are done, and a step is left only
// when it served and its pause was over.
func TestNeverFurther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := Input{Object: "u", Change: "v2", Total: rapid.Int32Range(0, 20).Draw(t, "total"), Now: noon}
		for range rapid.IntRange(1, 5).Draw(t, "steps") {
			step := v1alpha1.CanaryStep{Replicas: intstr.FromInt32(rapid.Int32Range(0, 25).Draw(t, "replicas")), Pause: v1alpha1.CanaryPauseApproval}
			if rapid.Bool().Draw(t, "seconds") {
				step.Pause, step.PauseSeconds = v1alpha1.CanaryPauseSeconds, ptr.To(rapid.Int32Range(1, 100).Draw(t, "pause"))
			}
			in.Steps = append(in.Steps, step)
		}
		step, done := int32(1), false
		for range 40 {
			in.Serve = rapid.Bool().Draw(t, "serve")
			plan := Decide(in)
			if plan.Replicas > in.Total {
				t.Fatalf("%d of %d", plan.Replicas, in.Total)
			}
			if (plan.Status.Step > step || plan.Done && !done) && !in.Serve {
				t.Fatalf("step %d was left while its copies did not serve", step)
			}
			// A killed controller may look at a step again, which it need not have left a second time.
			step, done = max(step, plan.Status.Step), done || plan.Done
			if rapid.Bool().Draw(t, "written before it was killed") {
				in.Before = &plan.Status
			}
			in.Asked = plan.Replicas
			if plan.Pending != nil && rapid.Bool().Draw(t, "approved") {
				in.Approvals = append(in.Approvals, approve(plan.Pending, gatev1alpha1.Approve))
			}
			in.Now = in.Now.Add(time.Duration(rapid.IntRange(0, 50).Draw(t, "passed")) * time.Second)
		}
	})
}
