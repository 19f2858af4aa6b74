package approval

import (
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"time"
)

// FuzzApprovals sends whatever a body may be: nothing panics, and what cannot be read is not let through.
func FuzzApprovals(f *testing.F) {
	f.Add(`{"spec":{"approvals":[{"gate":"g","operationID":"op-1","decision":"Approve"}]}}`,
		`{"status":{"pendingApprovals":[{"gate":"g","operationID":"op-1"}]}}`)
	f.Add(`{"spec":null}`, `{}`)
	f.Add(`[]`, `null`)
	f.Add(`{"spec":{"approvals":"x"}}`, ``)
	stamps := &Stamps{Clock: clocktesting.NewFakePassiveClock(time.Unix(0, 0))}
	f.Fuzz(func(t *testing.T, object, old string) {
		request := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
			Operation: admissionv1.Update, UserInfo: authenticationv1.UserInfo{Username: "bob"},
			Object: runtime.RawExtension{Raw: []byte(object)}, OldObject: runtime.RawExtension{Raw: []byte(old)},
		}}
		for _, handler := range []admission.Handler{stamps, Checks{}, &OwnField{Role: func(string) string { return "" }}} {
			response := handler.Handle(t.Context(), request)
			if _, err := edit(request); err != nil && response.Allowed {
				if _, whole := handler.(*OwnField); !whole {
					t.Errorf("%T lets through what it cannot read: %v", handler, err)
				}
			}
		}
	})
}
