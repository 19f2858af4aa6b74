package vmreplicaset

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
)

// counts are summed over the members.
var counts = []string{
	"replicas", "updatedReplicas", "expectedUpdatedReplicas", "readyReplicas", "availableReplicas",
	"initializingReplicas", "deployingReplicas", "unknownReplicas", "offlineReplicas", "abandonedReplicas",
}

func aggregateStatus(object *unstructured.Unstructured, members []family.Member) (edit.List, error) {
	members = aggregate.Ordered(members)
	status := map[string]any{}
	if err := aggregate.Sum(members, status, counts...); err != nil {
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
	if err := aggregate.Selector(object, members, status, "selector"); err != nil {
		return nil, err
	}
	pending, hidden, err := aggregate.Unite(members, vmv1alpha1.MaxPendingApprovals, []string{"since", "operationID"}, "pendingApprovals")
	if err != nil {
		return nil, err
	}
	if len(pending) > 0 {
		status["pendingApprovals"] = pending
	}
	conditions, err := aggregate.StandardConditions(object, members, generation,
		vmv1alpha1.ConditionAvailable, vmv1alpha1.ConditionRemediationAllowed)
	if err != nil {
		return nil, err
	}
	if len(conditions) > 0 {
		aggregate.NoteHidden(conditions, vmv1alpha1.ConditionAwaitingApproval, hidden)
		status["conditions"] = conditions
	}
	return aggregate.Replace(status), nil
}
