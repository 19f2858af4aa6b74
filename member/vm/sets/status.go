package sets

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/fleet"
)

// writeStatus before anything that it is the record of.
func (r *Reconciler) writeStatus(ctx context.Context, w *work) error {
	status := w.status()
	if equality.Semantic.DeepEqual(w.set.Status, status) {
		return nil
	}
	before := w.set.Status.Conditions
	changed := w.set.DeepCopy()
	changed.Status = status
	if err := r.writer.Status().Patch(ctx, changed, client.MergeFromWithOptions(w.set, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("writing status of VMReplicaSet: %w", err)
	}
	w.set.ResourceVersion = changed.ResourceVersion
	r.tell(w.set, before, status.Conditions)
	return nil
}

// status is what is seen of the Servers, and the numbers that the plan needs on record.
func (w *work) status() v1alpha1.VMReplicaSetStatus {
	out := *w.set.Status.DeepCopy()
	out.ObservedGeneration = w.set.Generation
	out.Abandoned, out.LastSlot, out.UnmadeSlots = w.plan.Abandoned, w.plan.LastSlot, w.plan.Unmade
	out.AbandonedReplicas, out.HeldReplicas = fleet.AbandonedReplicas(w.in), fleet.Held(w.in)
	out.Replicas, out.UpdatedReplicas, out.ReadyReplicas, out.AvailableReplicas = 0, 0, 0, 0
	out.InitializingReplicas, out.DeployingReplicas, out.UnknownReplicas, out.OfflineReplicas = 0, 0, 0, 0
	for _, m := range w.in.Servers {
		w.count(&out, m)
	}
	kept := ptr.Deref(w.set.Spec.Replicas, 1) - out.AbandonedReplicas
	out.ExpectedUpdatedReplicas = max(0, kept-partition(w.set, int(kept)))
	out.UpdateRevision = w.in.Revision
	if out.UpdatedReplicas == out.Replicas || out.CurrentRevision == "" {
		out.CurrentRevision = w.in.Revision
	}
	if selector, err := metav1.LabelSelectorAsSelector(selector(w.set)); err == nil {
		out.Selector = selector.String()
	}
	out.PendingApprovals = w.pending()
	for _, c := range w.conditions(out, kept) {
		c.ObservedGeneration, c.LastTransitionTime = w.set.Generation, metav1.NewTime(w.now)
		apimeta.SetStatusCondition(&out.Conditions, c)
	}
	return out
}

func (w *work) count(out *v1alpha1.VMReplicaSetStatus, m fleet.Member) {
	// One that is to go and waits at a gate goes on as it is, and counts so.
	if m.Status.Phase == v1alpha1.ServerOffline {
		out.OfflineReplicas++
		return
	}
	out.Replicas++
	if m.Revision == w.in.Revision && m.Current {
		out.UpdatedReplicas++
	}
	switch m.Status.Phase {
	case v1alpha1.ServerDeploying:
		out.DeployingReplicas++
	case v1alpha1.ServerUnknown:
		out.UnknownReplicas++
	case v1alpha1.ServerReady:
		ready := apimeta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Status != metav1.ConditionTrue {
			return
		}
		out.ReadyReplicas++
		since := ready.LastTransitionTime.Add(time.Duration(w.set.Spec.MinReadySeconds) * time.Second)
		if w.now.Before(since) {
			if w.plan.Wake.IsZero() || since.Before(w.plan.Wake) {
				w.plan.Wake = since
			}
			return
		}
		out.AvailableReplicas++
	default:
		out.InitializingReplicas++
	}
}

func partition(set *v1alpha1.VMReplicaSet, kept int) int32 {
	n, err := intstr.GetScaledValueFromIntOrPercent(cmp.Or(set.Spec.UpdateStrategy.Partition, ptr.To(intstr.FromInt32(0))), kept, true)
	if err != nil {
		return 0 // the schema admits numbers and percentages only
	}
	return int32(min(n, kept))
}

func selector(set *v1alpha1.VMReplicaSet) *metav1.LabelSelector {
	out := &metav1.LabelSelector{MatchExpressions: set.Spec.Selector.MatchExpressions, MatchLabels: map[string]string{}}
	for key, value := range set.Spec.Selector.MatchLabels {
		out.MatchLabels[key] = string(value)
	}
	return out
}

// pending approvals of the set and of its servers, oldest first.
func (w *work) pending() []gatev1alpha1.PendingApproval {
	out := slices.Concat(w.removal.pending, w.plan.PendingApprovals)
	for _, m := range w.in.Servers {
		out = append(out, m.Status.PendingApprovals...)
	}
	slices.SortStableFunc(out, func(a, b gatev1alpha1.PendingApproval) int {
		if a.Since == nil || b.Since == nil {
			return cmp.Compare(a.OperationID, b.OperationID)
		}
		return cmp.Or(a.Since.Compare(b.Since.Time), cmp.Compare(a.OperationID, b.OperationID))
	})
	return out[:min(len(out), gatev1alpha1.MaxPendingApprovals)]
}

func is(kind string, holds bool, reasons [2]string, message string) metav1.Condition {
	if holds {
		return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: reasons[0], Message: message}
	}
	return metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reasons[1], Message: message}
}

