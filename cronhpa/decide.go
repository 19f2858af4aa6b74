package cronhpa

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/cronhpa/schedule"
)

const (
	// retryLongest lies between two tries of a firing that fails.
	retryLongest = time.Minute
	// retryShortest is the first of them.
	retryShortest = time.Second
	// recheckTarget lies between two looks at a target that cannot be scaled, or whose kind cannot be watched, while nothing
	// is due.
	recheckTarget = 5 * time.Minute
)

// decision is what a reconcile is about.
type decision struct {
	plan  schedule.Plan
	rules []ruleState
	// calendars are what it rests on.
	calendars Calendars
	// invalid says, field by field, what cannot be read; unread is the part of it that is the calendars'.
	invalid, unread []string
	// atStart: what is applied was due before the CronHPA was made.
	atStart bool
	// look is whether something about the target changed, or may have.
	look bool
}

// ruleState is one rule of the spec beside what the status knows of it.
type ruleState struct {
	spec      v1alpha1.CronHPARule
	status    v1alpha1.CronHPARuleStatus
	timetable *schedule.Timetable
	// from is how far the rule was handled when this reconcile began.
	from time.Time
	// calendarMissing: the days of its calendar are not known.
	calendarMissing bool
}

// decide derives what is due from spec, status, calendars and now.
func decide(cron *v1alpha1.CronHPA, calendars Calendars, now time.Time) decision {
	d := decision{calendars: calendars}
	for i := range cron.Spec.Rules {
		state, err := stateOf(cron, calendars, i, now)
		if err != nil {
			d.invalid = append(d.invalid, err.Error())
		}
		if err != nil && state.calendarMissing {
			d.unread = append(d.unread, err.Error())
		}
		d.rules = append(d.rules, state)
	}
	rules := d.timetables(cron)
	if i, at, ok := d.startsWith(cron, rules); ok {
		d.rules[i].from = at.Add(-time.Second)
		rules = d.timetables(cron)
	}
	d.plan = schedule.MakePlan(rules, now)
	d.atStart = d.plan.Apply != nil && d.plan.Apply.At.Before(cron.CreationTimestamp.Time)
	return d
}

// timetables are the rules as package schedule knows them. A firing from before the CronHPA was made is one that applyAtStart asked for:
// its deadline runs since then.
func (d decision) timetables(cron *v1alpha1.CronHPA) []schedule.Rule {
	rules := make([]schedule.Rule, 0, len(d.rules))
	for _, state := range d.rules {
		rule := schedule.Rule{Timetable: state.timetable, HandledUntil: state.from, Once: state.spec.RunOnce}
		if deadline := state.spec.StartingDeadlineSeconds; deadline != nil {
			rule.Deadline = time.Duration(*deadline)*time.Second + max(cron.CreationTimestamp.Sub(state.from), 0)
		}
		rules = append(rules, rule)
	}
	return rules
}

// startsWith is the firing that a CronHPA is to begin with, applyAtStart: InForce. None where one was handled already, and none while the
// days of a calendar are not known: which rule is in force depends on them.
func (d decision) startsWith(cron *v1alpha1.CronHPA, rules []schedule.Rule) (rule int, at time.Time, ok bool) {
	made := cron.CreationTimestamp.Time
	begun := cron.Status.LastRunTime != nil || cron.Status.RuleInForce != ""
	if cron.Spec.ApplyAtStart != v1alpha1.CronHPAStartInForce || begun || len(d.unread) > 0 {
		return 0, time.Time{}, false
	}
	rules = slices.Clone(rules)
	for i, state := range d.rules {
		if state.from.After(made) {
			// It came later, or starts afresh.
			rules[i].Timetable = nil
		}
	}
	return schedule.InForce(rules, made)
}

// stateOf reads one rule. A rule whose timetable changed starts afresh: what the new timetable would have fired before
// the change never comes due. A rule of an object nobody has looked at yet starts when the object was created.
func stateOf(cron *v1alpha1.CronHPA, calendars Calendars, index int, now time.Time) (ruleState, error) {
	rule := cron.Spec.Rules[index]
	state := ruleState{spec: rule, from: now}
	known := findRule(cron.Status.Rules, rule.Name)
	spec, err := specOf(rule, calendars)
	if err != nil {
		return state.waitForCalendar(cron, known), fmt.Errorf("spec.rules[%d].excludeCalendarRef: %w", index, err)
	}
	state.resume(cron, known, timetableHash(cron, rule, spec))
	timetable, err := schedule.Parse(spec)
	if err != nil {
		return state, fmt.Errorf("spec.rules[%d].%w", index, err)
	}
	if !cron.Spec.Suspend && !rule.Suspend && !state.status.Finished {
		state.timetable = timetable
	}
	return state, nil
}

