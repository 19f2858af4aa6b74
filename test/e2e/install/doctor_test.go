package install

import (
	"encoding/base64"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/certificates"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
	"github.com/argosy-dev/argosy/test/lab/process"
)

// diagnosed asks argosyctl doctor as docs/install.md does: of an installation that is well, of one whose registration somebody changed, and
// again after the remedy it names.
func (r *release) diagnosed(t *testing.T) {
	if out, err := r.doctor(t); err != nil || !strings.Contains(out, "problems: 0, warnings: 0") {
		t.Errorf("of a healthy installation: %v\n%s", err, out)
	}
	strangers, _, err := certificates.EnsureAuthority(certificates.Authority{}, clock.RealClock{}.Now())
	if err != nil {
		t.Fatal(err)
	}
	r.trust(t, strangers.Cert)
	out, err := r.doctor(t)
	if err == nil {
		t.Errorf("of an installation whose webhook nobody can trust:\n%s", out)
	}
	for _, want := range []string{"certificate", "ResourceInterpreterWebhookConfiguration/argosy", "is not signed by caBundle",
		"argosyctl install", "problems: 1"} {
		if !strings.Contains(out, want) {
			t.Errorf("the doctor does not say %q:\n%s", want, out)
		}
	}
	r.runJob(t, r.chart.job(t, "argosy-renew"))
	if out, err := r.doctor(t); err != nil || !strings.Contains(out, "problems: 0, warnings: 0") {
		t.Errorf("after the remedy: %v\n%s", err, out)
	}
}

func (r *release) doctor(t *testing.T) (string, error) {
	t.Helper()
	now := clock.RealClock{}
	for tries := 1; ; tries++ {
		start := now.Now()
		out, err := process.Run(t.Context(), r.programs["argosyctl"], "--kubeconfig="+r.lab.Kubeconfigs[lab.KarmadaPlaneName], "doctor")
		if !machine.This().Disturbed(start, now.Now()) || tries == machine.Tries {
			return out, err
		}
		// What the doctor could not reach while the machine stood still is no finding.
		t.Logf("the machine stood still while the doctor looked: %v", err)
		<-now.After(machine.Echo)
	}
}

// trust makes the interpreter's registration trust this and nothing else.
func (r *release) trust(t *testing.T, bundle []byte) {
	t.Helper()
	registration := &unstructured.Unstructured{}
	registration.SetAPIVersion("config.karmada.io/v1alpha1")
	registration.SetKind("ResourceInterpreterWebhookConfiguration")
	if err := r.karmada.Get(t.Context(), client.ObjectKey{Name: "argosy"}, registration); err != nil {
		t.Fatal(err)
	}
	webhooks, _, err := unstructured.NestedSlice(registration.Object, "webhooks")
	if err != nil {
		t.Fatal(err)
	}
	for _, webhook := range webhooks {
		if err := unstructured.SetNestedField(webhook.(map[string]any), base64.StdEncoding.EncodeToString(bundle), "clientConfig",
			"caBundle"); err != nil {
			t.Fatal(err)
		}
	}
	if err := unstructured.SetNestedSlice(registration.Object, webhooks, "webhooks"); err != nil {
		t.Fatal(err)
	}
	if err := r.karmada.Update(t.Context(), registration); err != nil {
		t.Fatal(err)
	}
}
