package wave

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// fleet is a cluster of components as their controller would leave them.
type fleet struct {
	members []*Member
	// spoils are those that the change breaks.
	spoils map[string]bool
	now    time.Time
}

func newFleet(n int) *fleet {
	f := &fleet{spoils: map[string]bool{}, now: noon}
	for i := range n {
		c := &v1alpha1.Component{}
		c.Namespace, c.Name, c.Generation = "shop", fmt.Sprintf("c%03d", i), 1
		c.Status.TemplateRevision = &v1alpha1.TemplateRevision{Name: "old", Applied: "old"}
		m := &Member{Component: c, Waits: &Waits{Name: "new", Restarts: true}}
		f.members = append(f.members, m)
		f.well(m)
	}
	return f
}

func (f *fleet) set(m *Member, ready, progressing metav1.Condition) {
	ready.Type, progressing.Type = v1alpha1.ConditionReady, v1alpha1.ConditionProgressing
	m.Component.Status.Conditions = []metav1.Condition{ready, progressing}
	m.Component.Status.ObservedGeneration = 1
}

func (f *fleet) well(m *Member) {
	f.set(m, metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReplicasReady},
		metav1.Condition{Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonRolloutComplete})
}

func (f *fleet) broken(m *Member) {
	f.set(m, metav1.Condition{Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonProgramEnds},
		metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRollingOut})
}

// grant is what the edge does.
func (f *fleet) grant(members []*Member) {
	for _, m := range members {
		at := metav1.NewTime(f.now)
		m.Component.Status.TemplateRevision = &v1alpha1.TemplateRevision{
			Name: m.Waits.Name, Applied: "old", Since: &at, BrokenBefore: Broken(m.Component), Changed: m.Waits.Changed,
		}
		m.Waits = nil
	}
}

// settle is what the controller of Components does to those that were granted.
func (f *fleet) settle() {
	for _, m := range f.members {
		revision := m.Component.Status.TemplateRevision
		if m.Waits != nil || revision.Applied == revision.Name {
			continue
		}
		revision.Applied = revision.Name
		if f.spoils[m.Component.Name] {
			f.broken(m)
			continue
		}
		f.well(m)
	}
}

func (f *fleet) updated() int {
	n := 0
	for _, m := range f.members {
		if m.Waits == nil {
			n++
		}
	}
	return n
}

// TestWave tells the whole of one, with its words.
func TestWave(t *testing.T) {
	f := newFleet(200)
	canary := f.members[150].Component
	canary.Labels = map[string]string{"canary": "true"}
	pace := DefaultPace()
	pace.canaries = []labels.Selector{labels.SelectorFromSet(labels.Set{"canary": "true"})}
	var told []string
	for range 40 {
		plan := Decide(f.members, pace, f.now)
		told = append(told, fmt.Sprintf("%s %d/%d +%d: %s", plan.State, plan.Updated, plan.Total, len(plan.Grant), plan.Message))
		if plan.State == v1alpha1.WaveRolledOut {
			break
		}
		f.grant(plan.Grant)
		if len(plan.Grant) == 0 && len(told)%2 == 0 {
			f.settle()
		}
		f.now = f.now.Add(plan.Again)
	}
	if canary.Status.TemplateRevision.Since.Time != noon {
		t.Errorf("the canary had it at %v, want it first", canary.Status.TemplateRevision.Since)
	}
	want := `RollingOut 0/200 +1: 0 of 200 have it; 1 are next.
RollingOut 1/200 +0: 1 of 200 have it; waiting until shop/c150 is well.
RollingOut 1/200 +1: 1 of 200 have it; 1 are next.`
	if diff := cmp.Diff(want, strings.Join(told[:3], "\n")); diff != "" {
		t.Errorf("told (-want +have)\n%s", diff)
	}
	if last := told[len(told)-1]; last != "RolledOut 200/200 +0: It has reached every component." {
		t.Errorf("in the end: %s", last)
	}
}

// TestStops: one that breaks keeps the others from it, its undoing reaches it at once, and what was broken before is no reason.
func TestStops(t *testing.T) {
	f := newFleet(50)
	f.broken(f.members[0])
	f.spoils["c001"] = true
	f.grant(Decide(f.members, DefaultPace(), f.now).Grant)
	f.settle()
	f.now = f.now.Add(time.Hour)
	plan := Decide(f.members, DefaultPace(), f.now)
	if plan.State != v1alpha1.WaveStopped || len(plan.Grant) != 0 || !strings.Contains(plan.Message, "shop/c001") {
		t.Fatalf("want it stopped by c001, have %+v", plan)
	}
	// The change is undone: only those that had it differ from it.
	undone := f.members[1]
	undone.Waits = &Waits{Name: "old"}
	plan = Decide([]*Member{undone}, DefaultPace(), f.now)
	if len(plan.Grant) != 1 {
		t.Errorf("what the change broke waits for its undoing: %+v", plan)
	}
	// A mend is another change, which all wait for: what is broken has it first.
	for _, m := range f.members {
		m.Waits = &Waits{Name: "mended"}
	}
	if plan = Decide(f.members, DefaultPace(), f.now); !contains(plan.Grant, undone) {
		t.Errorf("the mend does not reach what was broken first: %+v", plan)
	}
	// Who did not serve before is last, and stops nothing.
	f = newFleet(3)
	f.broken(f.members[0])
	f.spoils["c000"] = true
	pace := DefaultPace()
	pace.interval = 0
	for range 10 {
		f.grant(Decide(f.members, pace, f.now).Grant)
		f.settle()
	}
	if f.updated() != 3 || !f.members[0].Component.Status.TemplateRevision.BrokenBefore {
		t.Errorf("%d of 3 have it", f.updated())
	}
	// Who cannot be rendered from it stops it too.
	f = newFleet(3)
	f.members[2].Waits.Err = fmt.Errorf("no such field")
	plan = Decide(f.members, pace, f.now)
	if plan.State != v1alpha1.WaveStopped || len(plan.Grant) > 0 || !strings.Contains(plan.Message, "no such field") {
		t.Errorf("it does not fit one: %+v", plan)
	}
}

