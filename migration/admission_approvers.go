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

// Approvers says what somebody may change in a Migration who may patch it and not update it: a person the approvals, a
// program the time of its release. It is asked about those alone: the registration's matchCondition has the API server's own
// authorizer say who may update, which is the administrator's verb.
type Approvers struct {
	Decoder admission.Decoder
}

// Handle the update of a Migration.
func (a *Approvers) Handle(_ context.Context, request admission.Request) admission.Response {
	if request.Operation != admissionv1.Update {
		return admission.Allowed("")
	}
	migration, old, err := decode[v1alpha1.Migration](a.Decoder, request)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	user, theirs, may := request.UserInfo.Username, "spec.approvals", "approve plans"
	if isProgram(user) {
		theirs, may = "spec.releasedTime", "say that it released the application"
	}
	for _, field := range touched(old, migration) {
		switch field {
		case theirs:
		case "spec.approvals":
			return admission.Denied(field + ": " + byPeople(user))
		default:
			return admission.Denied(fmt.Sprintf("%s: %s may %s and no more: whoever has the role argosy-migration-admin can do this", field, user, may))
		}
	}
	return admission.Allowed("")
}

// byPeople refuses a program's approval. Two webhooks do, and the API server shows whichever answers first.
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
