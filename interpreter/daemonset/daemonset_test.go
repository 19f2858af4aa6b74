package daemonset

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"

	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/interpreter/family"
)

func template(t *testing.T) fixture.Object { return fixture.Load(t, "testdata/template.yaml") }
func member(t *testing.T) fixture.Object   { return fixture.Load(t, "testdata/member.yaml") }

// TestNothingIsDivided: without the two questions Karmada schedules the kind without replicas.
func TestNothingIsDivided(t *testing.T) {
	want := []configv1alpha1.InterpreterOperation{"Retain", "AggregateStatus", "InterpretStatus", "InterpretHealth", "InterpretDependency"}
	if diff := cmp.Diff(want, Family().Operations()); diff != "" {
		t.Errorf("operations (-want +have)\n%s", diff)
	}
}

func TestHealth(t *testing.T) {
	for name, tc := range map[string]struct {
		member fixture.Object
		want   bool
	}{
		"at its partition":     {member(t), true},
		"before its partition": {member(t).With(1, partitionPath...), false},
		"paused":               {member(t).With(1, partitionPath...).With(true, pausedPath...), true},
		"only nodes a selector picks": {
			member(t).With(0, partitionPath...).WithYAML("{matchLabels: {canary: yes!}}", selectorPath...), true,
		},
		"updated only when pods go":         {member(t).With(0, partitionPath...).With("OnDelete", strategyPath...), true},
		"generation not observed":           {member(t).With(4, "status", "observedGeneration"), false},
		"one node missing, one allowed":     {member(t).With(4, "status", "numberAvailable"), true},
		"two nodes missing":                 {member(t).With(3, "status", "numberAvailable"), false},
		"all allowed to be missing, and so": {member(t).With("100%", unavailablePath...).With(0, "status", "numberAvailable"), false},
		"no nodes at all":                   {member(t).WithYAML("{observedGeneration: 5}", "status"), true},
		"no status":                         {member(t).Without("status"), false},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := Family().InterpretHealth(tc.member.Unstructured())
			if err != nil || have != tc.want {
				t.Errorf("healthy %v, %v; want %v", have, err, tc.want)
			}
		})
	}
}

func TestRetain(t *testing.T) {
	for name, tc := range map[string]struct{ desired, observed, want fixture.Object }{
		"the template's": {template(t), member(t).With(9, partitionPath...), template(t)},
		"a rollout the member owns": {
			template(t).Label("interpreter.argosy.dev/retain", "rollout"), member(t).With(9, partitionPath...).With(true, pausedPath...),
			template(t).Label("interpreter.argosy.dev/retain", "rollout").With(9, partitionPath...).With(true, pausedPath...),
		},
		"it has no replicas to own": {
			template(t).Label("resourcetemplate.karmada.io/retain-replicas", "true"), member(t),
			template(t).Label("resourcetemplate.karmada.io/retain-replicas", "true"),
		},
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

func TestAggregate(t *testing.T) {
	first, err := Family().InterpretStatus(member(t).Unstructured())
	if err != nil {
		t.Fatal(err)
	}
	old := fixture.Parse(t, `
generation: 4
observedGeneration: 4
resourceTemplateGeneration: 2
currentNumberScheduled: 2
desiredNumberScheduled: 3
numberMisscheduled: 1
numberReady: 2
numberAvailable: 1
numberUnavailable: 2
updatedNumberScheduled: 0
daemonSetHash: an-older-one`).Map()
	for name, tc := range map[string]struct {
		members []family.Member
		want    string
	}{
		"one member is behind": {
			[]family.Member{{Cluster: "a", Status: old}, {Cluster: "b", Status: first}},
			`{observedGeneration: 1, currentNumberScheduled: 7, desiredNumberScheduled: 8, numberMisscheduled: 1, numberReady: 7, numberAvailable: 6,
  numberUnavailable: 2, updatedNumberScheduled: 3, daemonSetHash: new}`,
		},
		"nowhere": {nil, `{observedGeneration: 3, currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0,
  numberAvailable: 0, numberUnavailable: 0, updatedNumberScheduled: 0, daemonSetHash: ""}`},
	} {
		t.Run(name, func(t *testing.T) {
			object := template(t).With(1, "status", "observedGeneration").Unstructured()
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
	var names []string
	for _, d := range have {
		names = append(names, d.Kind+" "+d.Namespace+"/"+d.Name)
	}
	if diff := cmp.Diff([]string{"ConfigMap ops/settings", "Secret ops/token", "ServiceAccount ops/agent"}, names); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}

func TestErrorsNameTheField(t *testing.T) {
	for _, path := range [][]string{partitionPath, selectorPath, {"status", "numberAvailable"}} {
		_, err := Family().InterpretHealth(member(t).With("x", path...).Unstructured())
		if err == nil || !strings.HasPrefix(err.Error(), strings.Join(path, ".")+": ") {
			t.Errorf("%v: have %v", path, err)
		}
	}
}
