package scalein

import (
	"fmt"
	"slices"
	"strings"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

// action is the one write of a step.
type action int

const (
	// nothing to write: wait.
	nothing action = iota
	// acceptPlan records the plan in the status.
	acceptPlan
	// announce sets the request on the template.
	announce
	// lowerBinding sets clusters and sum of the binding and holds the scheduler.
	lowerBinding
	// lowerTemplate sets the template's replicas.
	lowerTemplate
	// release lets the scheduler go on.
	release
	// markTemplate says on the template that an adoption is at work.
	markTemplate
	// endAdoption takes that off again, and a wish to adopt once with it.
	endAdoption
)

// step is what comes next.
type step struct {
	do      action
	phase   v1alpha1.PodScaleInPhase
	reason  string
	message string
	// plan is the clusters' part of the status; nil leaves it.
	plan []v1alpha1.ClusterScaleIn
	// request is what announce writes.
	request string
	// replicas is what lowerTemplate writes.
	replicas int32
	// done: the order has ended, well or refused.
	done bool
}

// next derives what comes next from the facts. The phase in the status is output only; what was planned is kept there.
func next(f facts) step {
	if f.order.Status.RequestID == "" {
		return begin(f)
	}
	id := f.order.Status.RequestID
	switch {
	case f.template == nil || f.binding == nil:
		gone := "CloneSet"
		if f.template != nil {
			gone = "CloneSet's ResourceBinding"
		}
		return step{phase: v1alpha1.PhaseFailed, reason: v1alpha1.ReasonTargetNotFound, done: true,
			message: "the " + gone + " was deleted while the pods were being removed"}
	case requestOfMark(f.binding.lowered) != id:
		return approach(f)
	case f.template.cutOff:
		// What the members run by the time the workload is adopted again is another count: there is nothing to go on from.
		return step{phase: v1alpha1.PhaseFailed, reason: v1alpha1.ReasonCutOff, done: true,
			message: "the workload was cut off from the federation while its pods were being removed: what is left is to be done in its members"}
	case f.template.lowered != id:
		// A push of the template may have changed its replicas meanwhile: what was removed is taken off whatever stands there.
		return step{do: lowerTemplate, phase: v1alpha1.PhaseLowering, reason: v1alpha1.ReasonReplicasLowered,
			message: "the binding is lowered, the template follows", replicas: max(f.template.replicas-removed(f.order.Status.Clusters), 0)}
	case f.binding.lowered == id && (f.binding.replicas != f.template.replicas || !f.caughtUp):
		return step{phase: v1alpha1.PhaseSettling, reason: v1alpha1.ReasonWaitingForBinding,
			message: fmt.Sprintf("Karmada has not taken over the template's %d replicas into the binding yet (%d)", f.template.replicas,
				f.binding.replicas)}
	case f.binding.lowered == id:
		return step{do: release, phase: v1alpha1.PhaseSettling, reason: v1alpha1.ReasonReplicasLowered, message: "template and binding agree"}
	}
	return follow(f)
}

// begin accepts, refuses or waits.
func begin(f facts) step {
	if f.order.DeletionTimestamp != nil {
		return step{phase: v1alpha1.PhaseRefused, done: true, reason: v1alpha1.ReasonOrderDeleted, message: "deleted before it began"}
	}
	pods, v := designate(f)
	if v.accepted() {
		f.order = f.order.DeepCopy()
		f.order.Spec.Pods = pods
		v = check(f)
	}
	switch {
	case v.accepted():
		return step{
			do: acceptPlan, phase: v1alpha1.PhaseAnnouncing, reason: v1alpha1.ReasonOrderAccepted, message: describe(v.plan), plan: v.plan,
		}
	case v.wait && !f.expired(f.firstSeen()):
		return step{phase: v1alpha1.PhaseChecking, reason: v.reason, message: v.message}
	}
	return step{phase: v1alpha1.PhaseRefused, reason: v.reason, message: v.message, done: true}
}

// approach brings the names into the Works and then lowers the binding. Until then the order can still be taken back.
func approach(f facts) step {
	v := recheck(f)
	switch {
	case f.order.DeletionTimestamp != nil:
		return withdraw(v1alpha1.ReasonOrderDeleted, "deleted before the replicas were lowered")
	case !v.accepted() && (!v.wait || f.expired(f.startTime())):
		return withdraw(v.reason, v.message)
	case !v.accepted():
		return step{phase: v1alpha1.PhaseAnnouncing, reason: v.reason, message: v.message}
	}
	request := requestOf(f.order.Status.RequestID, v.plan).Encode()
	if f.template.request != request {
		return step{
			do: announce, phase: v1alpha1.PhaseAnnouncing, reason: v1alpha1.ReasonNamesAnnounced, message: describe(v.plan), request: request,
			plan: v.plan,
		}
	}
	for _, cluster := range v.plan {
		if f.works[cluster.Name].request != request {
			return step{
				phase: v1alpha1.PhaseAnnouncing, reason: v1alpha1.ReasonWaitingForWorks,
				message: "the Work of " + cluster.Name + " does not carry the names yet",
			}
		}
	}
	return step{
		do: lowerBinding, phase: v1alpha1.PhaseLowering, reason: v1alpha1.ReasonReplicasLowered, message: describe(v.plan), plan: v.plan,
	}
}

// recheck looks at the pods once more and counts anew from what the clusters hold now: somebody may have scaled since.
func recheck(f facts) verdict {
	probe := f
	templateNow := *f.template
	templateNow.request = ""
	probe.template = &templateNow
	probe.order = f.order.DeepCopy()
	probe.order.Spec.Pods = nil
	for _, cluster := range f.order.Status.Clusters {
		for _, name := range cluster.Pods {
			probe.order.Spec.Pods = append(probe.order.Spec.Pods, v1alpha1.PodReference{Cluster: cluster.Name, Name: name})
		}
	}
	if id := requestID(f.template.request); id != "" && id != f.order.Status.RequestID {
		return await(v1alpha1.ReasonTargetBusy, "another order is at work on the template: %s", id)
	}
	return check(probe)
}

// withdraw ends an order whose replicas were not lowered: nothing has happened but an annotation, which tidying removes.
func withdraw(reason, message string) step {
	return step{phase: v1alpha1.PhaseRefused, reason: reason, message: message, done: true}
}

// leftover is whether an ended order still has something of its own on template or binding.
func leftover(f facts) bool {
	id := f.order.Status.RequestID
	return id != "" && (f.template != nil && (requestID(f.template.request) == id || f.template.lowered == id) ||
		f.binding != nil && requestOfMark(f.binding.lowered) == id)
}

// released follows the id in the binding's mark once the scheduler is let go again.
const released = "/released"

func requestOfMark(mark string) string { return strings.TrimSuffix(mark, released) }

func requestID(request string) string {
	id, _, _ := strings.Cut(request, ";")
	return id
}

// follow waits until every member has taken the names and the pods are gone.
func follow(f facts) step {
	plan := make([]v1alpha1.ClusterScaleIn, 0, len(f.order.Status.Clusters))
	var waiting []string
	for _, cluster := range f.order.Status.Clusters {
		m := f.members[cluster.Name]
		cluster.Remaining = nil
		switch {
		case m.unreachable != "":
			cluster.Remaining = cluster.Pods
			waiting = append(waiting, cluster.Name+" cannot be asked: "+m.unreachable)
		case m.delivered != f.order.Status.RequestID:
			cluster.Remaining = present(cluster.Pods, m)
			why := cluster.Name + " has not taken the names yet"
			if failure := f.works[cluster.Name].failure; failure != "" {
				why += ": " + failure
			}
			waiting = append(waiting, why)
		default:
			if cluster.Remaining = present(cluster.Pods, m); len(cluster.Remaining) > 0 {
				waiting = append(waiting, fmt.Sprintf("%d of %d pods remain in %s", len(cluster.Remaining), len(cluster.Pods), cluster.Name))
			}
		}
		plan = append(plan, cluster)
	}
	if len(waiting) == 0 {
		return step{phase: v1alpha1.PhaseSucceeded, reason: v1alpha1.ReasonPodsGone, message: describe(plan), plan: plan, done: true}
	}
	if f.order.DeletionTimestamp != nil {
		return step{
			phase: v1alpha1.PhaseFailed, reason: v1alpha1.ReasonOrderDeleted, message: "deleted before the pods were gone", plan: plan, done: true,
		}
	}
	if request := pending(f, plan); request != "" && request != f.template.request {
		return step{
			do: announce, phase: v1alpha1.PhaseFollowing, reason: v1alpha1.ReasonNamesAnnounced,
			message: "names that are gone, or replicas that changed, are put right", request: request, plan: plan,
		}
	}
	s := step{phase: v1alpha1.PhaseFollowing, reason: v1alpha1.ReasonWaitingForPods, message: strings.Join(waiting, "; "), plan: plan}
	if f.expired(f.startTime()) {
		s.phase, s.reason = v1alpha1.PhaseFailed, v1alpha1.ReasonTimedOut
	}
	return s
}

// pending is the request as the members that have not taken it should find it: a name that is gone by now would make
// OpenKruise refuse the whole update, and a cluster that was scaled out since would never reach the replicas named.
func pending(f facts, plan []v1alpha1.ClusterScaleIn) string {
	request := requestOf(f.order.Status.RequestID, plan)
	for cluster, part := range request.Members {
		m := f.members[cluster]
		if m.unreachable != "" || m.delivered == request.ID {
			continue
		}
		part.Pods = slices.DeleteFunc(slices.Clone(part.Pods), func(name string) bool {
			p, ok := m.pods[name]
			return !ok || p.terminating || p.owner != m.uid
		})
		if now, ok := f.binding.of(cluster); ok {
			part.Replicas = max(part.Replicas, now)
		}
		request.Members[cluster] = part
	}
	return request.Encode()
}

// present are the names that still run in the member.
func present(names []string, m member) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		p, ok := m.pods[name]
		return !ok || p.owner != m.uid
	})
}

