package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoadWebhook(t *testing.T) {
	const header = "apiVersion: config.argosy.dev/v1alpha1\nkind: WebhookConfiguration\n"
	for name, tc := range map[string]struct {
		text    string
		want    func(*Webhook)
		wantErr string
	}{
		"header alone is the defaults": {text: header, want: func(*Webhook) {}},
		"an address and a folder": {
			text: header + "bindAddress: 127.0.0.1:9000\ncertDir: /tmp/pki\n",
			want: func(c *Webhook) { c.BindAddress, c.CertDir = "127.0.0.1:9000", "/tmp/pki" },
		},
		"a typo": {text: header + "certdir: /tmp\n", wantErr: `"certdir"`},
		"another binary's file": {
			text: "apiVersion: config.argosy.dev/v1alpha1\nkind: ControllerManagerConfiguration\n", wantErr: "kind: Unsupported value",
		},
		"the server cannot be switched off": {text: header + "bindAddress: \"0\"\n", wantErr: "bindAddress"},
		"an address without a port":         {text: header + "bindAddress: localhost\n", wantErr: "bindAddress"},
		"no certificates":                   {text: header + "certDir: \"\"\n", wantErr: "certDir"},
		"a drain before it began":           {text: header + "drainSeconds: -1\n", wantErr: "drainSeconds"},
		"no time to stop":                   {text: header + "shutdownSeconds: 0\n", wantErr: "shutdownSeconds"},
		"metrics at no port":                {text: header + "metricsBindAddress: here\n", wantErr: "metricsBindAddress"},
		"health at no port":                 {text: header + "healthBindAddress: here\n", wantErr: "healthBindAddress"},
		"no requests at all":                {text: header + "client: {qps: 0}\n", wantErr: "client.qps"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := LoadWebhook(path)
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Fatalf("error %v, want one that names %s", err, tc.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := DefaultWebhook()
			tc.want(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
		})
	}
}
