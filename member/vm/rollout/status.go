package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

func (in Input) status(at stand, out *Plan, waits waiting, stalled *verdict) {
	s := &out.Status
	s.ObservedGeneration, s.UpdateRevision, s.Rollouts = in.Deployment.Generation, in.Revision, in.rollouts()
	s.Version = in.Release.Version
	s.Batches, s.CurrentBatch = int32(len(at.ends)), int32(min(at.underWay()+1, len(at.ends)))
	complete := at.over() && (len(at.servers) > 0 || in.completed())
	if at.granted == 0 && len(out.Changes) == 0 && (at.batch == 0 || len(at.servers) == 0 && !complete) {
		s.CurrentBatch = 0 // none has begun; of no servers all are over
	}
	in.count(at, s)
	s.FailedServers = at.failed[:min(len(at.failed), v1alpha1.MaxFailedServers)]
	s.PendingApprovals = waits.approvals
	if complete {
		s.CurrentRevision = in.Revision
	}
	if !complete && stalled == nil && waits.none() {
		stalled = in.standsStill(at, out)
	}
	if in.another() { // since when it goes on is of each release
		s.Conditions = slices.DeleteFunc(s.Conditions, func(c metav1.Condition) bool { return c.Type == v1alpha1.ConditionProgressing })
	}
	for _, c := range append(in.conditions(at, waits, stalled, complete), in.available(at)) {
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
		if in.serves(server) {
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

// waitsForAlerts names the servers of which nobody knows whether their alert queries are quiet.
func (s stand) waitsForAlerts() string {
	if len(s.unheard) == 0 || s.over() {
		return ""
	}
	return fmt.Sprintf("; nobody knows whether the alert queries of %s are quiet: %s", strings.Join(s.unheard, ", "), s.whyUnheard)
}

// named is how many servers that do not serve are named.
const named = 10

// available says whether enough servers serve, with whatever release: of a rollout that is over nothing else does.
func (in Input) available(at stand) metav1.Condition {
	must := max(min(1, len(at.servers)), len(at.servers)-in.mayBeAway())
	var away []string
	for _, server := range at.servers {
		if !ready(server) {
			away = append(away, fmt.Sprintf("%s is %s", server.Name, cmp.Or(server.Status.Phase, v1alpha1.ServerInitializing)))
		}
	}
	serve := len(at.servers) - len(away)
	message := fmt.Sprintf("%d of %d servers serve, and %d must", serve, len(at.servers), must)
	switch {
	case len(at.servers) == 0:
		message = "there is no server yet"
	case len(away) > 0 && len(away) <= named: // of more, who is how changes all the time
		message += ": " + strings.Join(away, ", ")
	}
	out := is(v1alpha1.ConditionAvailable, serve >= must && serve > 0, v1alpha1.ReasonMinimumServersUnavailable, cut(message))
	if out.Status == metav1.ConditionTrue {
		out.Reason = v1alpha1.ReasonMinimumServersAvailable
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

// notStalled says why a release that does not stall may stand where it is.
func (in Input) notStalled(at stand, waits waiting, complete bool) string {
	switch {
	case complete:
		return "the rollout is over"
	case in.Deployment.Spec.Paused:
		return "spec.paused holds it, and that is no stall"
	case len(waits.approvals) > 0 || waits.rejected != nil:
		return "it waits for a person, and that is no stall"
	case !waits.none():
		return "it waits between two batches, as strategy.pauseBetween asks"
	case at.asks:
		return "servers wait for a person at gates of their own, and that is no stall"
	}
	return "it goes on"
}

func (in Input) conditions(at stand, waits waiting, stalled *verdict, complete bool) []metav1.Condition {
	far := cut(fmt.Sprintf("release %s: batch %d of %d, %d of %d servers were told to have it%s%s", in.Release.Version,
		min(at.underWay()+1, len(at.ends)), len(at.ends), at.granted, len(at.servers), at.awayAgain(), at.waitsForAlerts()))
	progressing := is(v1alpha1.ConditionProgressing, !complete && stalled == nil && !in.Deployment.Spec.Paused, v1alpha1.ReasonRollingOut, far)
	switch {
	case complete:
		progressing.Reason = v1alpha1.ReasonRolloutComplete
	case stalled != nil:
		progressing.Reason = stalled.reason
	case in.Deployment.Spec.Paused:
		progressing.Reason = v1alpha1.ReasonPaused
	}
	stall := is(v1alpha1.ConditionStalled, false, v1alpha1.ReasonRollingOut, in.notStalled(at, waits, complete))
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
	paused := is(v1alpha1.ConditionPaused, in.Deployment.Spec.Paused, v1alpha1.ReasonResumed, "spec.paused holds nothing")
	if in.Deployment.Spec.Paused {
		paused.Reason, paused.Message = v1alpha1.ReasonPaused, "spec.paused holds the release where it is"
	}
	return []metav1.Condition{progressing, done, stall, awaiting, paused}
}
