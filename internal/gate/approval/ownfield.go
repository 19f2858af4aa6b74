package approval

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/internal/gate"
)

// Field is where approvals stand.
const Field = "spec.approvals"

// OwnField lets somebody who may patch an object, and not update it, change one field of it and no more. Who that is the
// registration's matchConditions say, by the API server's own authorizer.
type OwnField struct {
	// Field they may change, and what that is called.
	Field, May string
	// What is approved by people, for the refusal of a program's approval.
	What string
	// Role that may change another field.
	Role func(field string) string
}

// Handle an update.
func (o *OwnField) Handle(_ context.Context, request admission.Request) admission.Response {
	if request.Operation != admissionv1.Update {
		return admission.Allowed("")
	}
	var before, after map[string]any
	if err := json.Unmarshal(request.OldObject.Raw, &before); err != nil {
		return admission.Errored(http.StatusBadRequest, fmt.Errorf("reading the stored object: %w", err))
	}
	if err := json.Unmarshal(request.Object.Raw, &after); err != nil {
		return admission.Errored(http.StatusBadRequest, fmt.Errorf("reading the object: %w", err))
	}
	user := request.UserInfo.Username
	for _, field := range gate.Touched(before, after) {
		switch {
		case field == Field && gate.IsProgram(user):
			return admission.Denied(field + ": " + gate.ByPeople(o.What, user))
		case field == o.Field:
		default:
			return admission.Denied(fmt.Sprintf("%s: %s may %s and no more: whoever has the role %s can do this", field, user, o.May, o.Role(field)))
		}
	}
	return admission.Allowed("")
}
