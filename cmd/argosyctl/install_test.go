package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/internal/install"
)

// TestInstallKnowsTheChartsService: who names no address of the webhook means that of its Service in the namespace of the programs.
func TestInstallKnowsTheChartsService(t *testing.T) {
	for name, tc := range map[string]struct {
		given, want install.Options
	}{
		"nothing": {want: install.Options{
			WebhookURL: "https://argosy-webhook.karmada-system.svc:443", WebhookNames: []string{"argosy-webhook.karmada-system.svc"},
		}},
		"both": {
			given: install.Options{WebhookURL: "https://hooks.example:8443", WebhookNames: []string{"hooks.example"}},
			want:  install.Options{WebhookURL: "https://hooks.example:8443", WebhookNames: []string{"hooks.example"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			flags := installFlags{hostNamespace: "karmada-system", options: tc.given}
			flags.addresses()
			if diff := cmp.Diff(tc.want, flags.options); diff != "" {
				t.Errorf("(-want +have):\n%s", diff)
			}
		})
	}
}

// TestChangedFields: each field by its path, of a list the items that come and go, and no certificate from its beginning to its end.
func TestChangedFields(t *testing.T) {
	object := func(bundle string, rules ...any) map[string]any {
		return map[string]any{"rules": rules, "webhooks": []any{map[string]any{"clientConfig": map[string]any{"caBundle": bundle}}}}
	}
	have, err := changedFields(object("short", "get"), object(strings.Repeat("A", 1000), "get: all"))
	want := "  - /rules/0: \"get\"\n  + /rules/0: \"get: all\"\n" +
		"  - /webhooks/0/clientConfig/caBundle: \"short\"\n" +
		"  + /webhooks/0/clientConfig/caBundle: \"" + strings.Repeat("A", 199) + "... (1002 characters)\n"
	if diff := cmp.Diff(want, have); diff != "" || err != nil {
		t.Errorf("%v (-want +have):\n%s", err, diff)
	}
	have, err = changedFields(object("a", "get", "list", "watch"), object("a", "list", "create", "watch", "update"))
	want = "  - /rules: \"get\"\n  + /rules: \"create\"\n  + /rules: \"update\"\n"
	if diff := cmp.Diff(want, have); diff != "" || err != nil {
		t.Errorf("of a list with other items: %v (-want +have):\n%s", err, diff)
	}
	have, err = changedFields(object("a", "get", "get"), object("a", "get"))
	if want := "  - /rules: [\"get\",\"get\"]\n  + /rules: [\"get\"]\n"; have != want || err != nil {
		t.Errorf("of a list with fewer of the same: %q, %v", have, err)
	}
	if have, err = changedFields(object("a"), object("a")); have != "" || err != nil {
		t.Errorf("of what is the same: %q, %v", have, err)
	}
}
