package decide

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/wave"
)

// says fails the test where a condition is not "Status Reason", or its message does not have the part.
func says(t *testing.T, status v1alpha1.ComponentStatus, kind, want, part string) {
	t.Helper()
	c := meta.FindStatusCondition(status.Conditions, kind)
	if c == nil {
		t.Errorf("%s is not told", kind)
		return
	}
	if have := string(c.Status) + " " + c.Reason; have != want || !strings.Contains(c.Message, part) {
		t.Errorf("%s is %s: %s, want %s: %s", kind, have, c.Message, want, part)
	}
}

// place is a Component all of whose objects are there, and whose copy serves.
func place(t *testing.T) *Input {
	in := input(t, demo())
	in.live(t, Key{"Service", "demo"}, in.Component.UID)
	live := in.live(t, in.Workload(), in.Component.UID)
	live.Object["status"] = map[string]any{
		"observedGeneration": int64(1), "replicas": int64(1), "updatedReplicas": int64(1), "availableReplicas": int64(1),
	}
	return in
}

// TestAnotherVersionInstead: while the cluster refuses what is asked for, no copy is of it, however well those of before are.
func TestAnotherVersionInstead(t *testing.T) {
	in := place(t)
	workload := in.Workload()
	status := Status(in, &Outcome{Live: in.Live})
	says(t, status, v1alpha1.ConditionProgressing, "False RolloutComplete", "")
	if status.UpdatedReplicas != 1 {
		t.Errorf("in place, and %d copies are updated", status.UpdatedReplicas)
	}
	for name, edit := range map[string]func(*Input, *Outcome){
		"refused": func(in *Input, out *Outcome) {
			in.Live[workload].SetAnnotations(map[string]string{v1alpha1.AnnotationRenderedHash: "before"})
			out.Refused = []Blocked{{workload, v1alpha1.ReasonApplyRefused, "a quota."}}
		},
		"failed": func(in *Input, out *Outcome) {
			in.Live[workload].SetAnnotations(map[string]string{v1alpha1.AnnotationRenderedHash: "before"})
			out.Failed = errors.New("a webhook is away")
		},
		"cannot be rendered": func(in *Input, _ *Outcome) { in.Objects, in.RenderErr = nil, errors.New("spec.patches[0]: no") },
	} {
		t.Run(name, func(t *testing.T) {
			in := place(t)
			out := &Outcome{Live: in.Live}
			edit(in, out)
			status := Status(in, out)
			says(t, status, v1alpha1.ConditionProgressing, "False NotApplied", "see the condition Rendered")
			says(t, status, v1alpha1.ConditionReady, "True ReplicasReady", "")
			if status.UpdatedReplicas != 0 || status.AvailableReplicas != 1 {
				t.Errorf("%d copies are updated, %d serve", status.UpdatedReplicas, status.AvailableReplicas)
			}
		})
	}
	// A Service that is not taken changes nothing of the copies.
	out := &Outcome{Live: in.Live, Refused: []Blocked{{Key{"Service", "demo"}, v1alpha1.ReasonApplyRefused, "port."}}}
	says(t, Status(in, out), v1alpha1.ConditionProgressing, "False RolloutComplete", "")
}

