package schedule

import "time"

// maxCounted bounds the counting of missed firings.
const maxCounted = 1000

// clockTolerance is how far ahead of now a handled time may lie before it is taken for the trace of a wrong clock. Below
// it the firings in between count as handled; beyond it the rule would stand still for too long.
const clockTolerance = 24 * time.Hour

// Rule is one line of a timetable and how far it is handled.
type Rule struct {
	// Timetable is nil for a rule that cannot fire: suspended, finished or unreadable.
	Timetable *Timetable
	// HandledUntil: every firing up to here is behind us.
	HandledUntil time.Time
	// Deadline is how late a firing may be applied; 0 is without end.
	Deadline time.Duration
	// Once: the first firing that comes due is the only one.
	Once bool
}

// Plan is what is due. Rules are named by their index.
type Plan struct {
	// Apply is the firing to apply; nil when nothing is due or the latest is past its deadline.
	Apply *Firing
	// Passed are the firings that are not applied, at most one entry of each Why for each rule.
	Passed []Passed
	// Due holds the rules with firings in Apply or Passed.
	Due []int
	// Next is the earliest coming firing of all rules, by rule in NextOf. Zero: none.
	Next   time.Time
	NextOf []time.Time
	// ClockBackwards are the rules whose handled time lies ahead of now.
	ClockBackwards []int
}

// Firing is one rule at one instant.
type Firing struct {
	Rule int
	At   time.Time
}

// Passed stands for firings that nobody applies.
type Passed struct {
	Rule int
	// At is the latest of them.
	At    time.Time
	Count int
	Why   Why
}

// Why a firing was passed over.
type Why string

const (
	// Superseded by another rule due at the same instant: later on the wall clock, or listed later.
	Superseded Why = "Superseded"
	// Overtaken by a later firing before anybody handled it.
	Overtaken Why = "Overtaken"
	// Late: past its deadline.
	Late Why = "Late"
)

// MakePlan derives what is due at now. Of all due firings the latest is applied if it is inside its deadline; at the same
// instant the one that is later on the wall clock wins, and at the same wall time the rule listed last. Everything else that is due is
// passed over, even when the latest is late: applying an older one would set what the timetable itself had already ended.
func MakePlan(rules []Rule, now time.Time) Plan {
	plan := Plan{NextOf: make([]time.Time, len(rules))}
	latest := make([]time.Time, len(rules))
	chosen := -1
	for i, rule := range rules {
		if rule.Timetable == nil {
			continue
		}
		from := rule.HandledUntil
		if from.After(now) {
			plan.ClockBackwards = append(plan.ClockBackwards, i)
			if from.Sub(now) > clockTolerance {
				from = now
			}
		}
		at, due := rule.lastDue(from, now)
		if due {
			latest[i] = at
			plan.Due = append(plan.Due, i)
			if chosen < 0 || Order(rule.Timetable, at, rules[chosen].Timetable, latest[chosen]) >= 0 {
				chosen = i
			}
		}
		if due && rule.Once {
			continue
		}
		plan.noteNext(i, rule.Timetable, later(now, from))
	}
	if chosen < 0 {
		return plan
	}
	if d := rules[chosen].Deadline; d == 0 || now.Sub(latest[chosen]) <= d {
		plan.Apply = &Firing{Rule: chosen, At: latest[chosen]}
	}
	for _, i := range plan.Due {
		plan.passOver(i, rules[i], latest[i], Firing{Rule: chosen, At: latest[chosen]})
	}
	return plan
}

// Order compares a firing of one timetable with a firing of another: by instant, then by wall clock. Of equal ones that of the
// rule listed later wins.
func Order(a *Timetable, at time.Time, b *Timetable, other time.Time) int {
	if order := at.Compare(other); order != 0 {
		return order
	}
	return a.Meant(at).Compare(b.Meant(other))
}

// lastDue is the firing of the rule that would be applied at now.
func (r Rule) lastDue(from, now time.Time) (time.Time, bool) {
	if !r.Once {
		return r.Timetable.Latest(from, now)
	}
	at, ok := r.Timetable.Next(from)
	return at, ok && !at.After(now)
}

// passOver records what of the rule's due firings, the last of them at latest, is not applied. latestOfAll is the last due
// firing of any rule.
func (p *Plan) passOver(i int, rule Rule, latest time.Time, latestOfAll Firing) {
	until := latest
	if latest.Equal(latestOfAll.At) {
		until = latest.Add(-time.Second)
		switch {
		case i != latestOfAll.Rule:
			p.Passed = append(p.Passed, Passed{Rule: i, At: latest, Count: 1, Why: Superseded})
		case p.Apply == nil:
			p.Passed = append(p.Passed, Passed{Rule: i, At: latest, Count: 1, Why: Late})
		}
	}
	if rule.Once {
		if until.Equal(latest) {
			p.Passed = append(p.Passed, Passed{Rule: i, At: latest, Count: 1, Why: Overtaken})
		}
		return
	}
	if before, ok := rule.Timetable.Latest(rule.HandledUntil, until); ok {
		count := rule.Timetable.Count(rule.HandledUntil, until, maxCounted)
		p.Passed = append(p.Passed, Passed{Rule: i, At: before, Count: count, Why: Overtaken})
	}
}

func (p *Plan) noteNext(i int, table *Timetable, after time.Time) {
	next, ok := table.Next(after)
	if !ok {
		return
	}
	p.NextOf[i] = next
	if p.Next.IsZero() || next.Before(p.Next) {
		p.Next = next
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