// resume takes up what the status says of the rule, if its timetable is still that one.
func (s *ruleState) resume(cron *v1alpha1.CronHPA, known *v1alpha1.CronHPARuleStatus, hash string) {
	switch {
	case known != nil && (known.Timetable == hash || known.Timetable == "") && known.HandledUntil != nil:
		s.status = *known.DeepCopy()
		s.from = known.HandledUntil.Time
	case known != nil:
		s.status = v1alpha1.CronHPARuleStatus{History: known.DeepCopy().History}
		if s.spec.RunOnce && known.Finished && known.FinishedSchedule == scheduleHash(s.spec) {
			s.status.Finished, s.status.FinishedSchedule = true, known.FinishedSchedule
		}
	case cron.Status.ObservedGeneration == 0 && cron.CreationTimestamp.Time.Before(s.from):
		s.from = cron.CreationTimestamp.Time
	}
	s.status.Name, s.status.Timetable = s.spec.Name, hash
	if s.status.Finished {
		// A status written before there was such a hash gets it while the timetable is still the one that finished.
		s.status.FinishedSchedule = scheduleHash(s.spec)
	}
}

// waitForCalendar keeps what is known of a rule until its days are: what comes due meanwhile is handled then, inside its deadline. One that
// nobody has looked at yet has no hash of its timetable, and starts from where it is now.
func (s ruleState) waitForCalendar(cron *v1alpha1.CronHPA, known *v1alpha1.CronHPARuleStatus) ruleState {
	s.calendarMissing = true
	switch {
	case known != nil && known.HandledUntil != nil:
		s.status, s.from = *known.DeepCopy(), known.HandledUntil.Time
	case known == nil && cron.Status.ObservedGeneration == 0 && cron.CreationTimestamp.Time.Before(s.from):
		s.from = cron.CreationTimestamp.Time
	}
	s.status.Name = s.spec.Name
	return s
}

// specOf is the rule's timetable as package schedule reads it. An error says why the days of its calendar are not known.
func specOf(rule v1alpha1.CronHPARule, calendars Calendars) (schedule.Spec, error) {
	spec := schedule.Spec{Schedule: rule.Schedule, TimeZone: rule.TimeZone, ExcludeDates: rule.ExcludeDates}
	if rule.ExcludeCalendarRef == nil {
		return spec, nil
	}
	days, err := calendars.days(rule.ExcludeCalendarRef.Name)
	spec.ExcludeDates = slices.Concat(rule.ExcludeDates, days)
	return spec, err
}

// timetableHash covers all that decides when a rule fires, and whether.
func timetableHash(cron *v1alpha1.CronHPA, rule v1alpha1.CronHPARule, spec schedule.Spec) string {
	return hashOf(rule.Schedule, rule.TimeZone, strings.Join(spec.ExcludeDates, " "),
		strconv.FormatBool(rule.Suspend || cron.Spec.Suspend), strconv.FormatBool(rule.RunOnce))
}

// scheduleHash covers what makes a finished rule another one. Suspending it, or a holiday more, does not: what has run has run.
func scheduleHash(rule v1alpha1.CronHPARule) string { return hashOf(rule.Schedule, rule.TimeZone) }

func hashOf(parts ...string) string {
	hash := fnv.New64a()
	for _, part := range parts {
		_, _ = hash.Write([]byte(part + "\n"))
	}
	return strconv.FormatUint(hash.Sum64(), 16)
}

func findRule(rules []v1alpha1.CronHPARuleStatus, name string) *v1alpha1.CronHPARuleStatus {
	for i := range rules {
		if rules[i].Name == name {
			return &rules[i]
		}
	}
	return nil
}

// needsTarget is whether the target has to be looked at: something is to be applied, or what the status says of it is out
// of date or bad.
func (d decision) needsTarget(cron *v1alpha1.CronHPA) bool {
	return d.look || d.plan.Apply != nil || cron.Status.ObservedGeneration != cron.Generation ||
		!meta.IsStatusConditionTrue(cron.Status.Conditions, v1alpha1.CronHPATargetScalable)
}

// troubles are what makes a look necessary before the next firing.
type troubles struct {
	// failed: the firing, or bounds to be held, could not be written. targetBad: the target cannot be scaled. unwatched: no
	// event tells when it no longer can.
	failed, targetBad, unwatched bool
	// holdAgain is when bounds that somebody else set over a rule's are put back.
	holdAgain time.Time
}

// wakeAt is when to look again, at the latest; zero for never.
func (d decision) wakeAt(now time.Time, t troubles) time.Time {
	at := d.plan.Next
	sooner := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for _, i := range d.plan.ClockBackwards {
		sooner(d.rules[i].from)
	}
	switch {
	case t.failed && d.plan.Apply != nil:
		sooner(now.Add(retryDelay(now.Sub(d.plan.Apply.At))))
	case t.targetBad || t.unwatched:
		sooner(now.Add(recheckTarget))
	}
	if !t.holdAgain.IsZero() {
		sooner(t.holdAgain)
	}
	return at
}

// retryDelay grows with the age of the firing, so that it needs no memory.
func retryDelay(age time.Duration) time.Duration {
	return max(retryShortest, min(age/2, retryLongest))
}
