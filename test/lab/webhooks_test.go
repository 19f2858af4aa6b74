package lab

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/internal/install"
)

// TestWaitLonger: whoever is admitted waits for the webhooks longer, and Karmada, which asks the interpreter's, does not.
func TestWaitLonger(t *testing.T) {
	objects, err := install.Registrations("https://127.0.0.1:1", []byte("none"))
	if err != nil {
		t.Fatal(err)
	}
	longer, others := 0, 0
	for _, object := range objects {
		WaitLonger(object)
		webhooks, _, err := unstructured.NestedSlice(object.Object, "webhooks")
		if err != nil {
			t.Fatal(err)
		}
		for _, webhook := range webhooks {
			switch seconds := webhook.(map[string]any)["timeoutSeconds"]; {
			case seconds == int64(webhooksWithin):
				longer++
			case object.GetKind() == "ResourceInterpreterWebhookConfiguration":
				others++
			default:
				t.Errorf("%s %s is waited for %v s", object.GetKind(), object.GetName(), seconds)
			}
		}
	}
	if longer == 0 || others == 0 {
		t.Errorf("%d webhooks of admission and %d others were looked at", longer, others)
	}
}
