package state

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate"
	"github.com/argosy-dev/argosy/internal/text"
)

// longestMessage that a task has room for.
const longestMessage = 1024

// Decide what follows from the facts.
func Decide(in Input) Output {
	f := read(in)
	var held *row
	for i := range rows {
		r := &rows[i]
		if !r.applies(f) {
			continue
		}
		p := f.pick(r)
		shut, waiting, rejection := f.gates(p)
		if r.waits && p.fresh && (shut || rejection != nil) {
			// Only the first: what is below may be about to change by it.
			if held == nil {
				held = r
			}
			continue
		}
		return f.output(p, append(f.behind(held, p), waiting...), rejection)
	}
	return Output{} // the last row applies to everything
}

// behind is what a row waits for whose gate is shut, once the operation that goes on meanwhile has its number.
func (f facts) behind(held *row, p picked) []gatev1alpha1.PendingApproval {
	if held == nil {
		return nil
	}
	status := *f.status
	status.Operation = p.op
	f.status = &status
	_, waiting, _ := f.gates(f.pick(held))
	return waiting
}

// picked is a row with its operation.
type picked struct {
	*row
	phase v1alpha1.ServerPhase
	kind  v1alpha1.OperationKind
	tasks []v1alpha1.TaskType
	op    *v1alpha1.Operation
	// fresh: the operation has not begun.
	fresh bool
}

func (f facts) pick(r *row) picked {
	p := picked{row: r, phase: r.phase, kind: r.kind, tasks: r.tasks}
	if f.override != nil && r.name == v1alpha1.ReasonOverride {
		p.phase, p.kind, p.tasks = v1alpha1.ServerPhase(f.override.State), overrideKind(f.override), forced[f.override.State]
	}
	if p.kind == "" {
		p.op = f.status.Operation
		return p
	}
	target := r.target(f)
	if f.is(p.kind, target) && !f.anew(r) {
		p.op = f.status.Operation
		return p
	}
	sequence := int64(1)
	if f.status.Operation != nil {
		sequence = f.status.Operation.Sequence + 1
	}
	p.fresh = true
	p.op = &v1alpha1.Operation{
		Sequence: sequence, Kind: p.kind, Target: target, StartedAt: &metav1.Time{Time: f.Now},
		ID: gate.OperationID(f.Server.UID, string(p.kind)+"/"+target, sequence),
	}
	return p
}

// anew says that the operation on record must begin once more: a person changed something after a task failed for good, or it ended
// and what it was for is not true.
func (f facts) anew(r *row) bool {
	if failed(f.status.Tasks) != nil {
		return f.Server.Generation != f.status.ObservedGeneration
	}
	return r.again && finished(f.status.Tasks)
}

// putAside says that a person rejected the operation: it is given up, and goes on only if that person thinks again.
func putAside(tasks []v1alpha1.Task) bool {
	return slices.ContainsFunc(tasks, func(t v1alpha1.Task) bool { return t.State == v1alpha1.TaskSkipped && t.Gate != "" })
}

func (f facts) approvals() []gatev1alpha1.Approval {
	return slices.Concat(f.spec.Approvals, f.Approvals, f.Answers)
}

// gatesOf are the names of the gates before a row's operation.
func (f facts) gatesOf(r *row) []string {
	if r.name == v1alpha1.ReasonDeleting {
		if f.SetDeleted && f.Removal == v1alpha1.RemovalApprove && f.asked() {
			return []string{gatev1alpha1.GateRemoval}
		}
		return nil
	}
	if r.stage == "" {
		return nil
	}
	var out []string
	for _, g := range f.spec.Gates {
		if g.Stage == r.stage {
			out = append(out, g.Name)
		}
	}
	return out
}

// gates says whether the operation may begin, what waits for whom, and who rejected it.
func (f facts) gates(p picked) (shut bool, waiting []gatev1alpha1.PendingApproval, rejection *gatev1alpha1.Approval) {
	if !p.fresh && (p.waits || !untouched(f.status.Tasks)) {
		return false, nil, nil // it has begun
	}
	for _, name := range f.gatesOf(p.row) {
		switch verdict, by := gate.Judge(f.approvals(), name, p.op.ID); verdict {
		case gate.Rejected:
			return true, nil, by
		case gate.Shut:
			shut = true
			waiting = append(waiting, f.waiting(name, p))
		}
	}
	return shut, waiting, nil
}

