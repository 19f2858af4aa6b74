package wave

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/render"
)

// fleetOf Components in three languages, and templates: two for all, one a language, and one for a few.
func fleetOf(t testing.TB, count int) ([]*v1alpha1.Component, []v1alpha1.ComponentTemplate) {
	t.Helper()
	languages := []string{"go", "java", "python"}
	var templates []v1alpha1.ComponentTemplate
	for _, name := range []string{"base", "zone", "go", "java", "python", "few"} {
		made := template(t, name, name+" $(cluster.zone)")
		switch name {
		case "go", "java", "python":
			made.Spec.Level, made.Spec.Match.Languages = v1alpha1.LevelLanguage, []string{name}
		case "few":
			made.Spec.Match.ComponentSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"few": "true"}}
		}
		templates = append(templates, made)
	}
	var components []*v1alpha1.Component
	for i := range count {
		c := component(t, fmt.Sprintf("metadata: {name: c%d}\nspec: {developLanguage: %s}", i, languages[i%len(languages)]))
		if i%10 == 0 {
			c.Labels = map[string]string{"few": "true"}
		}
		components = append(components, c)
	}
	return components, templates
}

// TestToday: each Component has the revision that it has alone, and those of one kind have the very same.
func TestToday(t *testing.T) {
	components, templates := fleetOf(t, 60)
	values := render.Variables{"zone": "a"}
	today, names := At(templates, values), map[string]*Named{}
	for _, c := range components {
		have, err := today.Of(c)
		if err != nil {
			t.Fatal(err)
		}
		want, err := Of(c, templates, values)
		if err != nil {
			t.Fatal(err)
		}
		name, err := want.Name()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, have.Revision); diff != "" || have.Name != name || len(have.Matching) != len(want.Templates) {
			t.Fatalf("%s: have %s of %v, want %s (-want +have)\n%s", c.Name, have.Name, have.Matching, name, diff)
		}
		if known := names[name]; known != nil && known != have {
			t.Fatalf("%s: revision %s was made twice", c.Name, name)
		}
		names[name] = have
	}
	if len(names) != 6 {
		t.Errorf("%d revisions, want one for each language, with and without the template for a few", len(names))
	}
	templates[0].Spec.Level = "Galaxy"
	if _, err := At(templates, values).Of(components[0]); err == nil {
		t.Error("a template of no level names no revision")
	}
}

// TestUnreadable: while a template is there that no Component can be compared with, that one does not fit, and no change of another is said
// to have reached everybody.
func TestUnreadable(t *testing.T) {
	base, odd := template(t, "base", "1"), template(t, "odd", "1")
	c, kept := settled(t, component(t, ""), base)
	odd.Spec.Match.ComponentSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "few", Operator: "in"}}}
	before := &v1alpha1.WaveStatus{ControllerID: "a", State: v1alpha1.WaveStopped, Components: 9, Updated: 1, Failed: 1}
	for name, tc := range map[string]struct {
		templates []v1alpha1.ComponentTemplate
		groups    string
		rest      *v1alpha1.WaveStatus
	}{
		"odd": {[]v1alpha1.ComponentTemplate{template(t, "base", "2"), odd}, "[odd]", nil},
		"mended": {[]v1alpha1.ComponentTemplate{base}, "", &v1alpha1.WaveStatus{
			ControllerID: "a", State: v1alpha1.WaveRolledOut, Components: 9, Updated: 9, Message: "It has reached every component.",
		}},
	} {
		choice, err := Choose(Input{Component: c, Templates: tc.templates, Kept: kept})
		if err != nil || choice.Err != nil {
			t.Fatalf("%s: %v, %v", name, err, choice.Err)
		}
		have := ""
		for _, group := range Groups([]Candidate{{Component: c, Waits: choice.Waits}}) {
			plan := Decide(group.Members, DefaultPace(), noon)
			if have += fmt.Sprint(group.Templates); plan.State != v1alpha1.WaveStopped || len(plan.Grant) > 0 {
				t.Errorf("%s: the wave is %s and goes to %d: %s", name, plan.State, len(plan.Grant), plan.Message)
			}
		}
		if have != tc.groups {
			t.Errorf("%s: waves of %s, want %s", name, have, tc.groups)
		}
		today := At(tc.templates, nil)
		if diff := cmp.Diff(tc.rest, today.Rest(before)); diff != "" {
			t.Errorf("%s (-want +have)\n%s", name, diff)
		}
		if told := today.Rest(nil); told != nil {
			t.Errorf("%s: of a template of which nothing was told it says %+v", name, told)
		}
	}
}

// BenchmarkToday is what a look at waves asks of 5,000 settled Components.
func BenchmarkToday(b *testing.B) {
	components, templates := fleetOf(b, 5_000)
	for b.Loop() {
		today := At(templates, nil)
		for _, c := range components {
			if _, err := today.Of(c); err != nil {
				b.Fatal(err)
			}
		}
	}
}
