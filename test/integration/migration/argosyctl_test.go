package migration

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab"
)

// program is argosyctl as people run it, against an API server with the shipped admission.
type program struct {
	*guarded
	path string
}

func newProgram(t *testing.T) *program {
	t.Helper()
	path := filepath.Join(t.TempDir(), "argosyctl")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./cmd/argosyctl")
	build.Dir = "../../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building argosyctl: %v\n%s", err, out)
	}
	return &program{guarded: newGuarded(t), path: path}
}

// roles of the people who run commands: each has the rights of one shipped role, but who authors policies, which are Karmada's.
var roles = map[string]string{
	"alice": lab.Approver, "bob": lab.Approver, "admin": "argosy-migration-admin", "ci": "argosy-migration-publisher",
	"author": "system:masters",
}

// run a command as a person; what it prints and, when it ends badly, what it complains of.
func (p *program) run(t *testing.T, user string, args ...string) (out, complaint string, code int) {
	t.Helper()
	// What the test itself says comes last and wins.
	who := []string{"--kubeconfig", p.kubeconfig, "--as", user, "--as-group", roles[user], "-n", "shop"}
	args = append(args[:1:1], append(who, args[1:]...)...)
	command := exec.CommandContext(t.Context(), p.path, args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String(), command.ProcessState.ExitCode()
}

// planned is an application whose plan two people are to approve: one field is kept apart by an override, and one
// object stays static.
func (p *program) planned(t *testing.T) *v1alpha1.Migration {
	t.Helper()
	migration := p.application(t, v1alpha1.PhaseAwaitingApproval)
	at := metav1.NewTime(time.Date(2026, 3, 2, 10, 1, 30, 0, time.UTC))
	ref := func(kind string) v1alpha1.ResourceReference {
		return v1alpha1.ResourceReference{APIVersion: "v1", Kind: kind, Name: "web"}
	}
	workload := v1alpha1.ResourceReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}
	managed := v1alpha1.FieldChange{Path: `metadata.labels["karmada.io/managed"]`, Kind: v1alpha1.ChangeBookkeeping, Planned: `"true"`}
	status := &migration.Status
	status.Management, status.Whitelist, status.Environment = v1alpha1.ManagementStatic, "all", v1alpha1.EnvironmentProduction
	status.Batch, status.ClustersDone, status.ApprovalsDone = "1/3", "0/2", "0/2"
	status.Clusters = []v1alpha1.ClusterStatus{
		{Name: "member1", State: v1alpha1.ClusterSuspended, Replicas: 6}, {Name: "member2", State: v1alpha1.ClusterSuspended, Replicas: 4},
	}
	status.Resources = []v1alpha1.ResourceStatus{
		{ResourceReference: workload, Clusters: []string{"member1", "member2"}, Policy: "deployment-web"},
		{ResourceReference: ref("ConfigMap"), Clusters: []string{"member1", "member2"}, Policy: "configmap-web"},
		{
			ResourceReference: ref("Secret"), Clusters: []string{"member1", "member2"},
			Note: "its content differs between clusters, and an OverridePolicy would show it as plain text",
		},
	}
	status.Plan = &v1alpha1.Plan{Hash: firstPlan, Purpose: v1alpha1.PlanTakeOver, Time: at, Resources: []v1alpha1.ResourcePlan{
		{ResourceReference: workload, Cluster: "member1", Changes: []v1alpha1.FieldChange{managed}},
		{ResourceReference: ref("ConfigMap"), Cluster: "member1", Changes: []v1alpha1.FieldChange{managed}},
		{ResourceReference: workload, Cluster: "member2", Changes: []v1alpha1.FieldChange{managed}},
		{ResourceReference: ref("ConfigMap"), Cluster: "member2", Changes: []v1alpha1.FieldChange{
			{Path: "data.region", Kind: v1alpha1.ChangeOverride, Live: `"north"`, Planned: `"north"`}, managed}},
	}}
	status.Conditions = []metav1.Condition{{
		Type: v1alpha1.ConditionAdvancing, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonAwaitingApproval,
		Message: "plan " + firstPlan + " has 0 of 2 approvals", LastTransitionTime: at,
	}}
	status.History = []v1alpha1.HistoryEntry{{
		Time: at, Phase: v1alpha1.PhaseAwaitingApproval, Reason: v1alpha1.ReasonAwaitingApproval, Message: "ready",
	}}
	if err := p.Status().Update(t.Context(), migration); err != nil {
		t.Fatal(err)
	}
	return migration
}

