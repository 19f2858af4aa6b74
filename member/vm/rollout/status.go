package rollout

import (
	"fmt"
	"strings"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

func (in Input) status(at stand, out *Plan, waits waiting, stalled *verdict) {
	s := &out.Status
	s.ObservedGeneration, s.UpdateRevision = in.Deployment.Generation, in.Revision
	s.Batches, s.CurrentBatch = int32(len(at.ends)), int32(min(at.underWay()+1, len(at.ends)))
	if at.granted == 0 && len(out.Changes) == 0 && at.batch == 0 {
		s.CurrentBatch = 0
	}
	in.count(at, s)
	s.FailedServers = at.failed[:min(len(at.failed), v1alpha1.MaxFailedServers)]
	s.PendingApprovals = waits.approvals
	complete := at.batch == len(at.ends) && len(at.servers) > 0
	if complete {
		s.CurrentRevision = in.Revision
	}
	if !complete && stalled == nil && waits.none() {
		stalled = in.standsStill(at, out)
	}
	for _, c := range in.conditions(at, waits, stalled, complete) {
		c.ObservedGeneration, c.LastTransitionTime = in.Deployment.Generation, metav1.NewTime(in.Now)
		apimeta.SetStatusCondition(&s.Conditions, c)
	}
}

func (in Input) count(at stand, s *v1alpha1.VMDeploymentStatus) {
	s.Servers, s.UpdatedServers, s.ReadyServers = int32(len(at.servers)), 0, 0
	for _, server := range at.servers {
		if in.has(server) {
			s.UpdatedServers++
		}
		if in.done(server) {
			s.ReadyServers++
		}
	}
}

// standsStill says that nothing got further for too long, or when that would be so.
func (in Input) standsStill(at stand, out *Plan) *verdict {
	if in.Deployment.Spec.Paused || len(at.servers) == 0 {
		return nil
	}
	late, until := in.late(at)
	if late == nil && (out.Wake.IsZero() || until.Before(out.Wake)) {
		out.Wake = until
	}
	return late
}

// awayAgain names the servers of earlier batches that are away; empty: none is.
func (s stand) awayAgain() string {
	var names []string
	if now := s.underWay(); now > 0 && now < len(s.ends) {
		for _, place := range s.away {
			if place < s.ends[now-1] {
				names = append(names, s.servers[place].Name)
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	out := "; " + strings.Join(names, ", ") + " of earlier batches do not serve with it"
	if len(names) == 1 {
		out = "; " + names[0] + " of an earlier batch does not serve with it"
	}
	if s.granted < len(s.servers) {
		out += ", and nobody else gets it until then"
	}
	return out
}

func is(kind string, holds bool, reason, message string) metav1.Condition {
	out := metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason, Message: message}
	if holds {
		out.Status = metav1.ConditionTrue
	}
	return out
}

func (in Input) conditions(at stand, waits waiting, stalled *verdict, complete bool) []metav1.Condition {
	far := cut(fmt.Sprintf("release %s: batch %d of %d, %d of %d servers were told to have it%s", in.Release.Version,
		min(at.underWay()+1, len(at.ends)), len(at.ends), at.granted, len(at.servers), at.awayAgain()))
	progressing := is(v1alpha1.ConditionProgressing, !complete && stalled == nil && !in.Deployment.Spec.Paused, v1alpha1.ReasonRollingOut, far)
	switch {
	case complete:
		progressing.Reason = v1alpha1.ReasonRolloutComplete
	case stalled != nil:
		progressing.Reason = stalled.reason
	case in.Deployment.Spec.Paused:
		progressing.Reason = v1alpha1.ReasonPaused
	}
	stall := is(v1alpha1.ConditionStalled, false, v1alpha1.ReasonRollingOut, "it goes on")
	if stalled != nil {
		stall = is(v1alpha1.ConditionStalled, true, stalled.reason, stalled.message)
	}
	done := is(v1alpha1.ConditionComplete, complete, v1alpha1.ReasonRollingOut, far)
	if complete {
		done.Reason = v1alpha1.ReasonRolloutComplete
	}
	awaiting := is(v1alpha1.ConditionAwaitingApproval, false, v1alpha1.ReasonNoGateWaiting, "no gate waits")
	switch {
	case waits.rejected != nil:
		awaiting = is(v1alpha1.ConditionAwaitingApproval, true, v1alpha1.ReasonGateWaiting,
			fmt.Sprintf("%s rejected the next batch at gate %s: %s", waits.rejected.By, waits.rejected.Gate, waits.rejected.Reason))
	case len(waits.approvals) > 0:
		first := waits.approvals[0]
		awaiting = is(v1alpha1.ConditionAwaitingApproval, true, v1alpha1.ReasonGateWaiting,
			fmt.Sprintf("waits at %s for %s", first.Gate, first.OperationID))
	}
	paused := is(v1alpha1.ConditionPaused, in.Deployment.Spec.Paused, v1alpha1.ReasonResumed, "the release goes on")
	if in.Deployment.Spec.Paused {
		paused.Reason, paused.Message = v1alpha1.ReasonPaused, "spec.paused holds the release where it is"
	}
	return []metav1.Condition{progressing, done, stall, awaiting, paused}
}
