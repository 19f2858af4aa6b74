package scalein

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
	vm "github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/mark"
)

// adoptMark is the value of ScaleInLoweredAnnotation while an adoption is at work: on the template from before its first
// write to after its last, so that whoever comes after a crash finds it, and on the binding while it is lowered.
const adoptMark = "adopt"

// adoption is what comes next for a template that asks to follow its members.
type adoption struct {
	// do is markTemplate, lowerBinding, lowerTemplate, release, endAdoption or nothing.
	do action
	// clusters are the binding's as lowerBinding writes them.
	clusters []clusterReplicas
	// replicas is what lowerTemplate writes.
	replicas int32
	// unknown: a member that matters could not be read, or has not taken its number up.
	unknown bool
	// settled: the books agree with the members, or nobody asks any more.
	settled bool
	// refused says why nothing can be adopted.
	refused         bool
	reason, message string
	// waitsFor is what has to come first, and why names it; empty: nothing.
	why, waitsFor string
}

// nextAdoption derives the next write. What an adoption has begun is brought to its end first, whatever became of the wish.
func nextAdoption(f facts) adoption {
	if f.template.cutOff {
		return adoption{
			refused: true, reason: v1alpha1.ReasonCutOff,
			message: "the " + f.order.Spec.TargetRef.Kind + " is cut off from the federation: nothing is adopted until it is in it again",
		}
	}
	if f.binding != nil && f.binding.lowered == adoptMark {
		return completeAdoption(f)
	}
	next := adoption{settled: true}
	if f.template.adopt != "" {
		next = beginAdoption(f)
	}
	marked := f.template.lowered == adoptMark
	// What an earlier lowering left on the mark would be read as this one's.
	if next.do == lowerBinding && (!marked || f.template.loweredFrom != "") {
		return adoption{do: markTemplate}
	}
	if (next.settled || next.refused) && (marked || f.template.adopt == v1alpha1.AdoptOnce) {
		next.do = endAdoption
	}
	if next.settled && marked {
		next.reason, next.message = "", "" // What was adopted has been told.
	}
	return next
}

// completeAdoption goes on from a lowered binding. Whoever scales the template meanwhile has the last word: the scheduler divides that.
func completeAdoption(f facts) adoption {
	scaled := f.template.loweredFrom != "" || f.binding.loweredOf != 0 && f.template.replicas != f.binding.loweredOf
	switch {
	case f.template.replicas != f.binding.sum() && !scaled:
		return adoption{do: lowerTemplate, replicas: f.binding.sum()}
	case f.template.replicas != f.binding.sum() && f.binding.replicas == f.template.replicas:
		return adoption{do: release}
	case f.binding.replicas != f.template.replicas || !f.caughtUp:
		return f.notTakenOver()
	}
	return adoption{do: release}
}

// notTakenOver: Karmada has not taken the template's number over yet.
func (f facts) notTakenOver() adoption {
	if f.binding.replicas == f.template.replicas {
		return adoption{why: v1alpha1.ReasonWaitingForBinding, waitsFor: "Karmada has not seen the template's last change yet"}
	}
	return adoption{why: v1alpha1.ReasonWaitingForBinding, waitsFor: fmt.Sprintf(
		"Karmada has not taken the template over into the ResourceBinding yet: %d replicas there, %d in the template", f.binding.replicas,
		f.template.replicas)}
}

