package state

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/code"
)

func TestTheWholeWay(t *testing.T) {
	w := newWorld()
	w.fact(v1alpha1.ConditionHealthy, metav1.ConditionTrue)
	want := []string{"Initializing Provisioning", "Deploying ReleaseChanging", "Ready Serving"}
	if diff := cmp.Diff(want, w.settle()); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	if !w.attached || !apimeta.IsStatusConditionTrue(w.in.Server.Status.Conditions, v1alpha1.ConditionReady) {
		t.Errorf("attached %v, conditions %+v", w.attached, w.in.Server.Status.Conditions)
	}
	sequence := w.last.Operation.Sequence
	for range 3 {
		if out := w.decide(); out.Operation.Sequence != sequence {
			t.Errorf("facts that did not change begin operation %d", out.Operation.Sequence)
		}
	}
}

// What happens to a server that serves, and how it goes on.
func TestStories(t *testing.T) {
	for name, tc := range map[string]struct {
		gates  []gatev1alpha1.GateStage
		change func(*world)
		want   []string
		out    bool
	}{
		"packages change": {
			change: func(w *world) { w.in.Environment = "e2" },
			want:   []string{"Initializing EnvironmentChanging", "Ready Serving"},
		},
		"a release": {
			change: func(w *world) { w.in.Server.Spec.Release.Version = "2" },
			want:   []string{"Deploying ReleaseChanging", "Ready Serving"},
		},
		"a release of which the params alone are others": {
			change: func(w *world) {
				w.in.Server.Spec.Release.Params = map[string]v1alpha1.BoundedString{"unit": "web.service"}
			},
			want: []string{"Deploying ReleaseChanging", "Ready Serving"},
		},
		"another artifact of the version, without checksums": {
			change: func(w *world) { w.in.Server.Spec.Release.Artifact = "file:///srv/web.tar" },
			want:   []string{"Deploying ReleaseChanging", "Ready Serving"},
		},
		"a manager that writes hashes takes over": {
			change: func(w *world) { w.in.Server.Status.Release.Hash = "" },
			want:   []string{"Ready Serving"},
		},
		"a release that was cut off": {
			change: func(w *world) { w.in.Server.Status.Release.Hash = code.Unfinished },
			want:   []string{"Deploying ReleaseChanging", "Ready Serving"},
		},
		"both": {
			change: func(w *world) { w.in.Environment = "e2"; w.in.Server.Spec.Release.Version = "2" },
			want:   []string{"Initializing EnvironmentChanging", "Deploying ReleaseChanging", "Ready Serving"},
		},
		"no release any more": {
			change: func(w *world) { w.in.Server.Spec.Release = nil },
			want:   []string{"Deploying NoRelease"},
			out:    true,
		},
		"unhealthy": {
			change: func(w *world) { w.fact(v1alpha1.ConditionHealthy, metav1.ConditionFalse) },
			want:   []string{"Deploying Unhealthy"},
			out:    true,
		},
		"unhealthy, seen by a blind prober": {
			change: func(w *world) { w.fact(v1alpha1.ConditionHealthy, metav1.ConditionFalse); w.in.Blind = true },
			want:   []string{"Ready Serving"},
		},
		"an alert, and a blind prober that finds it unhealthy": {change: func(w *world) {
			w.fact(v1alpha1.ConditionMonitoringNormal, metav1.ConditionFalse)
			w.fact(v1alpha1.ConditionHealthy, metav1.ConditionFalse)
			w.in.Blind = true
		}, want: []string{"Deploying MonitoringAbnormal"}, out: true},
		"an alert": {
			change: func(w *world) { w.fact(v1alpha1.ConditionMonitoringNormal, metav1.ConditionFalse) },
			want:   []string{"Deploying MonitoringAbnormal"},
			out:    true,
		},
		"unreachable": {
			change: func(w *world) { w.fact(v1alpha1.ConditionReachable, metav1.ConditionFalse) },
			want:   []string{"Unknown Unreachable"},
			out:    true,
		},
		"unreachable to a blind prober": {
			change: func(w *world) { w.fact(v1alpha1.ConditionReachable, metav1.ConditionFalse); w.in.Blind = true },
			want:   []string{"Ready Serving"},
		},
		"the machine is gone": {
			change: func(w *world) { w.in.Server.Status.Machine.State = v1alpha1.MachineGone; w.in.Blind = true },
			want:   []string{"Unknown Unreachable"},
			out:    true,
		},
		"a boot nobody saw": {
			change: func(w *world) { w.in.Server.Status.Machine.BootID, w.in.Server.Status.EnvironmentHash = "b2", "" },
			want:   []string{"Initializing Verifying", "Ready Serving"},
		},
		"a person takes it offline": {
			change: func(w *world) { w.in.Server.Spec.Offline = true },
			want:   []string{"Offline TakenOffline"},
			out:    true,
		},
		"a person holds it": {
			change: func(w *world) { w.override(v1alpha1.ServerOffline, v1alpha1.OverrideHold) },
			want:   []string{"Offline Override"},
			out:    true,
		},
		"a person sends it through once": {
			change: func(w *world) { w.override(v1alpha1.ServerDeploying, v1alpha1.OverrideOnce) },
			want:   []string{"Deploying Override", "Ready Serving"},
		},
		"an override nobody gave": {change: func(w *world) {
			w.override(v1alpha1.ServerOffline, v1alpha1.OverrideHold)
			w.in.Server.Spec.Override.By = ""
		}, want: []string{"Ready Serving"}},
		"it is deleted": {
			change: func(w *world) { w.in.Server.DeletionTimestamp = &metav1.Time{Time: noon} },
			want:   []string{"Offline Deleting"},
			out:    true,
		},
		"its set is deleted, and nobody asked": {
			change: func(w *world) { w.in.Server.DeletionTimestamp = &metav1.Time{Time: noon}; w.in.SetDeleted = true },
			want:   []string{"Ready Serving"},
		},
		"packages change behind a gate": {
			gates:  []gatev1alpha1.GateStage{gatev1alpha1.StageEnvironment},
			change: func(w *world) { w.in.Environment = "e2" },
			want:   []string{"Ready Serving"},
		},
		"offline behind a gate": {
			gates:  []gatev1alpha1.GateStage{gatev1alpha1.StageOffline},
			change: func(w *world) { w.in.Server.Spec.Offline = true },
			want:   []string{"Ready Serving"},
		},
		"two things at once behind a gate": {gates: []gatev1alpha1.GateStage{gatev1alpha1.StageCode}, change: func(w *world) {
			w.in.Server.Spec.Release.Version = "2"
			w.fact(v1alpha1.ConditionHealthy, metav1.ConditionFalse)
		}, want: []string{"Deploying Unhealthy"}, out: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := serving(tc.gates...)
			w.in.Now = noon.Add(time.Hour)
			tc.change(w)
			if diff := cmp.Diff(tc.want, w.settle()); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
			if w.attached == tc.out {
				t.Errorf("attached %v", w.attached)
			}
			if len(tc.gates) > 0 && len(w.last.PendingApprovals) != 1 && !tc.out {
				t.Errorf("waiting: %+v, want one", w.last.PendingApprovals)
			}
		})
	}
}

