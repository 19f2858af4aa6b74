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
  - {name: paused, schedule: "* * * * *", targetReplicas: 1, suspend: true}
`

func TestCronPreview(t *testing.T) {
	got, err := previewOf(t, previewSample, "--from", "2026-03-07T12:00:00Z", "--count", "5")
	if err != nil {
		t.Fatal(err)
	}
	//nolint:lll // what the command prints
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
		"schedule": {file: strings.Replace(previewSample, "30 2", "61 2", 1), wantErr: "spec.rules[0].schedule"},
		// ../shared/cases/scaling/preview-differs-from-the-control-plane.yaml
		"another case of a field": {
			file: strings.ReplaceAll(previewSample, "timeZone", "timezone"), wantErr: "spec.rules[0].timezone: Forbidden: there is no such field",
		},
		"a rule without a number": {
			file: strings.Replace(previewSample, ", targetReplicas: 10", "", 1), wantErr: "a rule sets either targetReplicas",
		},
		"bounds for a workload": {
			file:    strings.Replace(previewSample, "targetReplicas: 10", "targetMinReplicas: 10", 1),
			wantErr: "the target is a workload: set targetReplicas",
		},
		"a name twice": {file: strings.Replace(previewSample, "name: day", "name: night", 1), wantErr: "spec.rules[1]: Duplicate value"},
		"a field twice": {
			file: strings.Replace(previewSample, "kind: CloneSet,", "kind: CloneSet, kind: Deployment,", 1), wantErr: `key "kind" already set`,
		},
		"a second broken object": {file: previewSample + "---" +
			strings.Replace(strings.Replace(previewSample, "name: shop}", "name: other}", 1), "30 2", "0 0 30 2 *", 1),
			wantErr: "CronHPA other"},
		"never":         {file: strings.Replace(previewSample, "30 2 * * *", "0 0 30 2 *", 1), wantErr: "never fires within ten years"},
		"an empty file": {file: "# nothing\n", wantErr: "holds nothing, want a CronHPA of"},
		"another version": {
			file:    strings.Replace(previewSample, "argosy.dev/v1alpha1", "argosy.dev/v1", 1),
			wantErr: "want a CronHPA of autoscaling.argosy.dev/v1alpha1",
		},
		"no calendar": {file: strings.Replace(previewSample, "targetReplicas: 10", "targetReplicas: 10, excludeCalendarRef: {name: holidays}", 1),
			wantErr: "spec.rules[1].excludeCalendarRef: there is no ConfigMap holidays with the label"},
		"a calendar of no days": {file: strings.Replace(previewSample, "targetReplicas: 10",
			"targetReplicas: 10, excludeCalendarRef: {name: holidays}", 1) +
			strings.Replace(calendarSample, "2026-12-25", "BEGIN:VCALENDAR", 1), wantErr: `data["company"], line 2: "BEGIN:VCALENDAR" is no day`},
		"a typo":     {file: strings.Replace(previewSample, "runOnce", "runonec", 1), wantErr: "runonec"},
		"other kind": {file: strings.Replace(previewSample, "kind: CronHPA", "kind: FedHPA", 1), wantErr: `holds a "FedHPA", want a CronHPA`},
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

const calendarSample = `
---
apiVersion: v1
kind: ConfigMap
metadata: {name: holidays, labels: {cronhpa.argosy.dev/calendar: "true"}}
data:
  company: |
    # days on which nobody works
    2026-12-25 Christmas

    01-01 New Year
`

// TestCronPreviewOfAFile: every object of a file is shown, with what its calendar leaves out and what it would begin with.
func TestCronPreviewOfAFile(t *testing.T) {
	const list = `
apiVersion: v1
kind: List
items:
- apiVersion: autoscaling.argosy.dev/v1alpha1
  kind: CronHPA
  metadata: {name: web}
  spec:
    scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
    applyAtStart: InForce
    rules:
    - {name: day, schedule: "0 9 * * *", targetReplicas: 10, excludeCalendarRef: {name: holidays}}
    - {name: night, schedule: "0 22 * * *", targetReplicas: 2}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web}
`
	const other = `
---
apiVersion: autoscaling.argosy.dev/v1alpha1
kind: CronHPA
metadata: {name: api, namespace: prod}
spec:
  scaleTargetRef: {apiVersion: autoscaling.argosy.dev/v1alpha1, kind: FedHPA, name: api}
  suspend: true
  rules: [{name: a, schedule: "@daily", targetMinReplicas: 2}]
`
	got, err := previewOf(t, list+calendarSample+other, "--from", "2026-12-24T12:00:00Z", "--count", "3")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got, "holds Deployment web of apps/v1, which is no CronHPA and was passed over") {
		t.Errorf("no note of the Deployment:\n%s", got)
	}
	_, got, _ = strings.Cut(got, "passed over\n")
	const want = `CronHPA default/web
At once, by applyAtStart: rule day, in force since Thu 2026-12-24 09:00 +0000, sets 10 replicas
UTC               LOCAL                       ZONE  RULE   SETS         NOTE
2026-12-24 22:00  Thu 2026-12-24 22:00 +0000  UTC   night  2 replicas   
2026-12-25 22:00  Fri 2026-12-25 22:00 +0000  UTC   night  2 replicas   
2026-12-26 09:00  Sat 2026-12-26 09:00 +0000  UTC   day    10 replicas  

CronHPA prod/api
No rule fires: spec.suspend is true.
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("preview (-want +got):\n%s", diff)
	}
}
