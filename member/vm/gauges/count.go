package gauges

import (
	"cmp"
	"slices"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/facts"
)

// Reasons for which an operation does not go on.
const (
	// ForApproval waits for a person at a gate.
	ForApproval = "Approval"
	// ForMending has a task that failed for good.
	ForMending = "Blocked"
	// ForRetry has a task that failed, and is tried again.
	ForRetry = "Retry"
)

type phaseOf struct{ phase, driver string }

type waitsFor struct{ kind, reason string }

// numbers are what the gauges say.
type numbers struct {
	servers map[phaseOf]int
	blocked map[string]int
	waiting map[waitsFor]int
	pending map[string]int
	oldest  time.Duration
	// longest is for how long, by kind, the operation has gone on that has gone on longest.
	longest map[string]time.Duration
	// stopped sets fail nobody over, and blind ones have servers whose verdicts are not trusted.
	stopped, blind int
}

// count what the objects say at a time.
func count(sets []v1alpha1.VMReplicaSet, deployments []v1alpha1.VMDeployment, servers []v1alpha1.Server, now time.Time) numbers {
	out := numbers{servers: map[phaseOf]int{}, blocked: map[string]int{}, waiting: map[waitsFor]int{}, pending: map[string]int{}}
	out.longest = map[string]time.Duration{}
	told, blind := map[[2]string]bool{}, map[[2]string]bool{}
	pend := func(pending []gatev1alpha1.PendingApproval, gates []gatev1alpha1.Gate) {
		for _, p := range pending {
			// What a server waits for stands in its set's status too.
			if at := [2]string{p.Gate, p.OperationID}; !told[at] {
				told[at] = true
				out.pending[stage(p.Gate, gates)]++
				if p.Since != nil {
					out.oldest = max(out.oldest, now.Sub(p.Since.Time))
				}
			}
		}
	}
	for i := range servers {
		s := &servers[i]
		out.servers[phaseOf{cmp.Or(string(s.Status.Phase), "New"), s.Spec.Machine.Driver}]++
		pend(s.Status.PendingApprovals, s.Spec.Gates)
		if slices.ContainsFunc(s.Status.Conditions, func(c metav1.Condition) bool { return c.Reason == v1alpha1.ReasonProberBlind }) {
			blind[[2]string{s.Namespace, s.Labels[v1alpha1.LabelSet]}] = true
		}
		for _, t := range s.Status.Tasks {
			if t.State == v1alpha1.TaskFailed {
				out.blocked[string(t.Type)]++
			}
		}
		if reason := waits(s); s.Status.Operation != nil && reason != "" {
			out.waiting[waitsFor{string(s.Status.Operation.Kind), reason}]++
		}
		if goesOn(s) {
			kind := string(s.Status.Operation.Kind)
			out.longest[kind] = max(out.longest[kind], now.Sub(s.Status.Operation.StartedAt.Time))
		}
	}
	for i := range sets {
		pend(sets[i].Status.PendingApprovals, sets[i].Spec.Gates)
		if apimeta.IsStatusConditionFalse(sets[i].Status.Conditions, v1alpha1.ConditionRemediationAllowed) {
			out.stopped++
		}
	}
	for i := range deployments {
		pend(deployments[i].Status.PendingApprovals, deployments[i].Spec.Gates)
	}
	out.blind = len(blind)
	return out
}

// waits says why a server's operation does not go on; empty: it does.
func waits(s *v1alpha1.Server) string {
	reason := ""
	for _, t := range s.Status.Tasks {
		switch {
		case t.State == v1alpha1.TaskFailed:
			return ForMending
		case t.State == v1alpha1.TaskRunning && t.Message != "":
			reason = ForRetry
		}
	}
	if len(s.Status.PendingApprovals) > 0 {
		return ForApproval
	}
	return reason
}

// goesOn says that an operation is under way, and that nobody is waited for. That of an unreachable server ends when it answers, and who
// waits for its health check is sick, which is told elsewhere.
func goesOn(s *v1alpha1.Server) bool {
	op := s.Status.Operation
	if op == nil || op.StartedAt == nil || op.Kind == v1alpha1.OperationFailover || s.Spec.Paused || facts.Done(s.Status.Tasks) {
		return false
	}
	if next := facts.Next(s.Status.Tasks); next >= 0 && s.Status.Tasks[next].Type == v1alpha1.TaskCheckHealth {
		return false
	}
	rejected := func(t v1alpha1.Task) bool { return t.State == v1alpha1.TaskSkipped && t.Gate != "" }
	return (waits(s) == "" || waits(s) == ForRetry) && !slices.ContainsFunc(s.Status.Tasks, rejected)
}

// stage of a gate: names are people's, and would be labels without bound.
func stage(name string, gates []gatev1alpha1.Gate) string {
	for _, g := range gates {
		if g.Name == name {
			return string(g.Stage)
		}
	}
	switch name {
	case gatev1alpha1.GateRemoval:
		return "Removal"
	case gatev1alpha1.GateBatch:
		return "Batch"
	}
	return string(gatev1alpha1.StageFailover) // the gate of policy Manual
}
