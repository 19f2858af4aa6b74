package checker

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// firing is what a CronHPA's history says of one, in the last word about it.
type firing struct {
	due, handled time.Time
	result       string
	count        int64
	replicas     int64
	// seen is whether the target had these replicas at some time from then until now.
	seen bool
}

// handledWithin is how long ago a firing must be due to be judged: whoever handles it may have been away.
const handledWithin = 90 * time.Second

// timetable is one rule of one CronHPA.
type timetable struct {
	key      history.Key
	rule     string
	schedule string
	deadline time.Duration
	since    time.Time
	firings  map[time.Time]*firing
}

// firings is C5.
func firings(h history.History, v *Verdict) {
	var tables []*timetable
	var last history.Record
	rested := false
	h.Replay(func(world history.World, _ history.Object, r history.Record) {
		if rested = rested || phase(r) == history.PhaseRest; !rested {
			last = r
		}
		if r.Resource == history.CronHPAs && r.Op == history.Put {
			tables = read(tables, world, r)
		}
	})
	for _, t := range tables {
		t.judge(last, v)
	}
}

// read takes a CronHPA's state in.
func read(tables []*timetable, world history.World, r history.Record) []*timetable {
	for _, rule := range r.Object.List("spec", "rules") {
		if i := slices.IndexFunc(tables, func(t *timetable) bool { return t.key == r.Key && t.rule == rule.Text("name") }); i < 0 {
			seconds, _ := rule.Int("startingDeadlineSeconds")
			tables = append(tables, &timetable{
				key: r.Key, rule: rule.Text("name"), schedule: rule.Text("schedule"), deadline: time.Duration(seconds) * time.Second,
				firings: map[time.Time]*firing{},
			})
		}
	}
	for _, status := range r.Object.List("status", "rules") {
		i := slices.IndexFunc(tables, func(t *timetable) bool { return t.key == r.Key && t.rule == status.Text("name") })
		if i < 0 {
			continue
		}
		if tables[i].since.IsZero() {
			tables[i].since = r.At // from here on it is known
		}
		for _, entry := range status.List("history") {
			tables[i].hear(entry, world, r)
		}
	}
	return tables
}

func (t *timetable) hear(entry history.Object, world history.World, r history.Record) {
	due, err := time.Parse(time.RFC3339, entry.Text("scheduledTime"))
	if err != nil {
		return
	}
	f := t.firings[due]
	if f == nil {
		f = &firing{due: due}
		t.firings[due] = f
	}
	f.result = entry.Text("result")
	f.handled, _ = time.Parse(time.RFC3339, entry.Text("handledTime"))
	f.count, _ = entry.Int("count")
	var counts bool
	if f.replicas, counts = entry.Int("replicas"); !counts {
		f.seen = true // an autoscaler's bounds
	}
	target := history.Key{
		Plane: r.Plane, Namespace: r.Namespace, Name: r.Object.Text("spec", "scaleTargetRef", "name"),
		Resource: history.ResourceOf(r.Object.Text("spec", "scaleTargetRef", "apiVersion"), r.Object.Text("spec", "scaleTargetRef", "kind")),
	}
	if n, ok := world[target].Int("spec", "replicas"); ok && n == f.replicas {
		f.seen = true
	}
}

func (t *timetable) judge(last history.Record, v *Verdict) {
	parsed, err := cron.ParseStandard(t.schedule)
	if err != nil || t.since.IsZero() {
		return
	}
	told := slices.SortedFunc(func(yield func(*firing) bool) {
		for _, f := range t.firings {
			if !yield(f) {
				return
			}
		}
	}, func(a, b *firing) int { return cmp.Compare(a.due.UnixNano(), b.due.UnixNano()) })
	for due := parsed.Next(t.since.UTC()); due.Before(last.At.Add(-handledWithin)); due = parsed.Next(due) {
		v.Judged++
		if !t.covers(told, due, parsed) {
			v.violated(last, t.key, fmt.Sprintf("the firing of rule %s due at %s is in no history", t.rule, due.Format(time.TimeOnly)))
		}
	}
	for _, f := range told {
		if f.result != "Applied" {
			continue
		}
		v.Judged++
		if t.deadline > 0 && f.handled.Sub(f.due) > t.deadline+time.Second {
			v.violated(last, t.key, fmt.Sprintf("rule %s was applied %s late, and its deadline is %s", t.rule, f.handled.Sub(f.due), t.deadline))
		}
		if !f.seen {
			v.violated(last, t.key, fmt.Sprintf("rule %s says that its firing of %s was applied, and its target never had %d replicas",
				t.rule, f.due.Format(time.TimeOnly), f.replicas))
		}
	}
}

// covers tells whether an entry is of a firing, or stands for several missed ones of which it is one.
func (t *timetable) covers(told []*firing, due time.Time, schedule cron.Schedule) bool {
	for _, f := range told {
		if f.due.Equal(due) {
			return true
		}
		if f.due.After(due) && f.count > 1 {
			missed := int64(1)
			for at := schedule.Next(due); at.Before(f.due); at = schedule.Next(at) {
				missed++
			}
			return missed < f.count
		}
	}
	return false
}
