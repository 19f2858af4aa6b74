package vmdeployment

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"

	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/interpreter/family"
)

func template(t *testing.T) fixture.Object { return fixture.Load(t, "testdata/template.yaml") }
func member(t *testing.T) fixture.Object   { return fixture.Load(t, "testdata/member.yaml") }

func TestNothingIsDivided(t *testing.T) {
	want := []configv1alpha1.InterpreterOperation{"Retain", "AggregateStatus", "InterpretStatus", "InterpretHealth", "InterpretDependency"}
	if diff := cmp.Diff(want, Family().Operations()); diff != "" {
		t.Errorf("operations (-want +have)\n%s", diff)
	}
}

func TestRetain(t *testing.T) {
	owned := template(t).Label("interpreter.argosy.dev/retain", "rollout")
	for name, tc := range map[string]struct{ desired, observed, want fixture.Object }{
		"the template's":            {template(t), member(t).With(true, pausedPath...), template(t)},
		"a rollout the member owns": {owned, member(t).With(true, pausedPath...), owned.With(true, pausedPath...)},
		"one it goes on with":       {owned.With(true, pausedPath...), member(t), owned},
	} {
		t.Run(name, func(t *testing.T) {
			desired := tc.desired.Unstructured()
			edits, err := Family().Retain(desired, tc.observed.Unstructured())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want.Map(), fixture.Edited(t, desired, edits)); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	stalled := member(t).WithYAML(`[{type: Stalled, status: "True"}]`, "status", "conditions")
	for name, tc := range map[string]struct {
		member fixture.Object
		want   bool
	}{
		"under way":            {member(t), true},
		"stalled":              {stalled, false},
		"stalled while paused": {stalled.With(true, pausedPath...), true},
		"stalled at a gate": {
			member(t).WithYAML(`[{type: Stalled, status: "True"}, {type: AwaitingApproval, status: "True"}]`, "status", "conditions"), true,
		},
		"no longer stalled":       {member(t).WithYAML(`[{type: Stalled, status: "False"}]`, "status", "conditions"), true},
		"generation not observed": {member(t).With(3, "status", "observedGeneration"), false},
		"no status":               {member(t).Without("status"), false},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := Family().InterpretHealth(tc.member.Unstructured())
			if err != nil || have != tc.want {
				t.Errorf("healthy %v, %v; want %v", have, err, tc.want)
			}
		})
	}
}

func TestAggregate(t *testing.T) {
	first, err := Family().InterpretStatus(member(t).Unstructured())
	if err != nil {
		t.Fatal(err)
	}
	done := fixture.Parse(t, `
generation: 1
observedGeneration: 1
resourceTemplateGeneration: 3
batches: 3
currentBatch: 3
servers: 5
updatedServers: 4
readyServers: 4
currentRevision: "2.13.0"
updateRevision: "2.14.0"
version: "2.14.0"
failedServers: [{name: payments-z, reason: ChecksumMismatch}]
pendingApprovals: [{gate: batch, operationID: op-1, since: "2026-01-01T00:00:00Z"}]
conditions:
- {type: Stalled, status: "True", reason: BatchFailed, message: payments-z failed, lastTransitionTime: "2026-01-01T00:00:00Z"}
`).Map()
	united := `
servers: 15
updatedServers: 7
readyServers: 6
batches: 3
currentRevision: "2.13.0"
updateRevision: "2.14.0"
version: "2.14.0"
failedServers: [{name: payments-z, cluster: member2, reason: ChecksumMismatch}]
pendingApprovals: [{gate: batch, operationID: op-1, cluster: member2, since: "2026-01-01T00:00:00Z"}]
`
	conditions := `
conditions:
- {type: Progressing, status: "True", reason: RollingOut, message: "member1: batch 2 of 3",
  lastTransitionTime: "2026-01-01T00:00:00Z", observedGeneration: %d}
- {type: Stalled, status: "True", reason: BatchFailed, message: "member2: payments-z failed",
  lastTransitionTime: "2026-01-01T00:00:00Z", observedGeneration: %d}
`
	at := func(generation string) string { return strings.ReplaceAll(conditions, "%d", generation) }
	both := []family.Member{{Cluster: "member1", Status: first}, {Cluster: "member2", Status: done}}
	for name, tc := range map[string]struct {
		members []family.Member
		want    string
	}{
		"the slowest batch": {both, "observedGeneration: 3\ncurrentBatch: 2" + united + at("3")},
		"one has not reported: not begun": {
			append(both, family.Member{Cluster: "member3"}), "observedGeneration: 2\ncurrentBatch: 0" + united + at("2"),
		},
		"nowhere": {nil, "{observedGeneration: 3, version: \"\", batches: 0, currentBatch: 0, servers: 0, updatedServers: 0, readyServers: 0}"},
	} {
		t.Run(name, func(t *testing.T) {
			object := template(t).With(2, "status", "observedGeneration").Unstructured()
			edits, err := Family().AggregateStatus(object, tc.members)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(fixture.Parse(t, tc.want).Map(), fixture.Edited(t, object, edits)["status"]); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
}

func TestDependencies(t *testing.T) {
	have, err := Family().InterpretDependency(template(t).Unstructured())
	if err != nil {
		t.Fatal(err)
	}
	want := []configv1alpha1.DependentObjectReference{{APIVersion: "v1", Kind: "Secret", Namespace: "shop", Name: "gate-ca"}}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}

func TestErrorsNameTheField(t *testing.T) {
	edits, err := Family().AggregateStatus(template(t).Unstructured(), []family.Member{
		{Cluster: "member9", Status: map[string]any{"currentBatch": "x"}},
	})
	if want := "not counted: aggregatedStatus[member9].status.currentBatch: "; err != nil || !strings.Contains(fmt.Sprint(edits), want) {
		t.Errorf("have %v, %v, want a condition that says %q", edits, err, want)
	}
	_, err = Family().InterpretHealth(member(t).With("x", pausedPath...).Unstructured())
	if want := "spec.paused: "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("have %v, want an error that begins with %q", err, want)
	}
}