const planText = `Take over: plan 1111111111111111, drawn up 2026-03-02 10:01:30 UTC

cluster member1 (6 replicas)
  deployment/web: unchanged, 1 bookkeeping
  configmap/web: unchanged, 1 bookkeeping

cluster member2 (4 replicas)
  deployment/web: unchanged, 1 bookkeeping
  configmap/web: unchanged, 1 kept by override, 1 bookkeeping
    = data.region: "north"

left under static management
  secret/web: its content differs between clusters, and an OverridePolicy would show it as plain text

Bookkeeping: labels and annotations of Karmada's, which reach no pod (see --all).
Only bookkeeping changes: no pod restarts, and nothing is deleted.
Approved: 0/2
To approve it:
  argosyctl migration approve -n shop deployment/web --plan 1111111111111111
`

func TestArgosyctl(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	migration := p.planned(t)
	t.Run("list", p.listsAreKubectls)
	t.Run("policy", p.policySaysWhoHoldsAnObject)
	t.Run("migration", func(t *testing.T) { p.commandsOfAMigration(t, migration) })
	t.Run("is-karmada", func(t *testing.T) { p.isKarmadaEndsWithItsAnswer(t, migration) })
}

// A person reads the plan, approves it, rolls back, asks for another attempt and lets the application leave.
func (p *program) commandsOfAMigration(t *testing.T, migration *v1alpha1.Migration) {
	whitelist := &v1alpha1.MigrationWhitelist{ObjectMeta: metav1.ObjectMeta{Name: "all"}}
	if err := p.Create(t.Context(), whitelist); err != nil {
		t.Fatal(err)
	}
	listed := func() int {
		t.Helper()
		if err := p.Get(t.Context(), client.ObjectKeyFromObject(whitelist), whitelist); err != nil {
			t.Fatal(err)
		}
		return len(whitelist.Spec.Entries)
	}
	record := func() *v1alpha1.Migration {
		t.Helper()
		if err := p.Get(t.Context(), client.ObjectKeyFromObject(migration), migration); err != nil {
			t.Fatal(err)
		}
		return migration
	}
	step := func(want string, code int, user string, args ...string) {
		t.Helper()
		out, complaint, ended := p.run(t, user, args...)
		if ended != code || !strings.Contains(out+complaint, want) {
			t.Errorf("argosyctl %s ended with %d, want %d and %q:\n%s%s", strings.Join(args, " "), ended, code, want, out, complaint)
		}
	}

	out, _, _ := p.run(t, "alice", "migration", "plan", "deployment/web")
	if diff := cmp.Diff(planText, out); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	step(`+ metadata.labels["karmada.io/managed"]: "true"`, 0, "alice", "migration", "plan", "deployment/web", "--all")
	fromYAML := func(raw []byte, into any) error { return yaml.Unmarshal(raw, into) }
	for format, decode := range map[string]func([]byte, any) error{"json": json.Unmarshal, "yaml": fromYAML} {
		out, _, _ := p.run(t, "alice", "migration", "plan", "deployment/web", "-o", format)
		got := v1alpha1.Plan{}
		if err := decode([]byte(out), &got); err != nil || got.Hash != firstPlan || len(got.Resources) != 4 {
			t.Errorf("the plan as %s: %v, %+v", format, err, got)
		}
		out, _, _ = p.run(t, "alice", "migration", "status", "-A", "-o", format)
		list := v1alpha1.MigrationList{}
		if err := decode([]byte(out), &list); err != nil || len(list.Items) != 1 || list.Items[0].Status.Batch != "1/3" {
			t.Errorf("the states as %s: %v, %d", format, err, len(list.Items))
		}
	}
	step(`--output "xml" is not known: use text, json, yaml, or as`, 1, "alice", "migration", "plan", "deployment/web", "-o", "xml")
	step("deployment/web  AwaitingApproval  Static   Production 1/3  0/2       0/2 approved", 0, "alice", "migration", "status")
	step("No application has a Migration here", 0, "alice", "migration", "status", "-n", "elsewhere")
	step("secret/web static: its content differs", 0, "alice", "migration", "status", "deployment/web")
	step("deployment-web   AwaitingApproval   1/3", 0, "alice", "migration", "list")
	step("shop        deployment-web", 0, "alice", "migration", "list", "-A", "-o", "wide")
	step("No resources found in shop namespace", 0, "alice", "migration", "list", "-l", "none=such")
	step("deployment-web   0/2\n", 0, "alice", "migration", "list", "-o", "custom-columns=APP:.metadata.name,CLUSTERS:.status.clustersDone")
	step("migration.migration.argosy.dev/deployment-web\n", 0, "alice", "migration", "get", "deploy/web", "-o", "name")
	step("AwaitingApproval", 0, "alice", "migration", "get", "deployment/web", "-o", "jsonpath={.status.phase}")
	step("has no Migration", 1, "alice", "migration", "get", "deployment/nobody")
	// It ends with its time, in which a busy machine may show nothing.
	shown := ""
	for _, within := range []string{"2s", "10s", "60s"} {
		if shown, _, _ = p.run(t, "alice", "migration", "watch", "deployment/web", "--request-timeout", within); shown != "" {
			break
		}
	}
	if !strings.Contains(shown, "deployment-web") {
		t.Errorf("watching shows %q", shown)
	}
	step("name one MigrationWhitelist", 1, "admin", "migration", "pause", "deployment/web")
	step("there is no MigrationWhitelist other: there is all", 1, "admin", "migration", "pause", "other")
	step("whitelist all is at mode Pause: nothing is started or opened", 0, "admin", "migration", "pause", "all")
	step("whitelist all is at mode Pause already", 0, "admin", "migration", "pause", "all")
	step("setting the mode of whitelist all: ", 1, "alice", "migration", "resume", "all")
	step("whitelist all is at mode Run", 0, "admin", "migration", "resume", "all")
	step("deploy/nobody in namespace shop has no Migration: put it on a MigrationWhitelist first (the namespace has deployment/web)",
		1, "alice", "migration", "plan", "deploy/nobody")
	step("plan "+firstPlan, 0, "alice", "migration", "plan", "deployments.apps/web")
	step(`"job" is none of the kinds that can be federated`, 1, "alice", "migration", "plan", "job/web")
	step("name one application as kind/name, such as: argosyctl migration plan -n shop deployment/web", 1, "alice", "migration", "plan")
	step(`unknown command "aprove" for "argosyctl migration"`, 3, "alice", "migration", "aprove", "deployment/web")
	step(`"web" is no application: write kind/name`, 1, "alice", "migration", "plan", "web")

	step("name the plan you have read with --plan: 'argosyctl migration plan -n shop deployment/web' shows it",
		1, "alice", "migration", "approve", "deployment/web")
	step("approving plan "+secondPlan+": it is not the current plan, which is "+firstPlan,
		1, "alice", "migration", "approve", "deployment/web", "--plan", secondPlan)
	step("  + /spec/approvals: [{", 0, "alice", "migration", "approve", "deployment/web", "--plan", firstPlan, "--dry-run")
	step("  + /spec/rollback: {\"reason\":\"errors\"}",
		0, "admin", "migration", "rollback", "deployment/web", "--reason", "errors", "--dry-run")
	step("approving plan "+firstPlan+": ", 1, "ci", "migration", "approve", "deployment/web", "--plan", firstPlan, "--dry-run")
	if now := record(); len(now.Spec.Approvals) > 0 || now.Spec.Rollback != nil {
		t.Fatalf("a dry run was stored: %+v", now.Spec)
	}
	step("plan "+firstPlan+" of deployment/web is approved by alice: 1 of 2",
		0, "alice", "migration", "approve", "deployment/web", "--plan", firstPlan)
	step("alice has approved plan "+firstPlan+" already: another person must",
		1, "alice", "migration", "approve", "deployment/web", "--plan", firstPlan)
	step("say why with --reason", 1, "bob", "migration", "reject", "deployment/web", "--plan", firstPlan)
	step("rejecting plan "+secondPlan+": it is not the current plan", 1, "bob", "migration", "reject", "deployment/web", "--plan", secondPlan,
		"--reason", "no")
	step("rejecting plan "+firstPlan+": ", 1, "ci", "migration", "reject", "deployment/web", "--plan", firstPlan, "--reason", "no")
	step("plan "+firstPlan+" of deployment/web is rejected by bob: the sale begins",
		0, "bob", "migration", "reject", "deployment/web", "--plan",
		firstPlan, "--reason", "the sale begins")
	if got := record().Spec.Approvals; len(got) != 2 || got[1].Decision != v1alpha1.DecisionReject || got[1].Reason != "the sale begins" ||
		got[1].Time == nil {
		t.Errorf("decisions %+v, want bob's rejection with its reason and time", got)
	}
	// Whoever rejected it approves it after all, and that takes the rejection back.
	step("approved by bob: 2 of 2", 0, "bob", "migration", "approve", "deployment/web", "--plan", firstPlan)
	if got := record().Spec.Approvals; len(got) != 2 || got[0].User != "alice" || got[1].User != "bob" {
		t.Errorf("approvals %+v, want alice's and bob's", got)
	}

	step("deployment/web is on whitelist all again", 0, "admin", "migration", "readopt", "deployment/web")
	n := listed() // reads the whitelist anew
	if entries := whitelist.Spec.Entries; n != 1 || entries[0].Environment != v1alpha1.EnvironmentProduction || len(entries[0].Clusters) != 2 {
		t.Errorf("entries %+v", whitelist.Spec.Entries)
	}
	step("roll it back first ('argosyctl migration rollback')", 1, "admin", "migration", "leave", "deployment/web")
	kept := whitelist.Spec.Entries[0]
	step("rolling back deployment/web: ", 1, "ci", "migration", "rollback", "deployment/web")
	step("deployment/web is rolled back, whatever whitelists say", 0, "admin", "migration", "rollback", "deployment/web", "--reason",
		"errors since noon")
	if got := record().Spec.Rollback; got == nil || got.Reason != "errors since noon" {
		t.Errorf("rollback %+v", got)
	}
	step("is rolled back already: it is AwaitingApproval", 0, "admin", "migration", "rollback", "deployment/web")
	step("deployment/web is on whitelist all", 0, "admin", "migration", "readopt", "deployment/web")
	if listed() != 1 || record().Spec.Rollback != nil || !cmp.Equal(kept, whitelist.Spec.Entries[0]) {
		t.Errorf("after readopt entries are %+v, want %+v; rollback %+v", whitelist.Spec.Entries, kept, migration.Spec.Rollback)
	}
	step("is rolled back, whatever", 0, "admin", "migration", "rollback", "deployment/web")
	step("leaves once a plan that changes nothing in its members is approved", 0, "admin", "migration", "leave", "deployment/web")
	if got := record().Spec.AfterCutOff; got != v1alpha1.AfterCutOffLeave {
		t.Errorf("afterCutOff %s", got)
	}

	failed := record()
	failed.Status.Failure = &v1alpha1.Failure{
		Attempt: 1, Reason: v1alpha1.ReasonUnhealthy, Message: "m", Time: metav1.Now(), Action: v1alpha1.OnFailureRollback,
	}
	if err := p.Status().Update(t.Context(), failed); err != nil {
		t.Fatal(err)
	}
	step("deployment/web: attempt 2 begins, with a new plan to approve", 0, "admin", "migration", "readopt", "deployment/web")
	if got := record().Spec; got.Attempt != 2 || got.AfterCutOff != v1alpha1.AfterCutOffKeep {
		t.Errorf("attempt %d, afterCutOff %s", got.Attempt, got.AfterCutOff)
	}
}

