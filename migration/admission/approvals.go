package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate"
	"github.com/argosy-dev/argosy/migration/plan"
	"github.com/argosy-dev/argosy/migration/policy"
)

// Approvals stamps each new approval with the request's own user and time: nobody approves in another's name.
type Approvals struct {
	Decoder admission.Decoder
	Clock   clock.PassiveClock
}

// Handle a create or update of a Migration.
func (a *Approvals) Handle(_ context.Context, request admission.Request) admission.Response {
	migration, old, err := decode[v1alpha1.Migration](a.Decoder, request)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	var before []v1alpha1.Approval
	if old != nil {
		before = old.Spec.Approvals
	}
	now := metav1.NewTime(a.Clock.Now())
	for _, i := range gate.Added(before, migration.Spec.Approvals) {
		migration.Spec.Approvals[i].User, migration.Spec.Approvals[i].Time = request.UserInfo.Username, &now
	}
	raw, err := json.Marshal(migration)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.PatchResponseFromRaw(request.Object.Raw, raw)
}

// Migrations checks who approves what, and that no record of a federated application is thrown away.
type Migrations struct {
	Decoder admission.Decoder
}

// Handle a create, update or deletion of a Migration.
func (m *Migrations) Handle(_ context.Context, request admission.Request) admission.Response {
	if request.Operation == admissionv1.Delete {
		old := &v1alpha1.Migration{}
		if err := m.Decoder.DecodeRaw(request.OldObject, old); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		switch old.Status.Phase {
		case "", v1alpha1.PhasePending, v1alpha1.PhaseLeft:
			return admission.Allowed("")
		}
		return admission.Denied(
			fmt.Sprintf("the application is %s: its record cannot be deleted; take it off the whitelist and run 'argosyctl migration leave' first",
				old.Status.Phase))
	}
	migration, old, err := decode[v1alpha1.Migration](m.Decoder, request)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	if old == nil {
		if want := policy.Name(migration.Spec.Kind, migration.Spec.Name); migration.Name != want {
			return admission.Denied(
				fmt.Sprintf("metadata.name: the Migration of %s %s is named %s, and the controller makes it: put the workload on a MigrationWhitelist",
					migration.Spec.Kind, migration.Spec.Name, want))
		}
		if len(migration.Spec.Approvals) > 0 {
			return admission.Denied("spec.approvals: there is no plan yet that could be approved")
		}
		return admission.Allowed("")
	}
	if why := approvals(migration, old, request.UserInfo.Username); why != "" {
		return admission.Denied("spec.approvals: " + why)
	}
	return admission.Allowed("")
}

// approvals says what is wrong with an edit of the approvals by a user.
func approvals(migration, old *v1alpha1.Migration, user string) string {
	hash := ""
	if old.Status.Plan != nil {
		hash = old.Status.Plan.Hash
	}
	for _, i := range gate.Added(migration.Spec.Approvals, old.Spec.Approvals) {
		if gone := old.Spec.Approvals[i]; gone.User != user && gone.PlanHash == hash {
			return fmt.Sprintf("only %s can withdraw their own %s", gone.User, called(gone.Decision))
		}
	}
	since := plan.ApprovalsSince(old.Status)
	for _, i := range gate.Added(old.Spec.Approvals, migration.Spec.Approvals) {
		approval := migration.Spec.Approvals[i]
		switch {
		case gate.IsProgram(user):
			return gate.ByPeople(planApproved, user)
		case hash == "":
			return "there is no plan yet that could be approved"
		case approval.PlanHash != hash:
			return fmt.Sprintf("plan %s is not the current one, which is %s: read it with 'argosyctl migration plan' and approve that",
				approval.PlanHash, hash)
		case old.Status.Plan.Harmful > 0 && approval.Decision != v1alpha1.DecisionReject:
			return fmt.Sprintf("plan %s would change %d fields in members and cannot be approved", hash, old.Status.Plan.Harmful)
		}
		if why := decidedAlready(migration.Spec.Approvals, i, user, since); why != "" {
			return why
		}
	}
	return ""
}

// decidedAlready says whether somebody has decided about a plan by another approval than the one at i: each person has one voice.
func decidedAlready(approvals []v1alpha1.Approval, i int, user string, since time.Time) string {
	hash, decision := approvals[i].PlanHash, approvals[i].Decision
	for j, have := range approvals {
		if j == i || have.User != user || have.PlanHash != hash || have.Time == nil || !have.Time.After(since) {
			continue
		}
		if called(have.Decision) == called(decision) && decision != v1alpha1.DecisionReject {
			return fmt.Sprintf("%s has approved plan %s already: another person must", user, hash)
		}
		return fmt.Sprintf("%s has decided about plan %s already: take that back", user, hash)
	}
	return ""
}

func called(decision v1alpha1.Decision) string {
	if decision == v1alpha1.DecisionReject {
		return "rejection"
	}
	return "approval"
}
