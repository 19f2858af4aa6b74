package install

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Who has a kind carried gives the controllers, and nobody else, the rights that they have of the built-in kinds.
func TestRightsOfCarriedKinds(t *testing.T) {
	installer := &Installer{Options: Options{Carry: []string{"networkpolicies.networking.k8s.io", "resourcequotas"}}}
	objects, err := installer.controlPlane()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*unstructured.Unstructured{}
	for _, object := range objects {
		if object.GetName() == "argosy-controller-manager-carried" {
			found[object.GetKind()] = object
		}
	}
	if len(found) != 2 {
		t.Fatalf("found %v, want a ClusterRole and its binding", found)
	}
	verbs := []any{"get", "create", "update", "patch", "delete"}
	want := []any{
		map[string]any{"apiGroups": []any{"networking.k8s.io"}, "resources": []any{"networkpolicies"}, "verbs": verbs},
		map[string]any{"apiGroups": []any{""}, "resources": []any{"resourcequotas"}, "verbs": verbs},
	}
	if diff := cmp.Diff(want, found["ClusterRole"].Object["rules"]); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	subject := []any{Account(Namespace, "argosy-controller-manager")}
	if diff := cmp.Diff(subject, found["ClusterRoleBinding"].Object["subjects"]); diff != "" {
		t.Errorf("subjects (-want +got):\n%s", diff)
	}
	if none := (&Installer{}).carried(); none != nil {
		t.Errorf("without further kinds there is %v", none)
	}
}

func TestCarryIsChecked(t *testing.T) {
	options := Options{WebhookURL: "https://x", WebhookCertificates: CertManager, TokenLife: time.Hour}
	for text, ok := range map[string]bool{
		"networkpolicies.networking.k8s.io": true, "resourcequotas": true, "NetworkPolicy": false, "": false, "a.b_c": false,
		"networking.k8s.io/v1": false,
	} {
		options.Carry = []string{text}
		if err := options.Validate(); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "--carry") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