// One approval opens a gate once, for one operation; a rejection gives the operation up.
func TestGates(t *testing.T) {
	w := serving(gatev1alpha1.StageEnvironment)
	w.in.Environment = "e2"
	w.settle()
	first := w.last.PendingApprovals[0]
	if !strings.Contains(first.Summary, "leaves its pools while packages change; the server is Ready") {
		t.Errorf("summary %q", first.Summary)
	}
	forged := gatev1alpha1.Approval{Gate: first.Gate, OperationID: first.OperationID, Decision: gatev1alpha1.Approve}
	byProgram := forged
	byProgram.By, byProgram.At = "system:serviceaccount:ci:robot", &metav1.Time{Time: noon}
	w.in.Server.Spec.Approvals = []gatev1alpha1.Approval{forged, byProgram}
	if way := w.settle(); !slices.Equal(way, []string{"Ready Serving"}) {
		t.Errorf("what nobody gave opens a gate: %v", way)
	}
	w.in.Server.Spec.Approvals = nil
	w.approve(gatev1alpha1.Approve)
	w.settle()
	if w.in.Server.Status.EnvironmentHash != "e2" || !w.attached {
		t.Errorf("approved, and the environment is %s, attached %v", w.in.Server.Status.EnvironmentHash, w.attached)
	}
	// There and back again: the old approval is of another operation.
	for _, next := range []string{"e1", "e2"} {
		w.in.Environment = next
		w.settle()
		if len(w.last.PendingApprovals) != 1 || w.last.PendingApprovals[0].OperationID == first.OperationID {
			t.Fatalf("waiting for %s: %+v, want a new operation", next, w.last.PendingApprovals)
		}
		w.approve(gatev1alpha1.Approve)
		w.settle()
	}
	w.in.Environment = "e3"
	w.settle()
	w.approve(gatev1alpha1.Reject)
	if way := w.settle(); !slices.Equal(way, []string{"Ready Serving"}) || len(w.last.PendingApprovals) != 0 || !w.attached {
		t.Errorf("rejected: %v, waiting %+v, attached %v", way, w.last.PendingApprovals, w.attached)
	}
}

