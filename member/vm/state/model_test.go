package state

import (
	"slices"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/code"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// world is a server with honest drivers: what a task does comes true.
type world struct {
	in Input
	// installed is what is really on the machine, and attached whether it is really in its pools.
	installed string
	attached  bool
	// broken tasks fail for good.
	broken map[v1alpha1.TaskType]bool
	last   Output
}

func newWorld(gates ...gatev1alpha1.GateStage) *world {
	server := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Name: "payments-1", UID: types.UID("uid-1"), Generation: 1}}
	server.Spec.Release = &v1alpha1.Release{Version: "1"}
	server.Spec.HealthCheck = &v1alpha1.HealthCheck{TCPSocket: &v1alpha1.TCPSocketCheck{Port: 80}}
	for _, stage := range gates {
		server.Spec.Gates = append(server.Spec.Gates, gatev1alpha1.Gate{Name: kebab(string(stage)), Stage: stage})
	}
	return &world{
		in:     Input{Server: server, Environment: "e1", UnknownTimeout: 5 * time.Minute, Now: noon, Removal: v1alpha1.RemovalApprove},
		broken: map[v1alpha1.TaskType]bool{},
	}
}

// decide, and keep what was decided as the API server would.
func (w *world) decide() Output {
	out := Decide(w.in)
	s := &w.in.Server.Status
	s.Phase, s.DecidedBy, s.Operation, s.Tasks = out.Phase, out.DecidedBy, out.Operation, out.Tasks
	s.OverrideApplied, s.PendingApprovals, s.ObservedGeneration = out.OverrideApplied, out.PendingApprovals, w.in.Server.Generation
	for _, c := range slices.Concat(out.Conditions, out.OfTasks(out.Tasks)) {
		apimeta.SetStatusCondition(&s.Conditions, c)
	}
	w.last = out
	return out
}

// work does the first task that may be done, and says whether there was one.
func (w *world) work() bool {
	s := &w.in.Server.Status
	for i := range s.Tasks {
		t := &s.Tasks[i]
		switch t.State {
		case v1alpha1.TaskSucceeded, v1alpha1.TaskSkipped:
			continue
		case v1alpha1.TaskAwaitingApproval, v1alpha1.TaskFailed:
			return false
		}
		t.Attempts++
		if w.broken[t.Type] {
			t.State, t.Message = v1alpha1.TaskFailed, "exit 1"
			return true
		}
		if !w.effect(t.Type) {
			t.State = v1alpha1.TaskRunning
			return false
		}
		t.State = v1alpha1.TaskSucceeded
		return true
	}
	return false
}

// effect makes true what a task is for; false: not yet.
func (w *world) effect(kind v1alpha1.TaskType) bool {
	s := &w.in.Server.Status
	switch kind {
	case v1alpha1.TaskCreateMachine:
		if s.Machine == nil || s.Machine.State == v1alpha1.MachineAbsent {
			s.Machine = &v1alpha1.MachineStatus{State: v1alpha1.MachineRunning, BootID: "b1"}
		}
		w.fact(v1alpha1.ConditionReachable, metav1.ConditionTrue)
	case v1alpha1.TaskInstallPackages:
		w.installed = w.in.Environment
	case v1alpha1.TaskVerifyEnvironment:
		if w.installed == "" {
			w.installed = "nothing"
		}
		s.EnvironmentHash = w.installed
	case v1alpha1.TaskDeployCode:
		if w.in.Server.Spec.Release != nil {
			s.Release = code.Deployed(*w.in.Server.Spec.Release)
		}
	case v1alpha1.TaskCheckHealth:
		return apimeta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionHealthy)
	case v1alpha1.TaskAttachLoadBalancer:
		if s.Machine == nil {
			return false // whatever a person says
		}
		w.attached = true
	case v1alpha1.TaskDetachLoadBalancer:
		w.attached = false
	}
	return true
}

func (w *world) fact(kind string, status metav1.ConditionStatus) {
	apimeta.SetStatusCondition(&w.in.Server.Status.Conditions, metav1.Condition{Type: kind, Status: status, Reason: "Seen"})
}

func (w *world) approve(decision gatev1alpha1.ApprovalDecision) {
	for _, p := range w.last.PendingApprovals {
		w.in.Server.Spec.Approvals = append(w.in.Server.Spec.Approvals, gatev1alpha1.Approval{
			Gate: p.Gate, OperationID: p.OperationID, Decision: decision, By: "ann", At: &metav1.Time{Time: w.in.Now}, Reason: "seen",
		})
		w.in.Server.Generation++
	}
}

// settle decides and works until nothing moves; it gives the phases on the way.
func (w *world) settle() []string {
	var way []string
	for range 100 {
		out := w.decide()
		if line := string(out.Phase) + " " + out.Row; len(way) == 0 || way[len(way)-1] != line {
			way = append(way, line)
		}
		if !w.work() {
			again := w.decide()
			if again.Row == out.Row {
				return way
			}
		}
	}
	return append(way, "never settles")
}

func (w *world) override(state v1alpha1.ServerPhase, mode v1alpha1.OverrideMode, skip ...v1alpha1.TaskType) {
	w.in.Server.Spec.Override = &v1alpha1.Override{
		State: v1alpha1.OverrideState(state), Mode: mode, Reason: "seen", By: "ann", At: &metav1.Time{Time: w.in.Now}, SkipTasks: skip,
	}
	w.in.Server.Generation++
}

// serving is a server that went all the way.
func serving(gates ...gatev1alpha1.GateStage) *world {
	w := newWorld(gates...)
	w.fact(v1alpha1.ConditionHealthy, metav1.ConditionTrue)
	for range 10 {
		w.settle()
		w.approve(gatev1alpha1.Approve)
	}
	return w
}
