package state

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

var stages = []gatev1alpha1.GateStage{
	gatev1alpha1.StageProvision, gatev1alpha1.StageEnvironment, gatev1alpha1.StageCode, gatev1alpha1.StageOnline, gatev1alpha1.StageOffline,
}

// happen is one thing that happens to a server.
func (w *world) happen(t *rapid.T) {
	status := rapid.SampledFrom([]metav1.ConditionStatus{metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown})
	server := w.in.Server
	switch rapid.IntRange(0, 17).Draw(t, "event") {
	case 0, 1, 2, 3, 4:
		if !server.Spec.Paused {
			w.work()
		}
	case 5:
		w.fact(v1alpha1.ConditionReachable, status.Draw(t, "reachable"))
	case 6:
		w.fact(v1alpha1.ConditionHealthy, status.Draw(t, "healthy"))
	case 7:
		w.fact(v1alpha1.ConditionMonitoringNormal, status.Draw(t, "normal"))
	case 8:
		w.in.Environment = rapid.SampledFrom([]string{"e1", "e2"}).Draw(t, "environment")
	case 9:
		server.Spec.Release = rapid.SampledFrom([]*v1alpha1.Release{nil, {Version: "1"}, {Version: "2"}}).Draw(t, "release")
		server.Generation++
	case 10, 11:
		w.approve(rapid.SampledFrom([]gatev1alpha1.ApprovalDecision{
			gatev1alpha1.Approve,
			gatev1alpha1.Approve,
			gatev1alpha1.Reject,
		}).Draw(t, "decision"))
	case 12:
		w.in.Blind = !w.in.Blind
	case 13:
		if server.Status.Machine != nil {
			server.Status.Machine.BootID += "x"
			server.Status.EnvironmentHash = ""
		}
	case 14:
		w.in.Now = w.in.Now.Add(time.Duration(rapid.IntRange(-30, 600).Draw(t, "seconds")) * time.Second)
	case 15:
		w.override(rapid.SampledFrom([]v1alpha1.ServerPhase{
			v1alpha1.ServerInitializing,
			v1alpha1.ServerDeploying,
			v1alpha1.ServerReady,
			v1alpha1.ServerOffline,
		}).Draw(t, "state"),
			rapid.SampledFrom([]v1alpha1.OverrideMode{v1alpha1.OverrideHold, v1alpha1.OverrideOnce}).Draw(t, "mode"))
	case 16:
		server.Spec.Override = nil
		server.Generation++
	case 17:
		kind := rapid.SampledFrom([]v1alpha1.TaskType{
			v1alpha1.TaskInstallPackages,
			v1alpha1.TaskDeployCode,
			v1alpha1.TaskCreateMachine,
		}).Draw(t, "broken")
		w.broken[kind] = !w.broken[kind]
	}
}

func draw(t *rapid.T) *world {
	return newWorld(rapid.SliceOfNDistinct(rapid.SampledFrom(stages), 0, len(stages), rapid.ID).Draw(t, "gates")...)
}

// Whatever happens, in whatever order: asked twice it says the same; sequences only rise, and one number is one operation; a person is
// above the system; who is not Ready is on the way out of its pools; no gate opens by itself.
func TestWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := draw(t)
		before := v1alpha1.Operation{}
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			w.happen(t)
			gone := w.in.Server.Status.Phase == v1alpha1.ServerOffline && w.in.Server.Status.DecidedBy == v1alpha1.DecidedBySystem
			out := w.decide()
			if diff := cmp.Diff(out, Decide(w.in)); diff != "" {
				t.Fatalf("asked twice (-once +twice)\n%s", diff)
			}
			if op := out.Operation; op != nil {
				if op.Sequence < before.Sequence || op.Sequence == before.Sequence && (op.ID != before.ID || op.Kind != before.Kind) {
					t.Fatalf("operation %+v follows %+v", op, before)
				}
				before = *op
			}
			w.judge(t, out, gone)
		}
	})
}

