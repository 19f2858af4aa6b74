package vm

import "github.com/argosy-dev/argosy/internal/gate/approval"

// Paths of the admission of approvals in the control plane; deploy/webhook/vm.yaml registers them.
const (
	StampPath     = "/mutate-vm-approvals"
	ApprovalsPath = "/validate-vm-approvals"
	// ApproversPath is asked about updates by those who may approve and not update.
	ApproversPath = "/validate-vm-approvers"
)

// Approvers are asked about at ApproversPath.
func Approvers() *approval.OwnField {
	return &approval.OwnField{
		Field: approval.Field, May: "approve operations", What: "an operation", Role: func(string) string { return "argosy-edit" },
	}
}
