package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoadControllerManager(t *testing.T) {
	const header = "apiVersion: config.argosy.dev/v1alpha1\nkind: ControllerManagerConfiguration\n"
	for name, tc := range map[string]struct {
		text    string
		want    func(*ControllerManager)
		wantErr string
	}{
		"header alone is the defaults": {text: header, want: func(*ControllerManager) {}},
		"one field, the others stay": {
			text: header + "controllers:\n  cronHPA:\n    concurrency: 3\n",
			want: func(c *ControllerManager) { c.Controllers.CronHPA.Concurrency = 3 },
		},
		"a typo at the top":   {text: header + "leaderElectoin: {}\n", wantErr: `"leaderElectoin"`},
		"a typo deep inside":  {text: header + "controllers: {cronHPA: {concurency: 3}}\n", wantErr: `"controllers.cronHPA.concurency"`},
		"a field given twice": {text: header + "healthBindAddress: :1\nhealthBindAddress: :2\n", wantErr: "healthBindAddress"},
		"another binary's file": {
			text: "apiVersion: config.argosy.dev/v1alpha1\nkind: WebhookConfiguration\n", wantErr: "kind: Unsupported value",
		},
		"an unknown version": {
			text: "apiVersion: config.argosy.dev/v2\nkind: ControllerManagerConfiguration\n", wantErr: "apiVersion: Unsupported value",
		},
		"a mode that is none": {text: header + "controllers: {podScaleIn: {mode: off}}\n", wantErr: "controllers.podScaleIn.mode"},
		"no workers": {
			text: header + "controllers: {podScaleIn: {concurrency: 0}}\n", wantErr: "controllers.podScaleIn.concurrency",
		},
		"lease shorter than it": {
			text: header + "leaderElection: {leaseDurationSeconds: 5}\n", wantErr: "leaderElection.leaseDurationSeconds",
		},
		"no renewal": {
			text: header + "leaderElection: {renewDeadlineSeconds: 1}\n", wantErr: "leaderElection.renewDeadlineSeconds",
		},
		"address without a port": {text: header + "metricsBindAddress: localhost\n", wantErr: "metricsBindAddress"},
		"rate of nothing":        {text: header + "client: {qps: 0}\n", wantErr: "client.qps"},
		"estimators maybe asked": {
			text: header + "controllers: {fedHPA: {estimators: {mode: Perhaps}}}\n", wantErr: "controllers.fedHPA.estimators.mode",
		},
		"estimators at no port": {
			text: header + "controllers: {fedHPA: {estimators: {port: 0}}}\n", wantErr: "controllers.fedHPA.estimators.port",
		},
		"estimators asked for ever": {
			text: header + "controllers: {fedHPA: {estimators: {timeoutSeconds: 31}}}\n", wantErr: "controllers.fedHPA.estimators.timeoutSeconds",
		},
		"estimators of no name": {
			text: header + "controllers: {fedHPA: {estimators: {servicePrefix: \"\"}}}\n", wantErr: "controllers.fedHPA.estimators.serviceNamespace",
		},
		"a certificate, no key": {
			text: header + "controllers: {fedHPA: {estimators: {certFile: /c}}}\n", wantErr: "controllers.fedHPA.estimators.keyFile",
		},
		"no estimators at all": {text: header + "controllers: {fedHPA: {estimators: {mode: Disabled, port: 0}}}\n",
			want: func(c *ControllerManager) {
				c.Controllers.FedHPA.Estimators.Mode, c.Controllers.FedHPA.Estimators.Port = Disabled, 0
			}},
		"rate without burst": {text: header + "client: {qps: 5}\n", wantErr: "client.burst"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := LoadControllerManager(path)
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Fatalf("error %v, want one that names %s", err, tc.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := DefaultControllerManager()
			tc.want(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadControllerManagerWithoutAFile(t *testing.T) {
	got, err := LoadControllerManager("")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(DefaultControllerManager(), got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if _, err := LoadControllerManager(filepath.Join(t.TempDir(), "absent.yaml")); err == nil {
		t.Error("a file that does not exist was read")
	}
}