// beginAdoption refuses, waits or compares. Only lower numbers are adopted: a member that holds more is an autoscaler's
// business. A member that cannot be asked keeps what the book says of it.
func beginAdoption(f facts) adoption {
	if reason, message := notAdopted(f); reason != "" {
		return adoption{refused: true, reason: reason, message: message}
	}
	switch {
	case f.template.replicas != f.binding.replicas:
		return f.notTakenOver()
	case f.template.request != "" || f.template.lowered != "" && f.template.lowered != adoptMark || f.binding.lowered != "":
		return adoption{why: v1alpha1.ReasonTargetBusy, waitsFor: "a PodScaleIn is at work on it: " +
			cmp.Or(requestID(f.template.request), f.template.lowered, f.binding.lowered)}
	case f.binding.suspended:
		return adoption{why: v1alpha1.ReasonBindingUnsettled, waitsFor: "its scheduling is suspended by somebody else"}
	case f.binding.evicting:
		return adoption{why: v1alpha1.ReasonBindingUnsettled, waitsFor: "Karmada is evicting it from a cluster"}
	case !f.binding.observed || f.binding.sum() != f.binding.replicas:
		return adoption{why: v1alpha1.ReasonBindingUnsettled, waitsFor: fmt.Sprintf(
			"the scheduler has not divided its %d replicas yet (%d are)", f.binding.replicas, f.binding.sum())}
	}
	return compare(f)
}

// notAdopted says why what members hold is not taken over; empty: it may be.
func notAdopted(f facts) (reason, message string) {
	switch {
	case f.binding == nil:
		return v1alpha1.ReasonAdoptionNotWritten, "the " + f.order.Spec.TargetRef.Kind + " is not propagated: nothing to adopt"
	case f.template.set && f.template.retained:
		return vm.ReasonAbandonedNotLowered, "the members own the replicas (label " + mark.RetainReplicas + "=true): lower spec.replicas there"
	case !f.template.set && !f.template.retained:
		return v1alpha1.ReasonAdoptionNotWritten, "the control plane owns the replicas (no label " +
			mark.RetainReplicas + "=true): Karmada sets the members back; use a PodScaleIn instead, or set the label before scaling in a member"
	case f.owner != "" && f.template.set:
		return vm.ReasonAbandonedNotLowered, f.owner + " sets the replicas: lower its bounds by the servers that were given up"
	case f.owner != "":
		return v1alpha1.ReasonTargetOwned, f.owner + " keeps the books of this workload already"
	case f.template.set && !f.binding.divided && len(f.binding.clusters) > 1:
		return vm.ReasonAbandonedNotLowered, "each member has all replicas (the policy duplicates them): members cannot differ"
	}
	return "", ""
}

// compare lowers the book where a member holds less.
func compare(f facts) adoption {
	var next adoption
	var changed, unknown []string
	for _, cluster := range f.binding.clusters {
		m, known := f.members[cluster.name]
		switch {
		case !known || m.unreachable != "":
			unknown = append(unknown, cluster.name+": "+cmp.Or(m.unreachable, "it was not asked"))
		case m.uid != "" && m.replicas < cluster.replicas:
			changed = append(changed, fmt.Sprintf("%s %d -> %d", cluster.name, cluster.replicas, m.replicas))
			cluster.replicas = m.replicas
		}
		next.clusters = append(next.clusters, cluster)
	}
	if next.unknown = len(unknown) > 0; next.unknown {
		next.why, next.waitsFor = v1alpha1.ReasonMemberUnreachable, "what members hold is not known: "+strings.Join(unknown, "; ")
	}
	next.settled = !next.unknown
	var sum int32
	for _, cluster := range next.clusters {
		sum += cluster.replicas
	}
	switch {
	case len(changed) > 0 && sum == 0:
		return adoption{
			refused: true, reason: v1alpha1.ReasonNoReplicaLeft, message: "the members hold no replica at all: use kubectl scale --replicas=0",
		}
	case len(changed) > 0:
		next.do, next.settled = lowerBinding, false
		next.reason, next.message = v1alpha1.ReasonAdopted, strings.Join(changed, "; ")
		if f.template.set {
			next.reason, next.message = vm.ReasonAbandonedLowered, "servers were given up without replacement: "+next.message
		}
	case next.settled && f.template.set: // Nobody asked: there is nothing to tell.
	case next.settled:
		next.reason, next.message = v1alpha1.ReasonNothingToAdopt, "no member holds fewer replicas than the scheduling result says"
	}
	return next
}