func (f facts) waiting(name string, p picked) gatev1alpha1.PendingApproval {
	out := gatev1alpha1.PendingApproval{Gate: name, OperationID: p.op.ID, Server: f.Server.Name, Since: &metav1.Time{Time: f.Now}}
	for _, before := range f.status.PendingApprovals {
		if before.Gate == name && before.OperationID == p.op.ID && before.Since != nil {
			out.Since = before.Since
		}
	}
	out.Summary = p.name + ": " + summaries[p.name]
	return out
}

// summaries are what an approval lets happen.
var summaries = map[string]string{
	v1alpha1.ReasonDeleting:            "leaves its pools, and its machine is removed",
	v1alpha1.ReasonTakenOffline:        "leaves its pools and is removed",
	v1alpha1.ReasonProvisioning:        "a machine is made",
	v1alpha1.ReasonEnvironmentChanging: "leaves its pools while packages change",
	v1alpha1.ReasonReleaseChanging:     "leaves its pools while the release changes",
	v1alpha1.ReasonServing:             "joins its pools",
}

// untouched says that no task was begun, or that all are put aside by a rejection.
func untouched(tasks []v1alpha1.Task) bool {
	return !slices.ContainsFunc(tasks, func(t v1alpha1.Task) bool {
		return t.State != v1alpha1.TaskPending && t.State != v1alpha1.TaskAwaitingApproval && t.State != v1alpha1.TaskSkipped || t.Attempts > 0
	})
}

// list is the operation's tasks: those on record, or new ones, with the gate the first stands at.
func (f facts) list(p picked, waiting []gatev1alpha1.PendingApproval, rejection *gatev1alpha1.Approval) []v1alpha1.Task {
	tasks := slices.Clone(f.status.Tasks)
	if p.kind == "" {
		return tasks
	}
	if p.fresh {
		tasks = nil
		for _, kind := range p.tasks {
			tasks = append(tasks,
				v1alpha1.Task{ID: fmt.Sprintf("%s-%d", kebab(string(kind)), p.op.Sequence), Type: kind, State: v1alpha1.TaskPending})
		}
		f.skip(tasks, p)
	} else if !untouched(tasks) {
		return tasks
	}
	own := slices.IndexFunc(waiting, func(w gatev1alpha1.PendingApproval) bool { return w.OperationID == p.op.ID })
	for i := range tasks {
		t := &tasks[i]
		switch {
		case rejection != nil:
			t.State, t.Gate, t.OperationID = v1alpha1.TaskSkipped, rejection.Gate, p.op.ID
			t.Message = text.Cut(fmt.Sprintf("rejected by %s: %s", rejection.By, rejection.Reason), longestMessage)
		case t.State == v1alpha1.TaskSkipped && t.Gate == "":
		case own >= 0:
			t.State, t.Gate, t.OperationID, t.Message = v1alpha1.TaskAwaitingApproval, waiting[own].Gate, p.op.ID, ""
			own = -1
		default:
			t.State, t.Gate, t.OperationID, t.Message = v1alpha1.TaskPending, "", "", ""
		}
	}
	return tasks
}

// skip puts aside what a person said to leave, and what the removal policy keeps. On a server that is deleted an override counts for
// nothing else.
func (f facts) skip(tasks []v1alpha1.Task, p picked) {
	var left []v1alpha1.TaskType
	why := "skipped by spec.override"
	deleting := p.name == v1alpha1.ReasonDeleting
	if f.override != nil && (deleting || p.name == v1alpha1.ReasonOverride) {
		left = f.override.SkipTasks
	}
	for i := range tasks {
		kept := deleting && f.SetDeleted && f.Removal == v1alpha1.RemovalKeep && tasks[i].Type == v1alpha1.TaskDeleteMachine
		if kept {
			why = "kept by removalPolicy Keep"
		}
		if kept || slices.Contains(left, tasks[i].Type) {
			tasks[i].State, tasks[i].Message = v1alpha1.TaskSkipped, why
		}
	}
}

// kebab turns AttachMonitor into attach-monitor.
func kebab(name string) string {
	var out strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			out.WriteByte('-')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}
