package migration

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// OwnField lets somebody who may patch a Migration, and not update it, change one field of it and no more: an approver the
// approvals, CI/CD the time of its release. Who is what the registration's matchConditions say, by the API server's own
// authorizer: "update" is the administrator's verb, "approve" the approver's, and CI/CD has neither.
type OwnField struct {
	decoder    admission.Decoder
	field, may string
}

// Approvers are asked about at ApproversPath.
func Approvers(decoder admission.Decoder) *OwnField {
	return &OwnField{decoder: decoder, field: "spec.approvals", may: "approve plans"}
}

// Publishers are asked about at PublishersPath.
func Publishers(decoder admission.Decoder) *OwnField {
	return &OwnField{decoder: decoder, field: "spec.releasedTime", may: "say that it released the application"}
}

// Handle the update of a Migration.
func (o *OwnField) Handle(_ context.Context, request admission.Request) admission.Response {
	if request.Operation != admissionv1.Update {
		return admission.Allowed("")
	}
	migration, old, err := decode[v1alpha1.Migration](o.decoder, request)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	user := request.UserInfo.Username
	for _, field := range touched(old, migration) {
		switch {
		case field == "spec.approvals" && isProgram(user):
			return admission.Denied(field + ": " + byPeople(user))
		case field == o.field:
		case field == "spec.approvals":
			return admission.Denied(fmt.Sprintf("%s: %s may %s and no more: whoever has the role argosy-migration-approver can do this", field, user, o.may))
		default:
			return admission.Denied(fmt.Sprintf("%s: %s may %s and no more: whoever has the role argosy-migration-admin can do this", field, user, o.may))
		}
	}
	return admission.Allowed("")
}

// byPeople refuses a service account's approval, whatever it is bound to. Two webhooks do, and the API server shows whichever answers first.
func byPeople(user string) string {
	return "a plan is approved by people, and " + user + " is a program"
}

// isProgram tells service accounts from people.
func isProgram(user string) bool { return strings.HasPrefix(user, "system:serviceaccount:") }

// touched are the fields in which two versions of a Migration differ.
func touched(old, next *v1alpha1.Migration) []string {
	var out []string
	note := func(field string, before, after any) {
		if !equality.Semantic.DeepEqual(before, after) {
			out = append(out, field)
		}
	}
	note("metadata.labels", old.Labels, next.Labels)
	note("metadata.annotations", old.Annotations, next.Annotations)
	note("metadata.finalizers", old.Finalizers, next.Finalizers)
	note("metadata.ownerReferences", old.OwnerReferences, next.OwnerReferences)
	note("spec.afterCutOff", old.Spec.AfterCutOff, next.Spec.AfterCutOff)
	note("spec.attempt", old.Spec.Attempt, next.Spec.Attempt)
	note("spec.releasedTime", old.Spec.ReleasedTime, next.Spec.ReleasedTime)
	note("spec.approvals", old.Spec.Approvals, next.Spec.Approvals)
	return out
}
