package vmdeployment

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
)

func aggregateStatus(object *unstructured.Unstructured, members []family.Member) (edit.List, error) {
	s := aggregate.Begin(object, members, "servers", "updatedServers", "readyServers")
	s.Add(batches)
	s.Revisions()
	s.UpdatedText("version")
	s.Unite(aggregate.List{
		Name: "failedServers", Limit: vmv1alpha1.MaxFailedServers, By: []string{"name"},
		CutSaidIn: vmv1alpha1.ConditionStalled,
	})
	s.Unite(aggregate.List{
		Name: "pendingApprovals", Limit: gatev1alpha1.MaxPendingApprovals, By: []string{"since", "operationID"},
		CutSaidIn: vmv1alpha1.ConditionAwaitingApproval,
	})
	s.StandardConditions(vmv1alpha1.ConditionComplete, vmv1alpha1.ConditionAvailable)
	return s.Edits()
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
