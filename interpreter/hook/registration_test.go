package hook

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/interpreter"
)

var update = flag.Bool("update", false, "write deploy/webhook/interpreter.yaml anew")

const manifestPath = "../../deploy/webhook/interpreter.yaml"

const manifestHead = `# Makes Karmada ask argosy-webhook. Apply it to karmada-apiserver after the webhook runs, with caBundle filled in:
# base64 of the CA that signed the webhook's tls.crt (argosyctl doctor checks it).
#
# The rules are exactly what the families answer. Written by: go test ./interpreter/hook -run TestRegistration -update
`

// TestRegistration holds the manifest and the families together.
func TestRegistration(t *testing.T) {
	want := Registration(interpreter.Families(), admissionregistrationv1.WebhookClientConfig{
		Service: &admissionregistrationv1.ServiceReference{
			Namespace: "argosy-system", Name: "argosy-webhook", Path: ptr.To(Path), Port: ptr.To[int32](443),
		},
	})
	if *update {
		text, err := yaml.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(manifestPath, append([]byte(manifestHead), text...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(manifestPath)
	if err != nil {
		t.Fatal(err)
	}
	var have configv1alpha1.ResourceInterpreterWebhookConfiguration
	if err := yaml.UnmarshalStrict(text, &have); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, &have); diff != "" {
		t.Errorf("deploy/webhook/interpreter.yaml is not what the families answer; run this test with -update\n%s", diff)
	}
}