func (w *work) conditions(s v1alpha1.VMReplicaSetStatus, kept int32) []metav1.Condition {
	unavailable, err := intstr.GetScaledValueFromIntOrPercent(
		cmp.Or(w.set.Spec.UpdateStrategy.MaxUnavailable, ptr.To(intstr.FromInt32(1))), int(kept), false)
	if err != nil {
		unavailable = 1 // the schema admits numbers and percentages only
	}
	needed := max(min(1, kept), kept-int32(unavailable))
	moving := s.Replicas != kept || s.UpdatedReplicas < s.ExpectedUpdatedReplicas || s.OfflineReplicas > 0 || s.InitializingReplicas > 0
	progressing := is(v1alpha1.ConditionProgressing, moving, [2]string{v1alpha1.ReasonRollingOut, v1alpha1.ReasonRolloutComplete},
		fmt.Sprintf("%d of %d servers, %d of them being made, %d leave", s.Replicas, kept, s.InitializingReplicas, s.OfflineReplicas))
	if w.set.DeletionTimestamp != nil {
		progressing.Status, progressing.Reason = metav1.ConditionTrue, v1alpha1.ReasonRemoving
	}
	return []metav1.Condition{
		is(v1alpha1.ConditionAvailable, s.AvailableReplicas >= needed,
			[2]string{v1alpha1.ReasonMinimumServersAvailable, v1alpha1.ReasonMinimumServersUnavailable},
			fmt.Sprintf("%d of %d servers serve, and %d must", s.AvailableReplicas, kept, needed)),
		progressing, w.failure(), w.plan.Remediation,
		is(v1alpha1.ConditionAwaitingApproval, len(s.PendingApprovals) > 0,
			[2]string{v1alpha1.ReasonGateWaiting, v1alpha1.ReasonNoGateWaiting},
			waits(len(s.PendingApprovals))),
		is(v1alpha1.ConditionMachineChangeHeld, s.HeldReplicas > 0, [2]string{v1alpha1.ReasonOlderMachines, v1alpha1.ReasonMachinesAsAsked},
			held(s.HeldReplicas)),
		w.paused(),
	}
}

func held(servers int32) string {
	switch servers {
	case 0:
		return "no server keeps a machine of an older template"
	case 1:
		return "one server keeps a machine of an older template"
	}
	return fmt.Sprintf("%d servers keep a machine of an older template", servers)
}

func (w *work) paused() metav1.Condition {
	message := "spec.paused holds nothing"
	if w.set.Spec.Paused {
		message = "spec.paused: no server is made, changed or taken away, but by failover"
	}
	return is(v1alpha1.ConditionPaused, w.set.Spec.Paused, [2]string{v1alpha1.ReasonPaused, v1alpha1.ReasonResumed}, message)
}

// waits says how many operations wait for a person.
func waits(operations int) string {
	switch operations {
	case 0:
		return "no operation waits for a person"
	case 1:
		return "one operation waits for a person; status.pendingApprovals names it"
	}
	return fmt.Sprintf("%d operations wait for a person; status.pendingApprovals names them", operations)
}

// failure says what is in the way: the template, somebody else's name, or a server whose task failed for good.
func (w *work) failure() metav1.Condition {
	switch {
	case w.trouble != "" && w.plan.Unmakeable && w.reason == v1alpha1.ReasonSettingsMissing:
		return is(v1alpha1.ConditionReplicaFailure, true, [2]string{w.reason}, w.trouble+"; "+w.noBoot)
	case w.trouble != "":
		return is(v1alpha1.ConditionReplicaFailure, true, [2]string{w.reason}, w.trouble)
	case w.plan.Unmakeable:
		return is(v1alpha1.ConditionReplicaFailure, true, [2]string{v1alpha1.ReasonSettingsMissing}, w.noBoot)
	}
	if w.taken != "" {
		return is(v1alpha1.ConditionReplicaFailure, true, [2]string{v1alpha1.ReasonServerNameTaken}, w.taken)
	}
	for _, m := range w.in.Servers {
		for _, t := range m.Status.Tasks {
			switch {
			case t.State != v1alpha1.TaskFailed:
			case t.Type == v1alpha1.TaskDeleteMachine:
				return is(v1alpha1.ConditionReplicaFailure, true, [2]string{v1alpha1.ReasonServerDeleteFailed}, m.Name+": "+t.Message)
			case t.Type == v1alpha1.TaskCreateMachine:
				return is(v1alpha1.ConditionReplicaFailure, true, [2]string{v1alpha1.ReasonServerCreateFailed}, m.Name+": "+t.Message)
			default:
				return is(v1alpha1.ConditionReplicaFailure, true, [2]string{v1alpha1.ReasonTaskFailed}, m.Name+": "+string(t.Type)+": "+t.Message)
			}
		}
	}
	well := "nothing is in the way"
	if w.noBoot != "" {
		well += ", and the next machine could not be made: " + w.noBoot
	}
	return is(v1alpha1.ConditionReplicaFailure, false, [2]string{1: v1alpha1.ReasonNoReplicaFailure}, well)
}

// tell makes an event of each trouble that begins or ends.
func (r *Reconciler) tell(set *v1alpha1.VMReplicaSet, before, after []metav1.Condition) {
	for _, now := range after {
		was := apimeta.FindStatusCondition(before, now.Type)
		if was != nil && was.Status == now.Status && was.Reason == now.Reason {
			continue
		}
		bad := metav1.ConditionTrue
		switch now.Type {
		case v1alpha1.ConditionReplicaFailure:
		case v1alpha1.ConditionRemediationAllowed:
			bad = metav1.ConditionFalse
		case v1alpha1.ConditionAwaitingApproval:
			bad = ""
		default:
			continue
		}
		atRest := now.Status == metav1.ConditionFalse && bad != metav1.ConditionFalse || now.Reason == v1alpha1.ReasonWithinBudget
		if was == nil && atRest {
			continue
		}
		kind := corev1.EventTypeNormal
		if now.Status == bad {
			kind = corev1.EventTypeWarning
		}
		r.recorder.Event(set, kind, now.Reason, now.Message)
	}
}
