package cronhpa

import (
	"cmp"
	"slices"
	"time"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/cronhpa/schedule"
)

// Preview is what a CronHPA will do.
type Preview struct {
	// AtStart is the rule that applyAtStart applies to a CronHPA that is not handled yet; nil for none.
	AtStart *Coming
	// Coming are the next firings of all rules, in order. Of those at one instant the last is applied.
	Coming []Coming
	// Invalid says what cannot be read; the other rules go on.
	Invalid []string
}

// Coming is one firing.
type Coming struct {
	At   time.Time
	Rule v1alpha1.CronHPARule
	Zone *time.Location
	// Note is what a person should know about it.
	Note string

	order     int
	timetable *schedule.Timetable
}

// PreviewOf decides, as the controller does, what comes after an instant, up to count firings. Of a CronHPA with a status the rules that
// have run once are left out.
func PreviewOf(cron *v1alpha1.CronHPA, calendars Calendars, after time.Time, count int) Preview {
	made := cron.DeepCopy()
	if made.CreationTimestamp.IsZero() {
		made.CreationTimestamp.Time = after
	}
	d := decide(made, calendars, after)
	out := Preview{Invalid: d.invalid}
	if d.atStart {
		firing := *d.plan.Apply
		first := d.coming(firing.Rule, firing.At)
		out.AtStart = &first
	}
	for i, rule := range d.rules {
		wanted := count
		if rule.spec.RunOnce {
			wanted = 1
		}
		if rule.timetable == nil {
			continue
		}
		for at, ok := rule.timetable.Next(after); ok && wanted > 0; at, ok = rule.timetable.Next(at) {
			out.Coming = append(out.Coming, d.coming(i, at))
			wanted--
		}
	}
	slices.SortStableFunc(out.Coming, func(a, b Coming) int {
		return cmp.Or(schedule.Order(a.timetable, a.At, b.timetable, b.At), a.order-b.order)
	})
	for i := range out.Coming {
		if why := supersededBy(out.Coming, i); why != "" {
			out.Coming[i].Note = why
		}
	}
	out.Coming = out.Coming[:min(count, len(out.Coming))]
	return out
}

func (d decision) coming(rule int, at time.Time) Coming {
	state := d.rules[rule]
	return Coming{
		At: at, Rule: state.spec, Zone: state.timetable.Zone(), Note: state.timetable.Note(at), order: rule, timetable: state.timetable,
	}
}

// supersededBy names the rule that goes last at the instant of a firing, empty when it is its own.
func supersededBy(all []Coming, i int) string {
	last := i
	for last+1 < len(all) && all[last+1].At.Equal(all[i].At) {
		last++
	}
	if last == i {
		return ""
	}
	why := "listed later"
	if schedule.Order(all[i].timetable, all[i].At, all[last].timetable, all[last].At) != 0 {
		why = "later on the wall clock"
	}
	return "superseded by rule " + all[last].Rule.Name + ", due at the same instant and " + why
}