// Every answer of is-karmada has an exit status of its own, and no answer is one too.
func (p *program) isKarmadaEndsWithItsAnswer(t *testing.T, migration *v1alpha1.Migration) {
	for name, tc := range map[string]struct {
		management v1alpha1.Management
		args       []string
		code       int
		want       string
	}{
		"nobody knows it": {args: []string{"deployment/other"}, code: 1, want: `"management":"Static"`},
		"static":          {management: v1alpha1.ManagementStatic, args: []string{"deployment/web"}, code: 1, want: `"management":"Static"`},
		"changing":        {management: v1alpha1.ManagementChanging, args: []string{"deployment/web"}, code: 2, want: `"management":"Changing"`},
		"no application":  {args: []string{"web"}, code: 3, want: "write kind/name"},
		"nothing asked":   {args: nil, code: 3, want: "name one application as kind/name"},
		"no command":      {args: []string{"deployment/web"}, code: 3, want: "unknown command"},
		"no kind":         {args: []string{"deploymnt/web"}, code: 3, want: "is none of the kinds"},
		"no flag":         {args: []string{"deployment/web", "--namspace", "shop"}, code: 3, want: "unknown flag"},
		"no answer":       {args: []string{"deployment/web", "--server", "https://127.0.0.1:1"}, code: 3, want: "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.management != "" {
				migration.Status.Management = tc.management
				if err := p.Status().Update(t.Context(), migration); err != nil {
					t.Fatal(err)
				}
			}
			command := "is-karmada"
			if name == "no command" {
				command = "is-karmda"
			}
			out, complaint, code := p.run(t, "ci", append([]string{command}, tc.args...)...)
			if code != tc.code || !strings.Contains(out+complaint, tc.want) {
				t.Errorf("ended with %d: %s%s, want %d and %q", code, out, complaint, tc.code, tc.want)
			}
		})
	}
}

