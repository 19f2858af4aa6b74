package policy

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Every kind that a migration carries is one its controller may read, write and delete in the control plane: a template of another could
// be published and not rolled back.
func TestTheControllerMayHandleWhatIsCarried(t *testing.T) {
	content, err := os.ReadFile("../../deploy/controller-manager/role.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rules []rbacv1.PolicyRule
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	for {
		role := rbacv1.ClusterRole{}
		if err := documents.Decode(&role); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if role.Kind == "ClusterRole" {
			rules = append(rules, role.Rules...)
		}
	}
	if len(rules) < 10 {
		t.Fatalf("%d rules were found: the test no longer reads the role", len(rules))
	}
	for _, kind := range Carried() {
		resource, _ := meta.UnsafeGuessKindToResource(kind)
		for _, verb := range []string{"get", "create", "update", "patch", "delete"} {
			may := slices.ContainsFunc(rules, func(rule rbacv1.PolicyRule) bool {
				return slices.Contains(rule.APIGroups, kind.Group) && slices.Contains(rule.Resources, resource.Resource) &&
					slices.Contains(rule.Verbs, verb)
			})
			if !may {
				t.Errorf("the controller may not %s %s of group %q, and %s is carried", verb, resource.Resource, kind.Group, kind.Kind)
			}
		}
	}
}
