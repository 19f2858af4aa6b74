package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What is carried beside the built-in kinds is named in full, or the start ends with the field's name.
func TestCarriedKinds(t *testing.T) {
	const policies = `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, resource: networkpolicies}`
	const path = "controllers.migration.carriedKinds[0]"
	for name, tc := range map[string]struct {
		list string
		want []schema.GroupVersionKind
		says string
	}{
		"none": {},
		"two": {
			list: policies + `, {apiVersion: v1, kind: ResourceQuota, resource: resourcequotas}`,
			want: []schema.GroupVersionKind{
				{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"}, {Version: "v1", Kind: "ResourceQuota"},
			},
		},
		"without a version":  {list: `{kind: NetworkPolicy, resource: networkpolicies}`, says: path + ".apiVersion"},
		"no version":         {list: `{apiVersion: a/b/c, kind: NetworkPolicy, resource: networkpolicies}`, says: path + ".apiVersion"},
		"without a kind":     {list: `{apiVersion: v1, resource: x}`, says: path + ".kind"},
		"without a resource": {list: `{apiVersion: v1, kind: X}`, says: path + ".resource"},
		"a kind for a resource": {
			list: `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, resource: NetworkPolicy}`, says: path + ".resource",
		},
		"twice":             {list: policies + "," + policies, says: "controllers.migration.carriedKinds[1]: Duplicate"},
		"rights":            {list: `{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, resource: roles}`, says: "rights are not carried"},
		"Karmada's own":     {list: `{apiVersion: policy.karmada.io/v1alpha1, kind: X, resource: x}`, says: "of the federation's own"},
		"ours":              {list: `{apiVersion: autoscaling.argosy.dev/v1alpha1, kind: X, resource: x}`, says: "of the federation's own"},
		"a slip of the pen": {list: `{apiVersion: v1, kind: X, resources: x}`, says: "resources"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config.yaml")
			text := "apiVersion: config.argosy.dev/v1alpha1\nkind: ControllerManagerConfiguration\n" +
				"controllers: {migration: {carriedKinds: [" + tc.list + "]}}\n"
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := LoadControllerManager(file)
			if tc.says != "" {
				if err == nil || !strings.Contains(err.Error(), tc.says) {
					t.Errorf("error %v, want %q", err, tc.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got.Controllers.Migration.Kinds()); diff != "" {
				t.Errorf("kinds (-want +got):\n%s", diff)
			}
			if got.Controllers.Migration.Mode != Enabled || got.Controllers.Migration.Concurrency != 8 {
				t.Errorf("the rest of the section is %+v", got.Controllers.Migration)
			}
		})
	}
}