func TestARejectedMachineIsNotMade(t *testing.T) {
	w := newWorld(gatev1alpha1.StageProvision)
	w.settle()
	w.approve(gatev1alpha1.Reject)
	w.settle()
	if w.in.Server.Status.Machine != nil || len(w.last.PendingApprovals) != 0 {
		t.Fatalf("machine %+v, waiting %+v", w.in.Server.Status.Machine, w.last.PendingApprovals)
	}
	if task := w.last.Tasks[0]; task.State != v1alpha1.TaskSkipped || task.Message != "rejected by ann: seen" {
		t.Errorf("task %+v", task)
	}
	w.in.Server.Spec.Approvals[0].Decision = gatev1alpha1.Approve
	w.settle()
	if w.in.Server.Status.Machine == nil {
		t.Error("its giver thought again, and no machine is made")
	}
}

// A task that failed for good stays so until a person changes something.
func TestABlockedTask(t *testing.T) {
	w := serving()
	w.broken[v1alpha1.TaskInstallPackages] = true
	w.in.Environment = "e2"
	w.settle()
	blocked := apimeta.FindStatusCondition(w.in.Server.Status.Conditions, v1alpha1.ConditionTaskBlocked)
	if w.last.Phase != v1alpha1.ServerInitializing || blocked.Status != metav1.ConditionTrue || !strings.Contains(blocked.Message, "exit 1") {
		t.Fatalf("%s, %+v", w.last.Phase, blocked)
	}
	sequence := w.last.Operation.Sequence
	delete(w.broken, v1alpha1.TaskInstallPackages)
	if w.settle(); w.last.Operation.Sequence != sequence {
		t.Error("nobody changed anything, and it began again")
	}
	w.in.Server.Generation++
	if w.settle(); w.last.Phase != v1alpha1.ServerReady || !w.attached {
		t.Errorf("after a change: %s, attached %v", w.last.Phase, w.attached)
	}
}

func TestFailoverBecomesDue(t *testing.T) {
	w := serving()
	w.fact(v1alpha1.ConditionReachable, metav1.ConditionFalse)
	w.settle()
	due := apimeta.IsStatusConditionTrue(w.last.Conditions, v1alpha1.ConditionFailoverDue)
	if due || !w.last.Wake.Equal(noon.Add(5*time.Minute)) {
		t.Fatalf("due %v, wake %v", due, w.last.Wake)
	}
	w.in.Now = noon.Add(5 * time.Minute)
	if w.settle(); !apimeta.IsStatusConditionTrue(w.last.Conditions, v1alpha1.ConditionFailoverDue) {
		t.Error("not due after its time")
	}
	// The prober saw nothing for a while: nobody is believed to be back for that.
	w.fact(v1alpha1.ConditionReachable, metav1.ConditionUnknown)
	w.in.Blind = true
	if w.settle(); w.last.Phase != v1alpha1.ServerUnknown {
		t.Errorf("%s while nothing is known", w.last.Phase)
	}
	w.in.Blind = false
	w.fact(v1alpha1.ConditionReachable, metav1.ConditionTrue)
	if way := w.settle(); !slices.Equal(way, []string{"Initializing Verifying", "Ready Serving"}) {
		t.Errorf("back: %v", way)
	}
}

