package install

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestTheRenewerMayWriteEveryRegistration: its rights name each of them, and nothing else.
func TestTheRenewerMayWriteEveryRegistration(t *testing.T) {
	registrations, err := Registrations("https://argosy-webhook:443", []byte("trust"))
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, object := range registrations {
		if strings.HasSuffix(object.GetKind(), "WebhookConfiguration") {
			want = append(want, object.GetName())
		}
	}
	roles, err := glob("renew/role.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range roles {
		rules, _, err := unstructured.NestedSlice(role.Object, "rules")
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range rules {
			rule := item.(map[string]any)
			verbs, _, _ := unstructured.NestedStringSlice(rule, "verbs")
			if names, found, _ := unstructured.NestedStringSlice(rule, "resourceNames"); found && slices.Contains(verbs, "patch") {
				got = append(got, names...)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(slices.Compact(want), slices.Compact(got)); diff != "" {
		t.Errorf("registrations (-made +that its role names):\n%s", diff)
	}
	tokens := Parts()
	for _, role := range roles {
		if role.GetKind() == "Role" {
			rules, _, _ := unstructured.NestedSlice(role.Object, "rules")
			names, _, _ := unstructured.NestedStringSlice(rules[0].(map[string]any), "resourceNames")
			tokens = slices.DeleteFunc(tokens, func(p Part) bool { return slices.Contains(names, p.Program) })
		}
	}
	if len(tokens) > 0 {
		t.Errorf("it may make no tokens of %v", tokens)
	}
}
