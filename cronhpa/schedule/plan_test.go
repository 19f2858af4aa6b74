package schedule

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestMakePlan(t *testing.T) {
	day := func(hour, minute int) time.Time { return time.Date(2026, 5, 4, hour, minute, 0, 0, time.UTC) }
	rule := func(schedule string, handled time.Time) Rule {
		return Rule{Timetable: mustParse(t, Spec{Schedule: schedule}), HandledUntil: handled}
	}
	with := func(r Rule, change func(*Rule)) Rule { change(&r); return r }
	for name, tc := range map[string]struct {
		rules []Rule
		now   time.Time
		want  Plan
	}{
		"nothing due": {
			rules: []Rule{rule("0 9 * * *", day(9, 0))}, now: day(10, 0),
			want: Plan{Next: day(33, 0), NextOf: []time.Time{day(33, 0)}},
		},
		"due now": {
			rules: []Rule{rule("0 9 * * *", day(8, 0))}, now: day(9, 0),
			want: Plan{Apply: &Firing{0, day(9, 0)}, Due: []int{0}, Next: day(33, 0), NextOf: []time.Time{day(33, 0)}},
		},
		"of two rules the latest": {
			rules: []Rule{rule("0 18 * * *", day(0, 0)), rule("0 9 * * *", day(0, 0))}, now: day(19, 0),
			want: Plan{
				Apply: &Firing{0, day(18, 0)}, Due: []int{0, 1}, Passed: []Passed{{1, day(9, 0), 1, Overtaken}},
				Next: day(33, 0), NextOf: []time.Time{day(42, 0), day(33, 0)},
			},
		},
		"at one instant the rule listed last": {
			rules: []Rule{rule("0 9 * * *", day(8, 0)), rule("0 9 * * 1", day(8, 0))}, now: day(9, 1),
			want: Plan{
				Apply: &Firing{1, day(9, 0)}, Due: []int{0, 1}, Passed: []Passed{{0, day(9, 0), 1, Superseded}},
				Next: day(33, 0), NextOf: []time.Time{day(33, 0), day(9+7*24, 0)},
			},
		},
		"a long absence is one firing and a count": {
			rules: []Rule{rule("0 * * * *", day(0, 0))}, now: day(5, 30),
			want: Plan{
				Apply: &Firing{0, day(5, 0)}, Due: []int{0}, Passed: []Passed{{0, day(4, 0), 4, Overtaken}},
				Next: day(6, 0), NextOf: []time.Time{day(6, 0)},
			},
		},
		"past its deadline, and nothing older instead": {
			rules: []Rule{
				rule("0 8 * * *", day(0, 0)),
				with(rule("0 9 * * *", day(0, 0)), func(r *Rule) { r.Deadline = time.Minute }),
			},
			now: day(9, 2),
			want: Plan{
				Due: []int{0, 1}, Passed: []Passed{{0, day(8, 0), 1, Overtaken}, {1, day(9, 0), 1, Late}},
				Next: day(32, 0), NextOf: []time.Time{day(32, 0), day(33, 0)},
			},
		},
		"just inside its deadline": {
			rules: []Rule{with(rule("0 9 * * *", day(0, 0)), func(r *Rule) { r.Deadline = time.Minute })}, now: day(9, 1),
			want: Plan{Apply: &Firing{0, day(9, 0)}, Due: []int{0}, Next: day(33, 0), NextOf: []time.Time{day(33, 0)}},
		},
		"once: the first due firing, and no next": {
			rules: []Rule{with(rule("0 * * * *", day(0, 30)), func(r *Rule) { r.Once = true })}, now: day(3, 30),
			want: Plan{Apply: &Firing{0, day(1, 0)}, Due: []int{0}, NextOf: []time.Time{{}}},
		},
		"once, overtaken by another rule": {
			rules: []Rule{with(rule("0 1 * * *", day(0, 30)), func(r *Rule) { r.Once = true }), rule("0 2 * * *", day(0, 30))},
			now:   day(3, 0),
			want: Plan{
				Apply: &Firing{1, day(2, 0)}, Due: []int{0, 1}, Passed: []Passed{{0, day(1, 0), 1, Overtaken}},
				Next: day(26, 0), NextOf: []time.Time{{}, day(26, 0)},
			},
		},
		"a rule that cannot fire": {
			rules: []Rule{{HandledUntil: day(0, 0)}}, now: day(9, 0),
			want: Plan{NextOf: []time.Time{{}}},
		},
		"the clock went back a little: what is handled stays handled": {
			rules: []Rule{rule("0 * * * *", day(9, 0))}, now: day(8, 50),
			want: Plan{Next: day(10, 0), NextOf: []time.Time{day(10, 0)}, ClockBackwards: []int{0}},
		},
		"a clock that was wrong by years does not stop the rule": {
			rules: []Rule{rule("0 * * * *", day(9, 0).AddDate(3, 0, 0))}, now: day(8, 50),
			want: Plan{Next: day(9, 0), NextOf: []time.Time{day(9, 0)}, ClockBackwards: []int{0}},
		},
		"never fires": {
			rules: []Rule{rule("0 0 30 2 *", day(0, 0))}, now: day(8, 50),
			want: Plan{NextOf: []time.Time{{}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := MakePlan(tc.rules, tc.now)
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEachDueFiringIsHandledOnce lets a controller look at random moments, with absences of hours, and adds up: every
// firing the judge of single steps (Next) sees is applied once or passed over once, and never after its deadline.
func TestEachDueFiringIsHandledOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Date(2026, 10, 24, 0, 0, 0, 0, time.UTC)
		rules := make([]Rule, rapid.IntRange(1, 4).Draw(t, "rules"))
		for i := range rules {
			table, err := Parse(anySpec(t))
			if err != nil {
				t.Fatal(err)
			}
			rules[i] = Rule{
				Timetable: table, HandledUntil: start,
				Deadline: rapid.SampledFrom([]time.Duration{0, time.Minute, time.Hour}).Draw(t, "deadline"),
			}
		}
		handled := make([]int, len(rules))
		lastApplied := start
		now := start
		for range rapid.IntRange(1, 30).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{1, 30, 60, 3600, 7 * 3600, 15 * 3600}).Draw(t, "seconds")) * time.Second)
			plan := MakePlan(rules, now)
			if plan.Apply != nil {
				handled[plan.Apply.Rule]++
				if !plan.Apply.At.After(lastApplied) {
					t.Fatalf("applied %v after %v", plan.Apply.At, lastApplied)
				}
				lastApplied = plan.Apply.At
				if d := rules[plan.Apply.Rule].Deadline; d > 0 && now.Sub(plan.Apply.At) > d {
					t.Fatalf("applied %v at %v, its deadline is %v", plan.Apply.At, now, d)
				}
			}
			for _, passed := range plan.Passed {
				handled[passed.Rule] += passed.Count
			}
			if len(plan.Due) > 0 {
				for i := range rules {
					rules[i].HandledUntil = now
				}
			}
			if again := MakePlan(rules, now); len(again.Due) != 0 {
				t.Fatalf("looking twice at %v: due again: %+v", now, again)
			}
			if !plan.Next.IsZero() && !plan.Next.After(now) {
				t.Fatalf("next firing %v is not after %v", plan.Next, now)
			}
		}
		for i, rule := range rules {
			want := 0
			for at, ok := rule.Timetable.Next(start); ok && !at.After(now); at, ok = rule.Timetable.Next(at) {
				want++
			}
			if handled[i] != want {
				t.Fatalf("rule %d: %d firings were applied or passed over, %d came due", i, handled[i], want)
			}
		}
	})
}
