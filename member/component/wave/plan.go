package wave

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// Member is a Component that has a change, or waits for one.
type Member struct {
	Component *v1alpha1.Component
	// Waits is nil where it has the change.
	Waits *Waits
}

// key orders members, and names them for people.
func (m *Member) key() string { return m.Component.Namespace + "/" + m.Component.Name }

// health of a Component as its status tells.
type health int

const (
	well health = iota
	// coming has not settled: nothing is known to be wrong.
	coming
	broken
)

// tooLong is how long a Component may take to settle before it counts as broken.
const tooLong = 15 * time.Minute

// health of a member that has the change.
func (m *Member) health(now time.Time) health {
	revision := m.Component.Status.TemplateRevision
	late := revision != nil && revision.Since != nil && now.Sub(revision.Since.Time) > tooLong
	is := coming
	var paused bool
	if revision != nil && revision.Applied == revision.Name {
		is, paused = m.told()
	}
	if is == coming && late && !paused {
		return broken
	}
	return is
}

// told is what the conditions say of the change; paused is true of one that waits for a person.
func (m *Member) told() (is health, paused bool) {
	c := m.Component
	of := func(kind string) (metav1.ConditionStatus, string) {
		if found := meta.FindStatusCondition(c.Status.Conditions, kind); found != nil {
			return found.Status, found.Reason
		}
		return metav1.ConditionUnknown, ""
	}
	rendered, because := of(v1alpha1.ConditionRendered)
	ready, why := of(v1alpha1.ConditionReady)
	progressing, how := of(v1alpha1.ConditionProgressing)
	switch {
	case because == v1alpha1.ReasonApplyFailed:
		return coming, false // It is tried again.
	case rendered == metav1.ConditionFalse, how == v1alpha1.ReasonRolloutStuck,
		ready == metav1.ConditionFalse && why != v1alpha1.ReasonReplicasNotReady:
		return broken, false
	case ready == metav1.ConditionTrue && progressing == metav1.ConditionFalse && c.Status.ObservedGeneration == c.Generation:
		return well, false
	}
	return coming, how == v1alpha1.ReasonCanaryPaused
}

// down is true of a Component that does not serve at all.
func (m *Member) down() bool {
	ready := meta.FindStatusCondition(m.Component.Status.Conditions, v1alpha1.ConditionReady)
	return ready == nil || ready.Status != metav1.ConditionTrue
}

// lost is true of a Component that an earlier change of a wave broke: it waits for the mend and has nothing to lose.
func (m *Member) lost() bool {
	revision := m.Component.Status.TemplateRevision
	return revision != nil && revision.Since != nil && !revision.BrokenBefore && m.down()
}

// Broken is true of a Component that does not serve as it should, or is not what it was made to be.
func Broken(c *v1alpha1.Component) bool {
	rendered := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionRendered)
	progressing := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionProgressing)
	return (&Member{Component: c}).down() || rendered != nil && rendered.Status == metav1.ConditionFalse ||
		progressing != nil && progressing.Reason == v1alpha1.ReasonRolloutStuck
}

// Pace of a wave: the most careful of what its templates ask.
type Pace struct {
	canaries      []labels.Selector
	batchPercents []int32
	interval      time.Duration
	maxDegraded   int
	// wrong says why nobody knows it; nil: it is known.
	wrong error
}

// DefaultPace is that of a template that says nothing, of values, and of package render.
func DefaultPace() Pace {
	return Pace{batchPercents: []int32{1, 10, 50, 100}, interval: time.Minute}
}

// PaceOf is the most careful pace that the named templates ask for. Where one of them says what cannot be read the wave stands: nobody
// knows how careful it wanted to be.
func PaceOf(templates []v1alpha1.ComponentTemplate, names []string) Pace {
	var out *Pace
	for i := range templates {
		t := &templates[i]
		if !slices.Contains(names, t.Name) {
			continue
		}
		pace, err := asked(t.Spec.Wave)
		if err != nil {
			return Pace{wrong: fmt.Errorf("spec.wave.canarySelector of ComponentTemplate %s: %w", t.Name, err)}
		}
		if out == nil {
			out = &pace
			continue
		}
		out.canaries = append(out.canaries, pace.canaries...)
		out.interval, out.maxDegraded = max(out.interval, pace.interval), min(out.maxDegraded, pace.maxDegraded)
		if slices.Compare(pace.batchPercents, out.batchPercents) < 0 {
			out.batchPercents = pace.batchPercents
		}
	}
	if out == nil {
		return DefaultPace()
	}
	return *out
}

func asked(w *v1alpha1.Wave) (Pace, error) {
	out := DefaultPace()
	if w == nil {
		return out, nil
	}
	if len(w.BatchPercents) > 0 {
		out.batchPercents = w.BatchPercents
	}
	if w.IntervalSeconds != nil {
		out.interval = time.Duration(*w.IntervalSeconds) * time.Second
	}
	out.maxDegraded = int(ptr.Deref(w.MaxDegraded, 0))
	if w.CanarySelector != nil {
		selector, err := metav1.LabelSelectorAsSelector(w.CanarySelector)
		if err != nil {
			return out, err
		}
		out.canaries = append(out.canaries, selector)
	}
	return out, nil
}

func (p Pace) canary(m *Member) bool {
	return slices.ContainsFunc(p.canaries, func(s labels.Selector) bool { return s.Matches(labels.Set(m.Component.Labels)) })
}