// Policies are authored for what nobody holds; what another policy holds, or would claim, is named and left out.
func (p *program) policySaysWhoHoldsAnObject(t *testing.T) {
	broad := &policyv1alpha1.PropagationPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "configs"}}
	broad.Spec.ResourceSelectors = []policyv1alpha1.ResourceSelector{{APIVersion: "v1", Kind: "ConfigMap", Name: "web"}}
	everywhere := &policyv1alpha1.ClusterPropagationPolicy{ObjectMeta: metav1.ObjectMeta{Name: "services"}}
	everywhere.Spec.ResourceSelectors = []policyv1alpha1.ResourceSelector{{APIVersion: "v1", Kind: "Service"}}
	priority := int32(5)
	everywhere.Spec.Priority = &priority
	for _, object := range []client.Object{broad, everywhere} {
		if err := p.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	content := `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "web:1"}]}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {a: b}}
---
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}
`
	if err := os.WriteFile(filepath.Join(dir, "web.yaml"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	out, complaint, code := p.run(t, "author", "policy", "-f", dir, "--clusters", "member1,member2")
	if code != 0 || strings.Count(out, "kind: PropagationPolicy") != 1 || !strings.Contains(out, "name: deployment-web") {
		t.Errorf("ended with %d:\n%s", code, out)
	}
	for _, want := range []string{
		"configmap/web: left out: PropagationPolicy configs holds it",
		"service/web: left out: ClusterPropagationPolicy services holds it",
	} {
		if !strings.Contains(complaint, want) {
			t.Errorf("complains of %q, want %q", complaint, want)
		}
	}
}
