package approval

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate"
)

// approved is what every kind with approvals has, whatever else it is.
type approved struct {
	Spec struct {
		Approvals []v1alpha1.Approval `json:"approvals"`
	} `json:"spec"`
	Status struct {
		PendingApprovals []v1alpha1.PendingApproval `json:"pendingApprovals"`
	} `json:"status"`
}

// edit is the request's. What waits is read from the stored object: the new one's status is the caller's claim.
func edit(request admission.Request) (gate.Edit, error) {
	var before, after approved
	if err := json.Unmarshal(request.Object.Raw, &after); err != nil {
		return gate.Edit{}, fmt.Errorf("reading the object: %w", err)
	}
	if len(request.OldObject.Raw) > 0 {
		if err := json.Unmarshal(request.OldObject.Raw, &before); err != nil {
			return gate.Edit{}, fmt.Errorf("reading the stored object: %w", err)
		}
	}
	return gate.Edit{
		User: request.UserInfo.Username, Before: before.Spec.Approvals, After: after.Spec.Approvals, Pending: before.Status.PendingApprovals,
	}, nil
}

// Stamps writes who decided and when into new approvals: nobody approves in another's name.
type Stamps struct {
	Clock clock.PassiveClock
}

// Handle a create or update.
func (a *Stamps) Handle(_ context.Context, request admission.Request) admission.Response {
	asked, err := edit(request)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	stamped, err := asked.Stamp(metav1.NewTime(a.Clock.Now()))
	if err != nil {
		return admission.Denied(err.Error())
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(request.Object.Raw, &object); err != nil {
		return admission.Errored(http.StatusBadRequest, fmt.Errorf("reading the object: %w", err))
	}
	var spec map[string]json.RawMessage
	if err := json.Unmarshal(object["spec"], &spec); err != nil {
		return admission.Errored(http.StatusBadRequest, fmt.Errorf("reading spec: %w", err))
	}
	if len(stamped) == 0 {
		delete(spec, "approvals")
	} else if spec["approvals"], err = json.Marshal(stamped); err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	if object["spec"], err = json.Marshal(spec); err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	raw, err := json.Marshal(object)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.PatchResponseFromRaw(request.Object.Raw, raw)
}

// Checks refuses approvals that bear another's name or none, and those of what does not wait. It comes after every webhook that
// changes objects.
type Checks struct{}

// Handle a create or update.
func (Checks) Handle(_ context.Context, request admission.Request) admission.Response {
	asked, err := edit(request)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	if why := asked.Refusal(); why != "" {
		return admission.Denied(why)
	}
	return admission.Allowed("")
}
