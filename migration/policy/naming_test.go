package policy

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"
)

func TestName(t *testing.T) {
	long := strings.Repeat("a", 63)
	for name, tc := range map[string]struct {
		kind, name string
		want       string
	}{
		"kind first, in lower case": {kind: "CloneSet", name: "shop", want: "cloneset-shop"},
		"exactly 63 is kept":        {kind: "Service", name: long[:55], want: "service-" + long[:55]},
		"64 is hashed":              {kind: "Service", name: long[:56], want: "service-" + long[:44] + "-063f4b314f"},
		"capitals are hashed apart": {kind: "Role", name: "Reader", want: "role-reader-cdd0acbc88"},
		"colons are hashed apart":   {kind: "Role", name: "system:reader", want: "role-system-reader-a66d1aae5f"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Name(tc.kind, tc.name); got != tc.want {
				t.Errorf("Name(%q, %q) = %q, want %q", tc.kind, tc.name, got, tc.want)
			}
		})
	}
}

// Whatever the names, a policy's name is one Karmada takes, and no two objects share one.
func TestNamesAreLegalAndApart(t *testing.T) {
	kinds := rapid.SampledFrom([]string{"Deployment", "CloneSet", "ConfigMap", "Secret", "Service", "Role"})
	names := rapid.StringMatching(`[a-zA-Z0-9]([-a-zA-Z0-9.:]{0,90}[a-zA-Z0-9])?`)
	rapid.Check(t, func(t *rapid.T) {
		kind, first, second := kinds.Draw(t, "kind"), names.Draw(t, "first"), names.Draw(t, "second")
		got := Name(kind, first)
		if problems := validation.IsDNS1123Subdomain(got); len(problems) > 0 || len(got) > 63 {
			t.Fatalf("Name(%q, %q) = %q: %v", kind, first, got, problems)
		}
		if first != second && got == Name(kind, second) {
			t.Fatalf("%q and %q of kind %s share the name %q", first, second, kind, got)
		}
	})
}
