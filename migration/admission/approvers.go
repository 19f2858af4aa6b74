package admission

import (
	gateapproval "github.com/argosy-dev/argosy/internal/gate/approval"
)

// Approvers are asked about at ApproversPath: whoever may patch Migrations and approve plans, and not update Migrations, changes the
// approvals and no more. "update" is the administrator's verb, "approve" the approver's, and CI/CD has neither.
func Approvers() *gateapproval.OwnField {
	return &gateapproval.OwnField{Field: gateapproval.Field, May: "approve plans", What: planApproved, Role: roleFor}
}

// Publishers are asked about at PublishersPath: CI/CD says when it released, and no more.
func Publishers() *gateapproval.OwnField {
	return &gateapproval.OwnField{Field: "spec.releasedTime", May: "say that it released the application", What: planApproved, Role: roleFor}
}

// planApproved is what people approve here. Two webhooks refuse a program's approval, and the API server shows whichever answers first.
const planApproved = "a plan"

func roleFor(field string) string {
	if field == gateapproval.Field {
		return "argosy-migration-approver"
	}
	return "argosy-migration-admin"
}