// TestFailoverByAnyClock: whatever clock stamped the outage, nobody is due before the process that now leads watched for as long itself;
// what was due before it led stays so, unless a person gives more time.
func TestFailoverByAnyClock(t *testing.T) {
	const timeout = 5 * time.Minute
	for name, stamped := range map[string]time.Duration{
		"of a day behind": -24 * time.Hour, "of a minute behind": -time.Minute, "of now": 0, "of an hour ahead": time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			w := serving()
			w.in.Now = noon.Add(stamped)
			w.fact(v1alpha1.ConditionReachable, metav1.ConditionFalse)
			w.settle()
			isDue := func(at time.Time) bool {
				w.in.Now = at
				w.settle()
				return apimeta.IsStatusConditionTrue(w.last.Conditions, v1alpha1.ConditionFailoverDue)
			}
			w.in.Watched = noon // by the next leader, from its first look on
			for _, after := range []time.Duration{0, timeout - time.Second} {
				if isDue(noon.Add(after)) {
					t.Errorf("due %s after its first look", after)
				}
				if !w.last.Wake.Equal(noon.Add(timeout)) && stamped <= 0 {
					t.Errorf("it wakes at %s", w.last.Wake)
				}
			}
			due := noon.Add(max(stamped, 0) + timeout)
			if !isDue(due) {
				t.Error("not due after its time")
			}
			// A third one, which saw nothing yet.
			w.in.Watched = due.Add(time.Second)
			if !isDue(w.in.Watched) {
				t.Error("it was due, and is not because another leads")
			}
			w.in.UnknownTimeout = 48 * time.Hour
			if isDue(w.in.Now.Add(time.Second)) {
				t.Error("a person gave it more time, and it is due")
			}
		})
	}
}

// TestNobodyBecomesDueDistrusted: who does not answer while too many others do not either is not given up for it; who was due before stays
// so.
func TestNobodyBecomesDueDistrusted(t *testing.T) {
	const timeout = 5 * time.Minute
	w := serving()
	w.fact(v1alpha1.ConditionReachable, metav1.ConditionFalse)
	w.settle()
	for _, step := range []struct {
		distrusted bool
		after      time.Duration
		want       string
	}{
		{false, timeout - time.Second, "False NotUnknownForTooLong"},
		{true, timeout, "False ProberBlind"},
		{true, 2 * timeout, "False ProberBlind"},
		{false, 2 * timeout, "True UnknownForTooLong"},
		{true, 3 * timeout, "True UnknownForTooLong"},
	} {
		w.in.Distrusted, w.in.Now = step.distrusted, noon.Add(step.after)
		w.settle()
		c := apimeta.FindStatusCondition(w.last.Conditions, v1alpha1.ConditionFailoverDue)
		if have := string(c.Status) + " " + c.Reason; have != step.want {
			t.Errorf("after %s, distrusted %v: FailoverDue is %s, want %s", step.after, step.distrusted, have, step.want)
		}
	}
}

// TestAWebhooksAnswer opens the gate for its operation, and for no other.
func TestAWebhooksAnswer(t *testing.T) {
	w := newWorld()
	w.in.Server.Spec.Gates = []gatev1alpha1.Gate{{Name: "make", Stage: gatev1alpha1.StageProvision, Mode: gatev1alpha1.GateWebhook}}
	w.settle()
	if len(w.last.PendingApprovals) != 1 {
		t.Fatalf("nothing waits: %+v", w.last)
	}
	answer := gatev1alpha1.Approval{
		Gate: "make", OperationID: "op-of-another", Decision: gatev1alpha1.Approve, By: "the webhook of gate make", At: &metav1.Time{Time: noon},
	}
	w.in.Answers = []gatev1alpha1.Approval{answer}
	if w.settle(); len(w.last.PendingApprovals) != 1 {
		t.Fatal("an answer about another operation opened the gate")
	}
	w.in.Answers[0].OperationID = w.last.PendingApprovals[0].OperationID
	if w.settle(); len(w.last.PendingApprovals) != 0 {
		t.Errorf("it still waits: %+v", w.last.PendingApprovals)
	}
}
