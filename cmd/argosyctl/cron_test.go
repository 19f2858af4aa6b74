package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	clocktesting "k8s.io/utils/clock/testing"
)

// morning is any instant: every preview here says from when.
var morning = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

func previewOf(t *testing.T, file string, args ...string) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cron.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &out}
	command := newCronPreviewCommand(genericclioptions.NewConfigFlags(true), streams, clocktesting.NewFakePassiveClock(morning))
	command.SetArgs(append([]string{"-f", path}, args...))
	command.SilenceErrors, command.SilenceUsage = true, true
	err := command.ExecuteContext(t.Context())
	return out.String(), err
}

const previewSample = `
apiVersion: autoscaling.argosy.dev/v1alpha1
kind: CronHPA
metadata: {name: shop}
spec:
  scaleTargetRef: {apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, name: shop}
  rules:
  - {name: night, schedule: "30 2 * * *", timeZone: America/New_York, targetReplicas: 2}
  - {name: day, schedule: "0 9 * * *", timeZone: America/New_York, targetReplicas: 10}
  - {name: sale, schedule: "0 9 8 3 *", timeZone: America/New_York, targetReplicas: 30, runOnce: true}
  - {name: off, schedule: "* * * * *", targetReplicas: 1, suspend: true}
`

func TestCronPreview(t *testing.T) {
	got, err := previewOf(t, previewSample, "--from", "2026-03-07T12:00:00Z", "--count", "5")
	if err != nil {
		t.Fatal(err)
	}
	const want = `UTC               LOCAL                       ZONE              RULE   SETS         NOTE
2026-03-07 14:00  Sat 2026-03-07 09:00 -0500  America/New_York  day    10 replicas  
2026-03-08 07:00  Sun 2026-03-08 03:00 -0400  America/New_York  night  2 replicas   02:00 to 03:00 does not exist on this day: fires at the end of the gap
2026-03-08 13:00  Sun 2026-03-08 09:00 -0400  America/New_York  day    10 replicas  superseded by rule sale, due at the same instant and listed later
2026-03-08 13:00  Sun 2026-03-08 09:00 -0400  America/New_York  sale   30 replicas  
2026-03-09 06:30  Mon 2026-03-09 02:30 -0400  America/New_York  night  2 replicas   
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("preview (-want +got):\n%s", diff)
	}
}

func TestCronPreviewSaysWhatIsWrong(t *testing.T) {
	for name, tc := range map[string]struct {
		file, wantErr string
		args          []string
	}{
		"schedule":   {file: strings.Replace(previewSample, "30 2", "61 2", 1), wantErr: "spec.rules[0].schedule"},
		"a typo":     {file: strings.Replace(previewSample, "runOnce", "runonec", 1), wantErr: "runonec"},
		"other kind": {file: strings.Replace(previewSample, "kind: CronHPA", "kind: FedHPA", 1), wantErr: "want a CronHPA"},
		"from":       {file: previewSample, args: []string{"--from", "tomorrow"}, wantErr: "--from"},
		"count":      {file: previewSample, args: []string{"--count", "0"}, wantErr: "--count"},
		"two inputs": {file: previewSample, args: []string{"shop"}, wantErr: "name a CronHPA, or give a file"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := previewOf(t, tc.file, tc.args...); err == nil || !strings.Contains(err.Error(), tc.wantErr) {
				t.Errorf("error %v, want one with %q", err, tc.wantErr)
			}
		})
	}
}
