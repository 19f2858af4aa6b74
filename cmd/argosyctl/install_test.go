package main

import (
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