// TestHeldIsNotInPlace: what a manager did not bring in place is not in place because another one came that renders otherwise, and leaves
// all as it is until the wave comes.
func TestHeldIsNotInPlace(t *testing.T) {
	in := place(t)
	workload := in.Workload()
	in.Live[workload].SetAnnotations(map[string]string{v1alpha1.AnnotationRenderedHash: "before"})
	refused := []Blocked{{workload, v1alpha1.ReasonApplyRefused, "The cluster does not take Deployment demo: a quota."}}
	in.Component.Status = Status(in, &Outcome{Live: in.Live, Refused: refused})

	// The next manager.
	in.Held, in.Templates.Waits = true, &wave.Waits{}
	for range 3 {
		in.Component.Status = Status(in, &Outcome{Live: in.Live, Steps: Decide(in)})
		says(t, in.Component.Status, v1alpha1.ConditionRendered, "False ApplyRefused", "a quota. Another version of the controller runs since")
		says(t, in.Component.Status, v1alpha1.ConditionProgressing, "False NotApplied", "")
	}
	c := meta.FindStatusCondition(in.Component.Status.Conditions, v1alpha1.ConditionRendered)
	if n := strings.Count(c.Message, "Another version"); n != 1 || in.Component.Status.UpdatedReplicas != 0 {
		t.Errorf("it says it %d times, and %d copies are updated", n, in.Component.Status.UpdatedReplicas)
	}

	// One that was in place is.
	in = place(t)
	in.Component.Status = Status(in, &Outcome{Live: in.Live})
	in.Held = true
	says(t, Status(in, &Outcome{Live: in.Live}), v1alpha1.ConditionRendered, "True Rendered", "as another version of the controller made them")
	// And one of whose objects one is being deleted is not.
	in.Live[workload].SetDeletionTimestamp(&metav1.Time{})
	in.Live[workload].Object["metadata"].(map[string]any)["deletionTimestamp"] = "2026-01-02T12:00:00Z"
	says(t, Status(in, &Outcome{Live: in.Live}), v1alpha1.ConditionRendered, "False ObjectDeleted", "Deployment demo")
}

// TestHeldInTheMiddleOfSteps: where a change is and who is asked is not forgotten because another manager came.
func TestHeldInTheMiddleOfSteps(t *testing.T) {
	w := newWalk(t, v1alpha1.WorkloadDeployment)
	w.look()
	w.Component.Spec.Image = "demo:2"
	w.want("a change", "demo demo:1 x3 kept 0, demo-canary demo:2 x1 kept 0")
	before := w.Component.Status.DeepCopy()
	for name, edit := range map[string]func(*Input){
		"held": func(in *Input) { in.Held = true }, "a patch that does not fit": func(in *Input) { in.RenderErr = errors.New("no") },
	} {
		in := *w.Input
		edit(&in)
		var err error
		if in.Canary, err = CanaryOf(&in, w.Component.CreationTimestamp.Time); err != nil {
			t.Fatal(err)
		}
		if steps := Decide(&in); !steps.Nothing() {
			t.Errorf("%s: %s", name, summary(steps))
		}
		after := Status(&in, &Outcome{Live: in.Live})
		says(t, after, v1alpha1.ConditionProgressing, "True CanaryPaused", "Canary step 1 of 1 stands as it is: ")
		if !equality.Semantic.DeepEqual(after.Canary, before.Canary) || len(after.PendingApprovals) != 1 {
			t.Errorf("%s: its canary was %+v and is %+v", name, before.Canary, after.Canary)
		}
		if after.Replicas != 4 || after.UpdatedReplicas != 1 || after.ExpectedUpdatedReplicas != 1 || after.AvailableReplicas != 4 {
			t.Errorf("%s: %d copies, %d of %d updated, %d serve", name, after.Replicas, after.UpdatedReplicas,
				after.ExpectedUpdatedReplicas, after.AvailableReplicas)
		}
	}
}

// TestMadeAnew: a workload that was just made says nothing yet, and what the status says of the one before it does not count.
func TestMadeAnew(t *testing.T) {
	in := place(t)
	in.Component.Status = Status(in, &Outcome{Live: in.Live})
	says(t, in.Component.Status, v1alpha1.ConditionReady, "True ReplicasReady", "")
	// An edit alone: the copies serve on.
	in.Live[in.Workload()].SetGeneration(2)
	says(t, Status(in, &Outcome{Live: in.Live}), v1alpha1.ConditionReady, "True ReplicasReady", "")

	live := in.live(t, in.Workload(), in.Component.UID)
	live.SetGeneration(1)
	status := Status(in, &Outcome{Live: in.Live, Pods: []corev1.Pod{}})
	says(t, status, v1alpha1.ConditionReady, "Unknown NotObserved", "")
	says(t, status, v1alpha1.ConditionDegraded, "Unknown NotObserved", "")
	says(t, status, v1alpha1.ConditionProgressing, "True NotObserved", "")
	if status.AvailableReplicas != 0 {
		t.Errorf("%d copies serve of a workload that nobody has looked at", status.AvailableReplicas)
	}
}
