package fleet

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate"
)

// GateFailover is asked where the policy is Manual and the set has no gate of its own at that stage.
const GateFailover = "failover"

func (in Input) inFlightLimit() int { return int(in.Set.Spec.Failover.MaxInFlight) }

// inFlight is how many were given up and are not gone.
func (in Input) inFlight() int {
	n := 0
	for _, m := range in.Servers {
		if m.GivenUp {
			n++
		}
	}
	return n
}

// failover gives up who was unreachable for too long: within the budget, with the approvals that are asked for, and fenced.
func (in Input) failover(out *Plan) {
	policy := in.Set.Spec.Failover
	if policy.Policy == v1alpha1.FailoverDisabled || out.Remediation.Status != metav1.ConditionTrue {
		return
	}
	var due []Member
	for _, m := range in.active() {
		if m.due() {
			due = append(due, m)
		}
	}
	first := in.goesFirst()
	slices.SortStableFunc(due, func(a, b Member) int { return first(b, a) })
	room := max(1, in.inFlightLimit()) - in.inFlight()
	for i, m := range due {
		if room <= 0 {
			in.queue(out, due[i:])
			return
		}
		switch open, pending := in.opened(m); {
		case len(pending) > 0:
			out.PendingApprovals = append(out.PendingApprovals, pending...)
			continue
		case !open:
			continue // rejected: it stays as it is
		}
		room--
		if !fenced(m, policy.Fence) {
			out.Fence = append(out.Fence, m.Name)
			continue
		}
		out.Offline = append(out.Offline, Mark{Server: m.Name, Reason: Unreachable, GivenUp: true})
		// Without an entry where the set is to keep no more than are left: a kill between the two writes finds the entry there, and the
		// federation may have lowered the set by it since.
		missed := len(in.active())-len(out.Offline) < in.keep(out.Abandoned)
		if policy.OnUnrepairable == v1alpha1.Abandon && missed && len(out.Abandoned) < v1alpha1.MaxAbandoned {
			out.Abandoned = append(out.Abandoned,
				v1alpha1.AbandonedServer{Server: m.Name, Replicas: int32(in.replicas()), At: &metav1.Time{Time: in.Now}})
		}
	}
}

// queue says of who waits that it is for those that were given up before and are not gone: where one cannot be removed, that is for long.
func (in Input) queue(out *Plan, waiting []Member) {
	var names, before []string
	for _, m := range waiting {
		names = append(names, m.Name)
	}
	for _, m := range in.Servers {
		if m.GivenUp {
			before = append(before, m.Name)
		}
	}
	if len(before) > 0 { // else one is given up just now
		out.remark(fmt.Sprintf("not given up before those that were are gone (failover.maxInFlight): %s, after %s",
			strings.Join(names, ", "), strings.Join(before, ", ")))
	}
}

// fenced says whether enough was done that the old machine does not run beside a new one.
func fenced(m Member, fence v1alpha1.Fence) bool {
	switch fence {
	case v1alpha1.FenceNever:
		return true
	case v1alpha1.FenceRequired:
		return m.Fenced
	}
	return m.Fenced || m.FenceTried
}

// opened says whether the server may be given up, and what waits for that.
func (in Input) opened(m Member) (open bool, pending []gatev1alpha1.PendingApproval) {
	var names []string
	for _, g := range in.Set.Spec.Gates {
		if g.Stage == gatev1alpha1.StageFailover {
			names = append(names, g.Name)
		}
	}
	if len(names) == 0 && in.Set.Spec.Failover.Policy != v1alpha1.FailoverAuto {
		names = []string{GateFailover}
	}
	id := in.operation(m)
	for _, name := range names {
		switch verdict, _ := gate.Judge(slices.Concat(in.Set.Spec.Approvals, in.Answers), name, id); verdict {
		case gate.Rejected:
			return false, nil
		case gate.Shut:
			pending = append(pending, in.pending(name, id, m))
		}
	}
	return len(pending) == 0, pending
}

// RemovalOperation is that of removing the machines of a deleted set; its gate is gatev1alpha1.GateRemoval.
func RemovalOperation(set *v1alpha1.VMReplicaSet) string {
	return gate.OperationID(set.UID, "removal", 1)
}

// FailoverOperations are those of giving servers up that could not be reached for too long: answers about them count.
func FailoverOperations(in Input) []string {
	var out []string
	for _, m := range in.active() {
		if m.due() {
			out = append(out, in.operation(m))
		}
	}
	return out
}

// operation is that of giving the server up for this outage: the operation it has under way is of this outage and no other.
func (in Input) operation(m Member) string {
	sequence := int64(0)
	if m.Status.Operation != nil {
		sequence = m.Status.Operation.Sequence
	}
	return gate.OperationID(m.UID, "give up", sequence)
}

func (in Input) pending(name, id string, m Member) gatev1alpha1.PendingApproval {
	ready := 0
	for _, other := range in.active() {
		if other.ready() {
			ready++
		}
	}
	out := gatev1alpha1.PendingApproval{
		Gate: name, OperationID: id, Server: m.Name, Since: &metav1.Time{Time: in.Now},
		Summary: fmt.Sprintf("%s is given up (%s); %d of %d serve", m.Name, in.Set.Spec.Failover.OnUnrepairable, ready, in.desired()),
	}
	for _, before := range in.Set.Status.PendingApprovals {
		if before.Gate == name && before.OperationID == id && before.Since != nil {
			out.Since = before.Since
		}
	}
	return out
}
