package vm

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate"
	"github.com/argosy-dev/argosy/internal/gate/approval"
)

// Paths of the admission of overrides in members; deploy/member-manager/webhook.yaml registers them beside those of approvals.
const (
	StampOverridePath = "/mutate-vm-overrides"
	OverridesPath     = "/validate-vm-overrides"
)

// overridden is what a write does to spec.override of a Server.
type overridden struct {
	before, after *v1alpha1.Override
	user          string
}

func readOverride(request admission.Request) (overridden, error) {
	out := overridden{user: request.UserInfo.Username}
	var before, after v1alpha1.Server
	if err := json.Unmarshal(request.Object.Raw, &after); err != nil {
		return out, fmt.Errorf("reading the Server: %w", err)
	}
	if len(request.OldObject.Raw) > 0 {
		if err := json.Unmarshal(request.OldObject.Raw, &before); err != nil {
			return out, fmt.Errorf("reading the stored Server: %w", err)
		}
	}
	out.before, out.after = before.Spec.Override, after.Spec.Override
	return out, nil
}

func (o overridden) changed() bool {
	return o.after != nil && !equality.Semantic.DeepEqual(o.before, o.after)
}

func (o overridden) refusal() string {
	decided := gate.Decided{Field: "spec.override", User: o.user, By: o.after.By}
	if o.before != nil {
		decided.Before = o.before.By
	}
	return decided.Refusal()
}

// OverrideStamps write who decided and when into an override: nobody decides in another's name, and no program does.
type OverrideStamps struct {
	Clock clock.PassiveClock
}

// Handle a create or update of a Server.
func (s *OverrideStamps) Handle(_ context.Context, request admission.Request) admission.Response {
	o, err := readOverride(request)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	if !o.changed() {
		return admission.Allowed("")
	}
	if why := o.refusal(); why != "" {
		return admission.Denied(why)
	}
	stamped := o.after.DeepCopy()
	// A time as the API server will give it back: in seconds.
	stamped.By, stamped.At = o.user, &metav1.Time{Time: s.Clock.Now().Truncate(time.Second)}
	raw, err := setOverride(request.Object.Raw, stamped)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.PatchResponseFromRaw(request.Object.Raw, raw)
}

// setOverride leaves every other byte's meaning as it was sent.
func setOverride(server []byte, override *v1alpha1.Override) ([]byte, error) {
	var object, spec map[string]json.RawMessage
	if err := json.Unmarshal(server, &object); err != nil {
		return nil, fmt.Errorf("reading the Server: %w", err)
	}
	if err := json.Unmarshal(object["spec"], &spec); err != nil {
		return nil, fmt.Errorf("reading spec: %w", err)
	}
	var err error
	if spec["override"], err = json.Marshal(override); err != nil {
		return nil, err
	}
	if object["spec"], err = json.Marshal(spec); err != nil {
		return nil, err
	}
	return json.Marshal(object)
}

// OverrideChecks refuse an override that bears another's name or none; they come after every webhook that changes objects.
type OverrideChecks struct{}

// Handle a create or update of a Server.
func (OverrideChecks) Handle(_ context.Context, request admission.Request) admission.Response {
	o, err := readOverride(request)
	switch {
	case err != nil:
		return admission.Errored(http.StatusBadRequest, err)
	case !o.changed():
		return admission.Allowed("")
	case o.after.By != o.user || o.after.At == nil || gate.IsProgram(o.user):
		return admission.Denied("spec.override: a decision bears the name of the person who takes it and the time: admission writes both")
	}
	return admission.Allowed("")
}

// MemberHandlers are the admission of a member, by path: approvals as in the control plane, and overrides.
func MemberHandlers(now clock.PassiveClock) map[string]http.Handler {
	out := map[string]http.Handler{}
	for path, handler := range map[string]admission.Handler{
		StampPath: &approval.Stamps{Clock: now}, ApprovalsPath: approval.Checks{}, ApproversPath: Approvers(),
		StampOverridePath: &OverrideStamps{Clock: now}, OverridesPath: OverrideChecks{},
	} {
		out[path] = &admission.Webhook{Handler: handler}
	}
	return out
}