func (w *world) judge(t *rapid.T, out Output, gone bool) {
	o := w.in.Server.Spec.Override
	live := o != nil && o.Mode == v1alpha1.OverrideHold
	if live && (string(out.Phase) != string(o.State) || out.DecidedBy != v1alpha1.DecidedByHuman) {
		t.Fatalf("a person said %s, the system %s", o.State, out.Phase)
	}
	if gone && o == nil && out.Phase != v1alpha1.ServerOffline {
		t.Fatalf("what was offline is %s", out.Phase)
	}
	detaching, attaching := false, false
	for _, task := range out.Tasks {
		detaching = detaching || task.Type == v1alpha1.TaskDetachLoadBalancer && task.State != v1alpha1.TaskSkipped
		attaching = attaching || task.Type == v1alpha1.TaskAttachLoadBalancer
	}
	if attaching && out.Phase != v1alpha1.ServerReady {
		t.Fatalf("%s, and it joins its pools: %+v", out.Phase, out.Tasks)
	}
	if w.attached && out.Phase != v1alpha1.ServerReady && !detaching {
		t.Fatalf("%s (%s), attached, and nothing takes it out: %+v", out.Phase, out.Row, out.Tasks)
	}
	// Every begun operation that has a gate was approved by name.
	if op := out.Operation; op != nil && out.DecidedBy == v1alpha1.DecidedBySystem && begun(out.Tasks) {
		for _, g := range w.in.Server.Spec.Gates {
			if stageOf(out) == g.Stage && !w.approved(g.Name, op.ID) {
				t.Fatalf("%s began at gate %s without an approval of %s", out.Row, g.Name, op.ID)
			}
		}
	}
}

func begun(tasks []v1alpha1.Task) bool {
	for _, task := range tasks {
		if task.Attempts > 0 {
			return true
		}
	}
	return false
}

// stageOf is the stage of the row that began the operation, where the row still decides.
func stageOf(out Output) gatev1alpha1.GateStage {
	for _, r := range rows {
		if r.name == out.Row && r.kind == out.Operation.Kind {
			return r.stage
		}
	}
	return ""
}

func (w *world) approved(name, operation string) bool {
	for _, a := range w.in.Server.Spec.Approvals {
		if a.Gate == name && a.OperationID == operation && a.Decision == gatev1alpha1.Approve {
			return true
		}
	}
	return false
}

// Whatever happened: when it is over, drivers are honest and a person approves what waits, the server serves.
func TestEverythingEndsWell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := draw(t)
		for range rapid.IntRange(0, 40).Draw(t, "events") {
			w.happen(t)
			w.decide()
		}
		server := w.in.Server
		server.Spec.Override, w.in.Blind, w.broken = nil, false, map[v1alpha1.TaskType]bool{}
		server.Spec.Release = &v1alpha1.Release{Version: "9"}
		server.Generation++
		for _, kind := range []string{v1alpha1.ConditionHealthy, v1alpha1.ConditionReachable, v1alpha1.ConditionMonitoringNormal} {
			w.fact(kind, metav1.ConditionTrue)
		}
		// What was rejected stays so until its giver thinks again.
		for i := range server.Spec.Approvals {
			server.Spec.Approvals[i].Decision = gatev1alpha1.Approve
		}
		var ways []string
		for range 12 {
			ways = append(ways, fmt.Sprint(w.settle()))
			w.approve(gatev1alpha1.Approve)
		}
		asked := server.Status.Release != nil && server.Status.Release.Version == "9"
		if !w.attached || w.last.Phase != v1alpha1.ServerReady || !asked || server.Status.EnvironmentHash != w.in.Environment {
			t.Fatalf("%s, attached %v, release %+v, waiting %+v, tasks %+v\n%v", w.last.Phase, w.attached, server.Status.Release,
				w.last.PendingApprovals, w.last.Tasks, ways)
		}
	})
}

// While the prober is blind nobody leaves its pools for what it says.
func TestABlindProberTakesNobodyOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := serving()
		w.in.Blind = true
		for range rapid.IntRange(1, 20).Draw(t, "events") {
			kind := rapid.SampledFrom([]string{v1alpha1.ConditionHealthy, v1alpha1.ConditionReachable}).Draw(t, "fact")
			w.fact(kind,
				rapid.SampledFrom([]metav1.ConditionStatus{metav1.ConditionFalse, metav1.ConditionUnknown, metav1.ConditionTrue}).Draw(t, "status"))
			w.settle()
			if !w.attached || !apimeta.IsStatusConditionTrue(w.in.Server.Status.Conditions, v1alpha1.ConditionReady) {
				t.Fatalf("out of its pools: %s %s", w.last.Phase, w.last.Row)
			}
		}
	})
}