func contains(members []*Member, m *Member) bool {
	for _, other := range members {
		if other == m {
			return true
		}
	}
	return false
}

// TestWaveNeverHarmsMore: whatever breaks and whenever the controller is killed (it remembers nothing), at most one batch beyond the
// first that fails has the change, batches never overtake the asked shares, and a change that breaks nobody reaches all.
func TestWaveNeverHarmsMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 120).Draw(t, "components")
		f := newFleet(n)
		for _, m := range f.members {
			if rapid.IntRange(0, 40).Draw(t, "spoils") == 0 {
				f.spoils[m.Component.Name] = true
			}
		}
		pace := DefaultPace()
		pace.maxDegraded = rapid.IntRange(0, 2).Draw(t, "maxDegraded")
		goals := []int{0}
		for _, p := range pace.batchPercents {
			goals = append(goals, (n*int(p)+99)/100)
		}
		failed := 0
		for range 300 {
			before := f.updated()
			plan := Decide(f.members, pace, f.now)
			if failed > pace.maxDegraded && len(plan.Grant) > 0 {
				t.Fatalf("%d failed, and %d more got it", failed, len(plan.Grant))
			}
			// Killed in the middle of granting.
			if len(plan.Grant) > 0 {
				f.grant(plan.Grant[:rapid.IntRange(0, len(plan.Grant)).Draw(t, "granted before it was killed")])
			}
			after := f.updated()
			for _, goal := range goals {
				if before < goal && after > goal {
					t.Fatalf("from %d to %d in one batch of %v", before, after, goals)
				}
			}
			if rapid.Bool().Draw(t, "settles") {
				f.settle()
			}
			failed = 0
			for _, m := range f.members {
				if m.Waits == nil && m.health(f.now) == broken {
					failed++
				}
			}
			f.now = f.now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second)
		}
		if len(f.spoils) == 0 && f.updated() != n {
			t.Fatalf("%d of %d have it after %v", f.updated(), n, f.now.Sub(noon))
		}
	})
}

// TestGroups: templates that one component waits for together are one wave, others are not kept waiting by it.
func TestGroups(t *testing.T) {
	of := func(name string, since bool, waits string, matching ...string) Candidate {
		c := &v1alpha1.Component{}
		c.Namespace, c.Name = "shop", name
		c.Status.TemplateRevision = &v1alpha1.TemplateRevision{Name: "x"}
		if since {
			at := metav1.NewTime(noon)
			c.Status.TemplateRevision.Since = &at
		}
		out := Candidate{Component: c, Matching: matching}
		if waits != "" {
			out.Waits = &Waits{Changed: strings.Split(waits, ",")}
		}
		return out
	}
	groups := Groups([]Candidate{
		of("a", false, "base,python", "base", "python"),
		of("b", true, "", "base", "java"),
		of("c", false, "go", "go"),
		of("d", true, "", "rust"),
		of("e", false, "", "go"),
		of("f", true, "", "go"),
		of("g", false, "base", "base"),
	})
	var have []string
	for _, g := range groups {
		var names []string
		for _, m := range g.Members {
			names = append(names, m.Component.Name)
		}
		have = append(have, strings.Join(g.Templates, "+")+": "+strings.Join(names, " "))
	}
	if diff := cmp.Diff([]string{"base+python: a b g", "go: c f"}, have); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}

