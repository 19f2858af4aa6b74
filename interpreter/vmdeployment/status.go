package vmdeployment

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
)

func aggregateStatus(object *unstructured.Unstructured, members []family.Member) (edit.List, error) {
	members = aggregate.Ordered(members)
	status := map[string]any{}
	if err := aggregate.Sum(members, status, "servers", "updatedServers", "readyServers"); err != nil {
		return nil, err
	}
	if err := batches(members, status); err != nil {
		return nil, err
	}
	generation, err := aggregate.ObservedGeneration(object, members)
	if err != nil {
		return nil, err
	}
	status["observedGeneration"] = generation
	if err := aggregate.Revisions(object, members, status); err != nil {
		return nil, err
	}
	failed, hiddenFailed, err := aggregate.Unite(members, vmv1alpha1.MaxFailedServers, []string{"name"}, "failedServers")
	if err != nil {
		return nil, err
	}
	if len(failed) > 0 {
		status["failedServers"] = failed
	}
	pending, hiddenPending, err := aggregate.Unite(members, vmv1alpha1.MaxPendingApprovals, []string{"since", "operationID"}, "pendingApprovals")
	if err != nil {
		return nil, err
	}
	if len(pending) > 0 {
		status["pendingApprovals"] = pending
	}
	conditions, err := aggregate.StandardConditions(object, members, generation, vmv1alpha1.ConditionComplete)
	if err != nil {
		return nil, err
	}
	if len(conditions) > 0 {
		aggregate.NoteHidden(conditions, vmv1alpha1.ConditionStalled, hiddenFailed)
		aggregate.NoteHidden(conditions, vmv1alpha1.ConditionAwaitingApproval, hiddenPending)
		status["conditions"] = conditions
	}
	return aggregate.Replace(status), nil
}

// batches is the slowest member's: a member that has not reported has not begun.
func batches(members []family.Member, into map[string]any) error {
	var slowest, most int64
	for i, m := range members {
		r := field.Read(m.Status)
		current, all := int64(r.Count(0, "currentBatch")), int64(r.Count(0, "batches"))
		if r.Err() != nil {
			return aggregate.At(m, r.Err())
		}
		if i == 0 || current < slowest {
			slowest = current
		}
		most = max(most, all)
	}
	into["currentBatch"], into["batches"] = slowest, most
	return nil
}