// Plan is what is next in a wave.
type Plan struct {
	// Grant the change to these now.
	Grant []*Member
	State v1alpha1.WaveState
	// Total of the members, and how many have the change, fail with it, and will restart.
	Total, Updated, Failed, Restarting int
	Message                            string
	// Stops are the members for which it goes no further.
	Stops []*Member
	// Again is when to look anew where no event tells; 0: no need.
	Again time.Duration
}

// Decide says who of a group is next.
func Decide(group []*Member, pace Pace, now time.Time) Plan {
	g := sorted(group, pace, now)
	plan := Plan{Total: len(group), Updated: len(g.have), Failed: len(g.broken)}
	for _, m := range g.wait {
		if m.Waits.Restarts {
			plan.Restarting++
		}
		// What a change broke is mended before anything else is asked: it has nothing to lose.
		if m.lost() && m.Waits.Err == nil {
			plan.Grant = append(plan.Grant, m)
		}
	}
	switch {
	case len(g.wait) == 0:
		plan.State, plan.Message = v1alpha1.WaveRolledOut, "It has reached every component."
		return plan
	case pace.wrong != nil:
		plan.State = v1alpha1.WaveStopped
		plan.Message = fmt.Sprintf("Nobody can tell who comes first: %v. %d wait, and go on with the templates of before: mend the field.",
			pace.wrong, len(g.wait))
		return plan
	case len(g.unfit) > 0:
		plan.State = v1alpha1.WaveStopped
		plan.Message = fmt.Sprintf("It does not fit %s: %v. All go on with the templates of before: mend or undo the change.",
			some(g.unfit), g.unfit[0].Waits.Err)
		plan.Stops = g.unfit
		return plan
	case len(g.broken) > pace.maxDegraded:
		plan.State = v1alpha1.WaveStopped
		plan.Message = fmt.Sprintf("%s with the change and not as before: look at %s; %d others wait. "+
			"Mend or undo the change, and it reaches them at once.", serve(len(g.broken)), some(g.broken), len(g.wait))
		plan.Stops = g.broken
		return plan
	}
	plan.State = v1alpha1.WaveRollingOut
	switch {
	case len(g.coming) > 0:
		plan.Message = fmt.Sprintf("%d of %d have it; waiting until %s is well.", plan.Updated, plan.Total, some(g.coming))
		plan.Again = tooLong / 10
	default:
		if left := g.last.Add(pace.interval).Sub(now); len(g.have) > 0 && left > 0 {
			plan.Message = fmt.Sprintf("%d of %d have it and are well; the next in %s.", plan.Updated, plan.Total, left.Round(time.Second))
			plan.Again = left
			break
		}
		next := pace.goal(g, plan.Total) - len(g.have)
		for _, m := range g.wait[:min(next, len(g.wait))] {
			if !slices.Contains(plan.Grant, m) {
				plan.Grant = append(plan.Grant, m)
			}
		}
		plan.Message = fmt.Sprintf("%d of %d have it; %d are next.", plan.Updated, plan.Total, len(plan.Grant))
	}
	return plan
}

// grouped are the members of a group by how they are.
type grouped struct {
	have, wait            []*Member
	coming, broken, unfit []*Member
	canaries              int
	// last is when the change was granted to a member last.
	last time.Time
}

func sorted(group []*Member, pace Pace, now time.Time) grouped {
	var g grouped
	for _, m := range group {
		if pace.canary(m) {
			g.canaries++
		}
		if m.Waits != nil {
			g.wait = append(g.wait, m)
			if m.Waits.Err != nil {
				g.unfit = append(g.unfit, m)
			}
			continue
		}
		g.have = append(g.have, m)
		revision := m.Component.Status.TemplateRevision
		if revision.Since.After(g.last) {
			g.last = revision.Since.Time
		}
		if revision.BrokenBefore {
			continue
		}
		switch m.health(now) {
		case coming:
			g.coming = append(g.coming, m)
		case broken:
			g.broken = append(g.broken, m)
		}
	}
	// A time in the future is another machine's: it counts as now.
	if g.last.After(now) {
		g.last = now
	}
	byName := func(a, b *Member) int { return cmp.Compare(a.key(), b.key()) }
	for _, list := range [][]*Member{g.coming, g.broken, g.unfit} {
		slices.SortFunc(list, byName)
	}
	rank := func(m *Member) int {
		switch {
		case pace.canary(m):
			return 0
		case !m.down():
			return 1
		}
		// It could not tell whether the change is good.
		return 2
	}
	slices.SortFunc(g.wait, func(a, b *Member) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), byName(a, b)) })
	return g
}

// goal is how many are to have the change after the next batch: the canaries, then the first share beyond those who have it.
func (p Pace) goal(g grouped, total int) int {
	have := len(g.have)
	if have < g.canaries {
		return g.canaries
	}
	for _, percent := range p.batchPercents {
		// Rounded up: the first of a few is one.
		if goal := (total*int(percent) + 99) / 100; goal > have {
			return goal
		}
	}
	return total
}

func serve(n int) string {
	if n == 1 {
		return "1 component does not serve"
	}
	return fmt.Sprintf("%d components do not serve", n)
}

// some names a few members.
func some(members []*Member) string {
	const most = 5
	var names []string
	for _, m := range members[:min(most, len(members))] {
		names = append(names, m.key())
	}
	out := strings.Join(names, ", ")
	if more := len(members) - most; more > 0 {
		out += fmt.Sprintf(" and %d more", more)
	}
	return out
}