// TestTwoWaves: a wave is held back by those that it has come to, though these have the change of another wave too, for which others wait
// still; and that one by those of its own that wait for a third.
func TestTwoWaves(t *testing.T) {
	f := newFleet(10)
	f.spoils = map[string]bool{f.members[0].Component.Name: true}
	at := metav1.NewTime(noon.Add(-time.Hour))
	for _, m := range f.members {
		m.Component.Status.TemplateRevision.Since, m.Component.Status.TemplateRevision.Changed = &at, []string{"base"}
		m.Waits.Changed = []string{"team"}
	}
	other := newFleet(1).members[0]
	other.Component.Name, other.Waits.Changed = "other", []string{"base"}
	var plans map[string]Plan
	for range 20 {
		all := []Candidate{{Component: other.Component, Waits: other.Waits, Matching: []string{"base"}}}
		for _, m := range f.members {
			all = append(all, Candidate{Component: m.Component, Waits: m.Waits, Matching: []string{"base", "team"}})
		}
		plans = map[string]Plan{}
		for _, group := range Groups(all) {
			plans[strings.Join(group.Templates, "+")] = Decide(group.Members, DefaultPace(), f.now)
		}
		for _, granted := range plans["team"].Grant {
			for _, m := range f.members {
				if m.Component == granted.Component {
					f.grant([]*Member{m})
				}
			}
		}
		f.settle()
		f.now = f.now.Add(time.Minute)
	}
	if team := plans["team"]; team.State != v1alpha1.WaveStopped || f.updated() != 1 || team.Total != 10 {
		t.Errorf("%s with %d of %d given, want it stopped by the first: %s", team.State, f.updated(), team.Total, team.Message)
	}
	if base := plans["base"]; base.State != v1alpha1.WaveStopped || base.Total != 11 || len(base.Grant) > 0 {
		t.Errorf("the other wave is %s, of %d, and goes on to %d: %s", base.State, base.Total, len(base.Grant), base.Message)
	}
}

// TestDeletedTemplate: those that were given the deletion hold back those that wait for it, though no template ties them any more. Who had
// another change is none of theirs.
func TestDeletedTemplate(t *testing.T) {
	f := newFleet(10)
	f.spoils = map[string]bool{f.members[0].Component.Name: true}
	at := metav1.NewTime(noon)
	others := []Candidate{}
	for _, m := range newFleet(50).members {
		m.Component.Name += "-other"
		m.Component.Status.TemplateRevision.Since, m.Component.Status.TemplateRevision.Changed = &at, []string{"java"}
		others = append(others, Candidate{Component: m.Component, Matching: []string{"java"}})
	}
	for _, m := range f.members {
		m.Waits.Changed = []string{"gone"}
	}
	var last Plan
	for range 20 {
		all := slices.Clone(others)
		for _, m := range f.members {
			all = append(all, Candidate{Component: m.Component, Waits: m.Waits, Matching: []string{"base"}})
		}
		groups := Groups(all)
		if len(groups) != 1 || len(groups[0].Members) != len(f.members) {
			t.Fatalf("want one wave of %d, have %d waves, the first: %+v", len(f.members), len(groups), groups[0])
		}
		last = Decide(groups[0].Members, DefaultPace(), f.now)
		for _, granted := range last.Grant {
			for _, m := range f.members {
				if m.Component == granted.Component {
					f.grant([]*Member{m})
				}
			}
		}
		f.settle()
		f.now = f.now.Add(time.Minute)
	}
	if last.State != v1alpha1.WaveStopped || f.updated() != 1 {
		t.Errorf("%s with %d of %d given, want it stopped by the first: %s", last.State, f.updated(), len(f.members), last.Message)
	}
}

// TestPaceThatCannotBeRead: an operator that is none passes the schema. The wave of that template stands and says which field; no other
// does.
func TestPaceThatCannotBeRead(t *testing.T) {
	good, bad := template(t, "good", "1"), template(t, "bad", "1")
	bad.Spec.Wave = &v1alpha1.Wave{CanarySelector: &metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: "Like", Values: []string{"a"}}},
	}}
	templates := []v1alpha1.ComponentTemplate{bad, good}
	for name, tc := range map[string]struct {
		of    []string
		state v1alpha1.WaveState
		says  string
		next  int
	}{
		"of that template": {[]string{"bad"}, v1alpha1.WaveStopped, "spec.wave.canarySelector of ComponentTemplate bad", 0},
		"with another":     {[]string{"bad", "good"}, v1alpha1.WaveStopped, "mend the field", 0},
		"of another":       {[]string{"good"}, v1alpha1.WaveRollingOut, "1 are next", 1},
	} {
		plan := Decide(newFleet(3).members, PaceOf(templates, tc.of), noon)
		if plan.State != tc.state || !strings.Contains(plan.Message, tc.says) || len(plan.Grant) != tc.next {
			t.Errorf("%s: %s, %d next: %s", name, plan.State, len(plan.Grant), plan.Message)
		}
	}
}

// TestTriedAgain: what the cluster did not take at once is no fault of the change, until it lasts.
func TestTriedAgain(t *testing.T) {
	f := newFleet(1)
	f.grant(f.members)
	m := f.members[0]
	m.Component.Status.TemplateRevision.Applied = m.Component.Status.TemplateRevision.Name
	f.well(m)
	m.Component.Status.Conditions = append(m.Component.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionRendered, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonApplyFailed,
	})
	if have := m.health(f.now); have != coming {
		t.Errorf("at once it is %v, want %v", have, coming)
	}
	if have := m.health(f.now.Add(tooLong + time.Second)); have != broken {
		t.Errorf("after a while it is %v, want %v", have, broken)
	}
}
