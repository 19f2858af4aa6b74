package vmreplicaset

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
)

// counts are summed over the members.
var counts = []string{
	"replicas", "updatedReplicas", "expectedUpdatedReplicas", "readyReplicas", "availableReplicas",
	"initializingReplicas", "deployingReplicas", "unknownReplicas", "offlineReplicas", "abandonedReplicas",
	"heldReplicas",
}

func aggregateStatus(object *unstructured.Unstructured, members []family.Member) (edit.List, error) {
	s := aggregate.Begin(object, members, counts...)
	s.Revisions()
	s.Selector("selector")
	s.Unite(aggregate.List{
		Name: "pendingApprovals", Limit: gatev1alpha1.MaxPendingApprovals, By: []string{"since", "operationID"},
		CutSaidIn: vmv1alpha1.ConditionAwaitingApproval,
	})
	s.Unite(aggregate.List{Name: "abandoned", Limit: vmv1alpha1.MaxAbandoned, By: []string{"at", "server"}})
	s.StandardConditions(vmv1alpha1.ConditionAvailable, vmv1alpha1.ConditionRemediationAllowed)
	return s.Edits()
}
