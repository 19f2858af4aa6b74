package state

import (
	"fmt"
	"slices"
	"strings"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

func (f facts) output(p picked, pending []gatev1alpha1.PendingApproval, rejection *gatev1alpha1.Approval) Output {
	out := Output{
		Row: p.name, Phase: p.phase, DecidedBy: v1alpha1.DecidedBySystem, Operation: p.op,
		Tasks: f.list(p, pending, rejection), OverrideApplied: f.applied, PendingApprovals: pending,
		Outside: f.outside(),
	}
	for i := range out.PendingApprovals {
		out.PendingApprovals[i].Summary += fmt.Sprintf("; the server is %s, healthy %s", p.phase, f.condition(v1alpha1.ConditionHealthy))
	}
	if p.name == v1alpha1.ReasonOverride {
		out.DecidedBy = v1alpha1.DecidedByHuman
	}
	if o := f.override; o != nil && o.ExpiresAt != nil {
		out.Wake = o.ExpiresAt.Time
	}
	due := f.due(p, &out)
	conditions := slices.Clone(f.status.Conditions)
	for _, c := range []metav1.Condition{awaiting(pending), due, f.paused()} {
		c.LastTransitionTime = metav1.NewTime(f.Now)
		c.ObservedGeneration = f.Server.Generation
		apimeta.SetStatusCondition(&conditions, c)
		out.Conditions = append(out.Conditions, *apimeta.FindStatusCondition(conditions, c.Type))
	}
	return out
}

// OfTasks are Ready and TaskBlocked, without their times. They follow from how far the tasks are, and a look does tasks between its
// decision and its write: else Ready says "task attach-monitor-4 is Pending" beside that task's success, until the next look.
func (out Output) OfTasks(tasks []v1alpha1.Task) []metav1.Condition {
	out.Tasks = tasks
	return []metav1.Condition{ready(out), blocked(tasks)}
}

// ready is True of a server whose way into its pools ended: attached, or left out by a person who forced the state.
func ready(out Output) metav1.Condition {
	attached := slices.ContainsFunc(out.Tasks, func(t v1alpha1.Task) bool {
		return t.Type == v1alpha1.TaskAttachLoadBalancer && t.State == v1alpha1.TaskSucceeded
	})
	if out.Phase == v1alpha1.ServerReady && finished(out.Tasks) && (attached || out.DecidedBy == v1alpha1.DecidedByHuman) {
		return condition(v1alpha1.ConditionReady, true, out.Row, "the server serves"+out.Outside)
	}
	message := "the server is " + string(out.Phase)
	for _, t := range out.Tasks {
		if t.State != v1alpha1.TaskSucceeded && t.State != v1alpha1.TaskSkipped {
			message += fmt.Sprintf(": task %s is %s", t.ID, t.State)
			break
		}
	}
	return condition(v1alpha1.ConditionReady, false, out.Row, message)
}

// outside names the pools that a server which serves is not in: they lost it since, or are not there any more. It stays Ready, for it may
// serve through others, and who is not Ready is changed without regard to who is away already.
func (f facts) outside() string {
	var out []string
	for _, lb := range f.spec.LoadBalancers {
		for _, is := range f.status.LoadBalancers {
			if is.Name == lb.Name && is.Driver == lb.Driver && is.Pool == lb.Pool && is.State != v1alpha1.Attached {
				out = append(out, fmt.Sprintf("%s (%s) is %s", lb.Name, lb.Pool, is.State))
			}
		}
	}
	if len(out) == 0 {
		return ""
	}
	return ", and is not in all of its pools: " + strings.Join(out, ", ")
}

func awaiting(pending []gatev1alpha1.PendingApproval) metav1.Condition {
	if len(pending) == 0 {
		return condition(v1alpha1.ConditionAwaitingApproval, false, v1alpha1.ReasonNoGateWaiting, "no gate waits")
	}
	var names []string
	for _, p := range pending {
		names = append(names, fmt.Sprintf("%s for %s", p.Gate, p.OperationID))
	}
	return condition(v1alpha1.ConditionAwaitingApproval, true, v1alpha1.ReasonGateWaiting, "waits at "+strings.Join(names, ", "))
}

// blocked says whether one of the tasks failed for good.
func blocked(tasks []v1alpha1.Task) metav1.Condition {
	t := failed(tasks)
	if t == nil {
		return condition(v1alpha1.ConditionTaskBlocked, false, v1alpha1.ReasonNoTaskFailed, "no task failed for good")
	}
	return condition(v1alpha1.ConditionTaskBlocked, true, v1alpha1.ReasonTaskFailed,
		fmt.Sprintf("task %s failed for good: %s", t.ID, t.Message))
}

// due says whether the server was Unknown for so long that its set may give it up.
func (f facts) due(p picked, out *Output) metav1.Condition {
	if p.name != v1alpha1.ReasonUnreachable || p.op.StartedAt == nil {
		return condition(v1alpha1.ConditionFailoverDue, false, v1alpha1.ReasonNotUnknownForTooLong, "the server is "+string(p.phase))
	}
	if f.Distrusted && !f.wasDue(p.op) {
		return condition(v1alpha1.ConditionFailoverDue, false, v1alpha1.ReasonProberBlind,
			"too many others of its set do not answer either, or did not a moment ago: the fault is likely elsewhere")
	}
	// Another clock may have written the time: one that lies ahead counts as now.
	since := p.op.StartedAt.Time
	if since.After(f.Now) {
		since = f.Now
	}
	// One from a clock that was behind looks old at once: it is watched for as long by this process too. What was due stays so meanwhile.
	from, says := since, "unreachable since "+since.UTC().Format(time.RFC3339)
	if f.Watched.After(since) && !f.wasDue(p.op) {
		from = f.Watched
	}
	if at := from.Add(f.UnknownTimeout); f.Now.Before(at) {
		if out.Wake.IsZero() || at.Before(out.Wake) {
			out.Wake = at
		}
		if from.Sub(since) >= time.Second {
			says += ", watched by this leader since " + from.UTC().Format(time.RFC3339)
		}
		return condition(v1alpha1.ConditionFailoverDue, false, v1alpha1.ReasonNotUnknownForTooLong, says)
	}
	return condition(v1alpha1.ConditionFailoverDue, true, v1alpha1.ReasonUnknownForTooLong, says)
}

// wasDue says whether a process that watched for long enough found so, of this outage.
func (f facts) wasDue(op *v1alpha1.Operation) bool {
	return f.status.Operation != nil && f.status.Operation.ID == op.ID && f.condition(v1alpha1.ConditionFailoverDue) == metav1.ConditionTrue
}

func (f facts) paused() metav1.Condition {
	if f.spec.Paused {
		return condition(v1alpha1.ConditionPaused, true, v1alpha1.ReasonPaused, "spec.paused starts no further task")
	}
	return condition(v1alpha1.ConditionPaused, false, v1alpha1.ReasonResumed, "tasks are started")
}

func condition(kind string, holds bool, reason, message string) metav1.Condition {
	status := metav1.ConditionFalse
	if holds {
		status = metav1.ConditionTrue
	}
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
}
