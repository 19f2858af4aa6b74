package cronhpa

import (
	"fmt"
	"hash/fnv"
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
	// invalid says, field by field, what cannot be read.
	invalid []string
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
}

// decide derives what is due from spec, status and now.
func decide(cron *v1alpha1.CronHPA, now time.Time) decision {
	var d decision
	rules := make([]schedule.Rule, 0, len(cron.Spec.Rules))
	for i := range cron.Spec.Rules {
		state, err := stateOf(cron, i, now)
		if err != nil {
			d.invalid = append(d.invalid, err.Error())
		}
		d.rules = append(d.rules, state)
		rule := schedule.Rule{Timetable: state.timetable, HandledUntil: state.from, Once: state.spec.RunOnce}
		if deadline := state.spec.StartingDeadlineSeconds; deadline != nil {
			rule.Deadline = time.Duration(*deadline) * time.Second
		}
		rules = append(rules, rule)
	}
	d.plan = schedule.MakePlan(rules, now)
	return d
}

// stateOf reads one rule. A rule whose timetable changed starts afresh: what the new timetable would have fired before
// the change never comes due. A rule of an object nobody has looked at yet starts when the object was created.
func stateOf(cron *v1alpha1.CronHPA, index int, now time.Time) (ruleState, error) {
	rule := cron.Spec.Rules[index]
	state := ruleState{spec: rule, from: now}
	hash := timetableHash(cron, rule)
	known := findRule(cron.Status.Rules, rule.Name)
	switch {
	case known != nil && known.Timetable == hash && known.HandledUntil != nil:
		state.status = *known.DeepCopy()
		state.from = known.HandledUntil.Time
	case known != nil:
		state.status = v1alpha1.CronHPARuleStatus{History: known.DeepCopy().History}
		if rule.RunOnce && known.Finished && known.FinishedSchedule == scheduleHash(rule) {
			state.status.Finished, state.status.FinishedSchedule = true, known.FinishedSchedule
		}
	case cron.Status.ObservedGeneration == 0 && cron.CreationTimestamp.Time.Before(now):
		state.from = cron.CreationTimestamp.Time
	}
	state.status.Name, state.status.Timetable = rule.Name, hash
	if state.status.Finished {
		// A status written before there was such a hash gets it while the timetable is still the one that finished.
		state.status.FinishedSchedule = scheduleHash(rule)
	}
	timetable, err := schedule.Parse(specOf(rule))
	if err != nil {
		return state, fmt.Errorf("spec.rules[%d].%w", index, err)
	}
	if !cron.Spec.Suspend && !rule.Suspend && !state.status.Finished {
		state.timetable = timetable
	}
	return state, nil
}

// specOf is the rule's timetable as package schedule reads it.
func specOf(rule v1alpha1.CronHPARule) schedule.Spec {
	return schedule.Spec{Schedule: rule.Schedule, TimeZone: rule.TimeZone, ExcludeDates: rule.ExcludeDates}
}

// timetableHash covers all that decides when a rule fires, and whether.
func timetableHash(cron *v1alpha1.CronHPA, rule v1alpha1.CronHPARule) string {
	return hashOf(rule.Schedule, rule.TimeZone, strings.Join(rule.ExcludeDates, " "),
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
