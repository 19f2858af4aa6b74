package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/publish"
)

func TestParseApplication(t *testing.T) {
	for text, want := range map[string]publish.Application{
		"deployment/web": {Namespace: "shop", Kind: "deployment", Name: "web"},
		"web":            {}, "deployment/": {}, "/web": {}, "apps/deployment/web": {},
	} {
		got, err := parseApplication("shop", text)
		if diff := cmp.Diff(want, got); diff != "" || (err == nil) != (want.Name != "") {
			t.Errorf("%q: %v (-want +got):\n%s", text, err, diff)
		}
	}
}

// files of an application, as a CI/CD system keeps them.
func files(t *testing.T, content map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range content {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestPolicyOffline(t *testing.T) {
	root := files(t, map[string]string{
		"config.yaml":              "{apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {region: all}}",
		"web.yaml":                 "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: web}, spec: {template: {spec: {containers: []}}}}",
		"clusters/b/config.yaml":   "{apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {region: b}}",
		"clusters/a/secret.yaml":   "{apiVersion: v1, kind: Secret, metadata: {name: key}, stringData: {key: a}}",
		"clusters/b/secret.yaml":   "{apiVersion: v1, kind: Secret, metadata: {name: key}, stringData: {key: b}}",
		"clusters/b/disrupted.yml": "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: web}, spec: {maxUnavailable: 1}}",
	})
	var out, errOut bytes.Buffer
	command := newCommand("argosyctl", genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &errOut})
	command.SetArgs([]string{"policy", "-n", "shop", "-f", root, "--offline"})
	if err := command.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	const said = "secret/key: left out: its content differs between clusters, and an OverridePolicy would show it as plain text\n"
	if errOut.String() != said {
		t.Errorf("standard error is %q, want %q", errOut.String(), said)
	}
	var got []string
	for document := range strings.SplitSeq(out.String(), "---\n") {
		var kind, name string
		for line := range strings.SplitSeq(document, "\n") {
			if value, ok := strings.CutPrefix(line, "kind: "); ok {
				kind = value
			}
			if value, ok := strings.CutPrefix(line, "  name: "); ok {
				name = value
			}
		}
		if kind != "" {
			got = append(got, kind+" "+name)
		}
	}
	want := []string{
		"PropagationPolicy daemonset-web", "OverridePolicy configmap-web", "PropagationPolicy configmap-web",
		"PropagationPolicy poddisruptionbudget-web",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("printed (-want +got):\n%s\n%s", diff, out.String())
	}
}

func TestPolicySaysWhatIsMissing(t *testing.T) {
	for name, tc := range map[string]struct {
		files map[string]string
		want  string
	}{
		"no clusters": {
			files: map[string]string{"web.yaml": "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: web}}"},
			want:  "name the clusters with --clusters",
		},
		"no workload": {
			files: map[string]string{"clusters/a/c.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: web}}"}, want: "holds no workload",
		},
		"two workloads": {files: map[string]string{
			"clusters/a/1.yaml": "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: web}}",
			"clusters/a/2.yaml": "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}}",
		}, want: "more than one workload"},
	} {
		t.Run(name, func(t *testing.T) {
			command := newCommand("argosyctl", genericiooptions.NewTestIOStreamsDiscard())
			command.SetArgs([]string{"policy", "-n", "shop", "-f", files(t, tc.files), "--offline"})
			if err := command.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

func TestWriteStatus(t *testing.T) {
	at := metav1.NewTime(time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC))
	migration := &v1alpha1.Migration{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cloneset-web"}}
	migration.Spec.WorkloadReference = v1alpha1.WorkloadReference{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Name: "web"}
	migration.Status = v1alpha1.MigrationStatus{
		Phase: v1alpha1.PhaseCutOff, Management: v1alpha1.ManagementStatic, Environment: v1alpha1.EnvironmentTest, Batch: "1/3",
		ClustersDone: "0/1",
		Failure: &v1alpha1.Failure{
			Attempt: 1, Reason: v1alpha1.ReasonEvidenceChanged, Message: "in cluster a pods are gone: web-1", Time: at,
			Action: v1alpha1.OnFailureRollback,
		},
		Clusters: []v1alpha1.ClusterStatus{
			{Name: "a", State: v1alpha1.ClusterSuspended, Replicas: 2, Before: &v1alpha1.Evidence{PodCount: 2, Revision: "r1"}},
		},
		Resources: []v1alpha1.ResourceStatus{
			{ResourceReference: v1alpha1.ResourceReference{Kind: "CloneSet", Name: "web"}, Clusters: []string{"a"}, Policy: "cloneset-web"},
			{
				ResourceReference: v1alpha1.ResourceReference{Kind: "ConfigMap", Name: "common"},
				Note:              "shared with deployment/other, which is not federated",
			},
		},
		Plan: &v1alpha1.Plan{Hash: "0123456789abcdef"},
		Conditions: []metav1.Condition{
			{Type: v1alpha1.ConditionAdvancing, Reason: v1alpha1.ReasonFailedBefore, Message: "rolled back"},
			{Type: v1alpha1.ConditionApproved, Status: metav1.ConditionTrue, Message: "approved by alice, bob"},
		},
		History: []v1alpha1.HistoryEntry{{Time: at, Phase: v1alpha1.PhaseCutOff, Message: "cut off"}},
	}
	var out bytes.Buffer
	if err := writeStatus(&out, migration); err != nil {
		t.Fatal(err)
	}
	want := `NAMESPACE  APPLICATION   PHASE   MANAGED  BATCH     CLUSTERS  WHY
shop       cloneset/web  CutOff  Static   Test 1/3  0/1       FailedBefore

FailedBefore: rolled back
Plan 0123456789abcdef is approved by alice, bob
Attempt 1 failed 2026-03-02 10:00:00 (EvidenceChanged, Rollback): in cluster a pods are gone: web-1

Clusters
  NAME   STATE       REPLICAS   PODS BEFORE   PODS AFTER   REVISION
  a      Suspended   2          2             -            r1

Objects
  cloneset/web in a
  configmap/common static: shared with deployment/other, which is not federated

History
  2026-03-02 10:00:00 CutOff: cut off
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

// What is not there yet has no heading.
func TestWriteStatusOfWhatHasJustBegun(t *testing.T) {
	migration := &v1alpha1.Migration{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deployment-web"}}
	migration.Spec.WorkloadReference = v1alpha1.WorkloadReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}
	var out bytes.Buffer
	if err := writeStatus(&out, migration); err != nil {
		t.Fatal(err)
	}
	want := `NAMESPACE  APPLICATION     PHASE  MANAGED  BATCH  CLUSTERS  WHY
shop       deployment/web  -      -        -      -         

the controller has not looked at it yet
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}
