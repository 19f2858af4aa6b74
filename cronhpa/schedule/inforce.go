package schedule

import "time"

// InForce is the rule whose time it is at the instant: the latest firing of the last year, of those at one instant the one that goes last.
// A rule that runs once is never in force: what came before was not for it.
func InForce(rules []Rule, at time.Time) (rule int, since time.Time, ok bool) {
	// A day more than a year: a timetable of one day in it is inside.
	yearAgo := at.AddDate(-1, 0, -1)
	for i, r := range rules {
		if r.Timetable == nil || r.Once {
			continue
		}
		latest, fired := r.Timetable.Latest(yearAgo, at)
		if fired && (!ok || Order(r.Timetable, latest, rules[rule].Timetable, since) >= 0) {
			rule, since, ok = i, latest, true
		}
	}
	return rule, since, ok
}