func requestOf(id string, plan []v1alpha1.ClusterScaleIn) v1alpha1.ScaleInRequest {
	request := v1alpha1.ScaleInRequest{ID: id, Members: map[string]v1alpha1.MemberScaleIn{}}
	for _, cluster := range plan {
		request.Members[cluster.Name] = v1alpha1.MemberScaleIn{Replicas: cluster.ReplicasAfter, Pods: cluster.Pods}
	}
	return request
}

func removed(plan []v1alpha1.ClusterScaleIn) int32 {
	var count int32
	for _, cluster := range plan {
		count += cluster.ReplicasBefore - cluster.ReplicasAfter
	}
	return count
}

// lowered is the binding's clusters as the plan wants them. The others keep their replicas exactly.
func lowered(clusters []clusterReplicas, plan []v1alpha1.ClusterScaleIn) []clusterReplicas {
	out := slices.Clone(clusters)
	for i := range out {
		for _, part := range plan {
			if part.Name == out[i].name {
				out[i].replicas = part.ReplicasAfter
			}
		}
	}
	return out
}

// describe is the plan in one line: "member1 9 -> 7 (web-a, web-b)".
func describe(plan []v1alpha1.ClusterScaleIn) string {
	parts := make([]string, 0, len(plan))
	for _, cluster := range plan {
		names := strings.Join(cluster.Pods, ", ")
		const longest = 120
		if len(names) > longest {
			names = fmt.Sprintf("%d pods", len(cluster.Pods))
		}
		parts = append(parts, fmt.Sprintf("%s %d -> %d (%s)", cluster.Name, cluster.ReplicasBefore, cluster.ReplicasAfter, names))
	}
	return strings.Join(parts, "; ")
}
