package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/cmd/argosyctl/doctor"
)

func TestReport(t *testing.T) {
	stray := doctor.Finding{
		Severity: doctor.Problem, Check: "customization", Object: "ResourceInterpreterCustomization/stray",
		Message: "it takes ReviseReplica of apps.kruise.io/v1beta1 StatefulSet from Argosy", Remedy: "delete it",
	}
	for name, tc := range map[string]struct {
		output   string
		findings []doctor.Finding
		want     string
		wantErr  error
	}{
		"for a person": {output: "text", findings: []doctor.Finding{stray}, wantErr: errReported,
			want: `Problem (customization): ResourceInterpreterCustomization/stray
  it takes ReviseReplica of apps.kruise.io/v1beta1 StatefulSet from Argosy
  -> delete it

18 checks; problems: 1, warnings: 0
`},
		"nothing found": {output: "text", want: "18 checks; problems: 0, warnings: 0\n"},
		"nothing found, for a program": {output: "yaml", want: `checks:
- registration
- works
- timeout
- second-webhook
- customization
- components
- certificate
- status-subresource
- binding-name
- descheduler
- failover
- rollout
- silent-member
- image-override
- autoscaler
- selector
- member-manager
- vm-deletion
findings: []
`},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if err := report(&out, tc.output, tc.findings); !errors.Is(err, tc.wantErr) {
				t.Errorf("got %v, want %v", err, tc.wantErr)
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}
