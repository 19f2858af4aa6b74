package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoadEstimator(t *testing.T) {
	const head = "apiVersion: config.argosy.dev/v1alpha1\nkind: EstimatorConfiguration\n"
	tests := map[string]struct {
		text string
		want string // part of the error; empty: no error
	}{
		"defaults":               {head, ""},
		"a member by kubeconfig": {head + "members: [{name: m1, kubeconfig: /m1}]\n", ""},
		"a typo":                 {head + "memberz: []\n", "memberz"},
		"another binary's file":  {"apiVersion: config.argosy.dev/v1alpha1\nkind: ControllerManagerConfiguration\n", "kind"},
		"twice the same member":  {head + "members: [{name: m1, kubeconfig: /a}, {name: m1, kubeconfig: /b}]\n", "members[1].name"},
		"a member with nothing":  {head + "members: [{name: m1}]\n", "members[0]"},
		"not a name":             {head + "members: [{name: M_1, kubeconfig: /a}]\n", "members[0].name"},
		"no way to a member": {
			head + "followClusters: Disabled\nmembers: [{name: m1, schedulerConfiguration: /a}]\n", "members[0].kubeconfig",
		},
		"neither on nor off":      {head + "followClusters: \"true\"\n", "followClusters"},
		"kept for ever":           {head + "staleness: {keepSeconds: 100000}\n", "staleness.keepSeconds"},
		"registered":              {head + "registration: {mode: Enabled, host: argosy-estimator.karmada-system.svc}\n", ""},
		"registered nowhere":      {head + "registration: {mode: Enabled}\n", "registration.host"},
		"registered at a URL":     {head + "registration: {mode: Enabled, host: \"https://estimator\"}\n", "registration.host"},
		"registered at no port":   {head + "registration: {mode: Enabled, host: estimator, port: 0}\n", "registration.port"},
		"registered too early":    {head + "registration: {mode: Enabled, host: estimator, expected: [m1, M_2]}\n", "registration.expected[1]"},
		"maybe registered":        {head + "registration: {mode: Perhaps}\n", "registration.mode"},
		"drained backwards":       {head + "drainSeconds: -1\n", "drainSeconds"},
		"a selector that is none": {head + "clusterSelector: \"a in\"\n", "clusterSelector"},
		"fresh too short":         {head + "staleness: {freshSeconds: 6}\n", "staleness.freshSeconds"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "estimator.yaml")
			if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := LoadEstimator(path)
			if tc.want == "" && err != nil {
				t.Errorf("error %v, want none", err)
			}
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error %v, want one that names %s", err, tc.want)
			}
		})
	}
}
