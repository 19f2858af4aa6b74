package scalein

import (
	"fmt"
	"strings"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

// adoptMark is the value of ScaleInLoweredAnnotation on a binding that an adoption has lowered.
const adoptMark = "adopt"

// adoption is what comes next for a template that asks to follow its members.
type adoption struct {
	// do is lowerBinding, lowerTemplate, release or nothing.
	do action
	// clusters are the binding's as lowerBinding writes them.
	clusters []clusterReplicas
	// replicas is what lowerTemplate writes.
	replicas int32
	// settled: the books agree with the members; an adoption of once ends.
	settled bool
	// refused says why nothing can be adopted.
	refused         bool
	reason, message string
}

// nextAdoption derives the next write. Only lower numbers are adopted: a member that holds more is an autoscaler's business.
// A member that cannot be asked keeps what the book says of it.
func nextAdoption(f facts) adoption {
	switch {
	case f.binding == nil:
		return adoption{refused: true, reason: v1alpha1.ReasonAdoptionNotWritten, message: "the CloneSet is not propagated: nothing to adopt"}
	case f.binding.lowered == adoptMark && f.template.replicas != f.binding.sum():
		return adoption{do: lowerTemplate, replicas: f.binding.sum()}
	case f.binding.lowered == adoptMark && f.binding.replicas != f.template.replicas:
		return adoption{}
	case f.binding.lowered == adoptMark:
		return adoption{do: release}
	case !f.template.retained:
		return adoption{refused: true, reason: v1alpha1.ReasonAdoptionNotWritten, message: "the control plane owns the replicas (no label " +
			"resourcetemplate.karmada.io/retain-replicas=true): Karmada sets the members back; use a PodScaleIn instead"}
	case f.owner != "":
		return adoption{refused: true, reason: v1alpha1.ReasonTargetOwned, message: f.owner + " keeps the books of this workload already"}
	case f.template.request != "" || f.binding.lowered != "" || f.binding.suspended || f.binding.evicting || !f.binding.observed ||
		f.binding.sum() != f.binding.replicas:
		return adoption{} // Others are at work on the binding: look again.
	}
	return compare(f)
}

// compare lowers the book where a member holds less.
func compare(f facts) adoption {
	next := adoption{settled: true}
	var changed, unknown []string
	for _, cluster := range f.binding.clusters {
		m, known := f.members[cluster.name]
		switch {
		case !known || m.unreachable != "":
			unknown = append(unknown, cluster.name)
		case m.uid != "" && m.replicas < cluster.replicas:
			changed = append(changed, fmt.Sprintf("%s %d -> %d", cluster.name, cluster.replicas, m.replicas))
			cluster.replicas = m.replicas
		}
		next.clusters = append(next.clusters, cluster)
	}
	if len(unknown) > 0 {
		next.settled = false
	}
	var sum int32
	for _, cluster := range next.clusters {
		sum += cluster.replicas
	}
	switch {
	case len(changed) > 0 && sum == 0:
		return adoption{refused: true, reason: v1alpha1.ReasonNoReplicaLeft, message: "the members hold no replica at all: use kubectl scale --replicas=0"}
	case len(changed) > 0:
		next.do, next.settled = lowerBinding, false
		next.reason, next.message = v1alpha1.ReasonAdopted, strings.Join(changed, "; ")
	}
	return next
}
