package cronhpa

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/cronhpa/schedule"
	"github.com/argosy-dev/argosy/internal/text"
)

const (
	defaultHistoryLimit = 3
	longestMessage      = 512
)

// settle derives the whole status, and what to tell, from what was decided and how it went. It is pure.
func settle(seen observation, d decision, ended outcome) (v1alpha1.CronHPAStatus, []event) {
	cron := seen.cron
	status := *cron.Status.DeepCopy()
	status.ObservedGeneration = cron.Generation
	// What was passed over is handled even when bounds could not be held meanwhile.
	handled := len(d.plan.Due) > 0 && (d.plan.Apply == nil || ended.problem == nil)
	var told []event

	status.Rules = make([]v1alpha1.CronHPARuleStatus, 0, len(d.rules))
	for i, rule := range d.rules {
		status.Rules = append(status.Rules, settleRule(seen, d, i, rule, handled))
	}
	if d.plan.Apply != nil {
		told = append(told, settleFiring(seen, d, ended, &status)...)
	}
	if handled {
		told = append(told, settlePassed(seen, d, &status)...)
		setLastRun(&status, d.plan)
	}
	told = append(told, settleBounds(seen, ended, &status)...)
	for i := range status.Rules {
		trimHistory(&status.Rules[i], cron.Spec)
	}
	status.NextRunTime = nil
	if !d.plan.Next.IsZero() {
		status.NextRunTime = &metav1.Time{Time: d.plan.Next}
	}
	offerBounds(cron, &status)
	told = append(told, settleConditions(seen, d, ended, &status)...)
	if bad := meta.FindStatusCondition(status.Conditions, v1alpha1.CronHPATargetScalable); bad != nil &&
		bad.Reason == v1alpha1.CronHPAReasonTargetShared {
		// Another CronHPA speaks for this autoscaler.
		status.Bounds = nil
	}
	return status, told
}

// settleBounds records what became of an HPA's bounds: written for a rule, or given back.
func settleBounds(seen observation, ended outcome, status *v1alpha1.CronHPAStatus) []event {
	bounds, ref := status.OriginalBounds, seen.cron.Spec.ScaleTargetRef
	switch {
	case bounds == nil || ended.problem != nil:
		return nil
	case ended.released:
		status.OriginalBounds = nil
		return []event{
			{v1alpha1.CronHPAReasonBoundsRestored, fmt.Sprintf("No rule is in force: %s %s has its own bounds back", ref.Kind, ref.Name)},
		}
	case ended.max == nil || bounds.Pending == nil:
		return nil
	}
	bounds.Applied, bounds.Pending = bounds.Pending, nil
	bounds.AppliedTime = &metav1.Time{Time: seen.now}
	if ended.held {
		return []event{{v1alpha1.CronHPAReasonBoundsHeld, fmt.Sprintf(
			"Somebody else had set other bounds on %s %s: they are kept as its own (minReplicas %d, maxReplicas %d) and come back when rule %s is "+
				"no longer in force",
			ref.Kind, ref.Name, ptr.Deref(bounds.MinReplicas, 1), bounds.MaxReplicas, status.RuleInForce)}}
	}
	return nil
}

// settleRule moves the rule's handled time. The firings between are handled together with their results, or not at all.
func settleRule(seen observation, d decision, index int, rule ruleState, handled bool) v1alpha1.CronHPARuleStatus {
	status := *rule.status.DeepCopy()
	until := rule.from
	switch {
	case rule.timetable != nil && handled && seen.now.After(until):
		until = seen.now
	case slices.Contains(d.plan.ClockBackwards, index) && d.forgetsClock(index, seen.now):
		until = seen.now
	}
	// Firings lie on whole minutes, so a handled time cut to whole seconds still covers them.
	status.HandledUntil = &metav1.Time{Time: until.Truncate(time.Second)}
	if handled && rule.spec.RunOnce && slices.Contains(d.plan.Due, index) {
		status.Finished, status.FinishedSchedule = true, scheduleHash(rule.spec)
	}
	status.NextRunTime = nil
	if next := d.plan.NextOf[index]; !next.IsZero() {
		status.NextRunTime = &metav1.Time{Time: next}
	}
	return status
}

// forgetsClock is whether the handled time lies so far ahead that the plan started the rule afresh.
func (d decision) forgetsClock(index int, now time.Time) bool {
	next := d.plan.NextOf[index]
	return !next.IsZero() && next.Before(d.rules[index].from) && next.After(now)
}

// settleFiring records the firing that was tried.
func settleFiring(seen observation, d decision, ended outcome, status *v1alpha1.CronHPAStatus) []event {
	firing := d.plan.Apply
	rule := d.rules[firing.Rule].spec
	entry := v1alpha1.Firing{
		ScheduledTime: metav1.Time{Time: firing.At}, HandledTime: metav1.Time{Time: seen.now}, Count: 1,
		Result: v1alpha1.FiringApplied, Replicas: ended.replicas, MinReplicas: ended.min, MaxReplicas: ended.max,
	}
	ref := seen.cron.Spec.ScaleTargetRef
	due := "due " + firing.At.Format(time.RFC3339)
	if d.atStart {
		due += ", in force when this CronHPA was made (applyAtStart)"
	}
	what := fmt.Sprintf("rule %s, %s, set %s %s to %s", rule.Name, due, ref.Kind, ref.Name, describe(entry))
	if ended.problem == nil {
		status.RuleInForce = rule.Name
		if unheeded := seen.target.unheeded; unheeded != nil {
			entry.Message = text.Cut(unheeded.message, longestMessage)
			what += ": " + unheeded.message
		}
		upsert(&status.Rules[firing.Rule], entry)
		return []event{{v1alpha1.CronHPAReasonFiringApplied, strings.ToUpper(what[:1]) + what[1:]}}
	}
	entry.Result, entry.Message = v1alpha1.FiringFailed, text.Cut(ended.problem.message, longestMessage)
	entry.Replicas, entry.MinReplicas, entry.MaxReplicas = nil, nil, nil
	status.LastRunTime, status.LastResult = &entry.ScheduledTime, entry.Result
	known := historyEntry(status.Rules[firing.Rule], firing.At)
	if known != nil && text.Keep(known.Message, entry.Message) == known.Message {
		return nil // It failed the same way before: one entry and one event are enough.
	}
	upsert(&status.Rules[firing.Rule], entry)
	return []event{{v1alpha1.CronHPAReasonFiringFailed, fmt.Sprintf("Rule %s, %s: %s", rule.Name, due, ended.problem.message)}}
}

// settlePassed records what was due and is not applied.
func settlePassed(seen observation, d decision, status *v1alpha1.CronHPAStatus) []event {
	var told []event
	for _, passed := range d.plan.Passed {
		rule := &status.Rules[passed.Rule]
		entry := v1alpha1.Firing{
			ScheduledTime: metav1.Time{Time: passed.At}, HandledTime: metav1.Time{Time: seen.now},
			Result: resultOf(passed.Why), Count: int32(passed.Count),
		}
		reason := v1alpha1.CronHPAReasonFiringMissed
		switch passed.Why {
		case schedule.Superseded:
			reason = v1alpha1.CronHPAReasonRulesOverlap
			entry.Message = fmt.Sprintf("rule %s is due at the same instant and goes last: later on the wall clock, or listed later",
				d.winner(passed.At))
		case schedule.Late:
			entry.Message = fmt.Sprintf("handled %s late, beyond startingDeadlineSeconds: not applied; scale by hand if it is still wanted",
				seen.now.Sub(passed.At).Truncate(time.Second))
		case schedule.Overtaken:
			entry.Message = "a later firing came due before this one was handled"
		}
		known := historyEntry(*rule, passed.At)
		failed := known != nil && known.Result == v1alpha1.FiringFailed
		switch {
		case failed && passed.Why == schedule.Late:
			// It is given up: whoever mends the target now must know that nobody will try again.
			entry.Message = text.Cut(fmt.Sprintf(
				"given up: it failed until startingDeadlineSeconds (%d) had passed and is not tried again; scale by hand if it is still wanted. It "+
					"failed with: %s",
				ptr.Deref(d.rules[passed.Rule].spec.StartingDeadlineSeconds, 0), known.Message), longestMessage)
			upsert(rule, entry)
		case failed:
			// This firing is in the history with the reason it failed for. Only those before it are news.
			if entry.Count--; entry.Count == 0 {
				continue
			}
		default:
			upsert(rule, entry)
		}
		told = append(told, event{reason, fmt.Sprintf("Rule %s, due %s (%d firings): %s",
			d.rules[passed.Rule].spec.Name, passed.At.Format(time.RFC3339), entry.Count, entry.Message)})
	}
	return told
}

// winner is the rule that goes last of those due at the instant.
func (d decision) winner(at time.Time) string {
	if d.plan.Apply != nil && d.plan.Apply.At.Equal(at) {
		return d.rules[d.plan.Apply.Rule].spec.Name
	}
	for _, passed := range d.plan.Passed {
		if passed.Why == schedule.Late && passed.At.Equal(at) {
			return d.rules[passed.Rule].spec.Name
		}
	}
	return "unknown"
}

// setLastRun shows the latest firing handled: the one applied, else the latest passed over.
func setLastRun(status *v1alpha1.CronHPAStatus, plan schedule.Plan) {
	if plan.Apply != nil {
		status.LastRunTime, status.LastResult = &metav1.Time{Time: plan.Apply.At}, v1alpha1.FiringApplied
		return
	}
	for _, passed := range plan.Passed {
		if passed.Why == schedule.Late {
			status.LastRunTime, status.LastResult = &metav1.Time{Time: passed.At}, v1alpha1.FiringMissed
		}
	}
}

// offerBounds derives what a FedHPA reads: the bounds that the rule in force has in the spec now. A rule that was taken
// out of the spec is in force no longer.
func offerBounds(cron *v1alpha1.CronHPA, status *v1alpha1.CronHPAStatus) {
	status.Bounds = nil
	index := slices.IndexFunc(cron.Spec.Rules, func(r v1alpha1.CronHPARule) bool { return r.Name == status.RuleInForce })
	if index < 0 {
		status.RuleInForce = ""
		return
	}
	if formOf(cron.Spec.ScaleTargetRef) == offeredBounds {
		rule := cron.Spec.Rules[index]
		status.Bounds = &v1alpha1.ReplicaBounds{RuleName: rule.Name, MinReplicas: rule.TargetMinReplicas, MaxReplicas: rule.TargetMaxReplicas}
	}
}

func historyEntry(rule v1alpha1.CronHPARuleStatus, at time.Time) *v1alpha1.Firing {
	for i := range rule.History {
		if rule.History[i].ScheduledTime.Time.Equal(at) {
			return &rule.History[i]
		}
	}
	return nil
}

// upsert puts the entry first; an entry of the same firing makes way.
func upsert(rule *v1alpha1.CronHPARuleStatus, entry v1alpha1.Firing) {
	rule.History = slices.DeleteFunc(rule.History, func(f v1alpha1.Firing) bool {
		return f.ScheduledTime.Time.Equal(entry.ScheduledTime.Time)
	})
	rule.History = append(rule.History, entry)
	slices.SortStableFunc(rule.History, func(a, b v1alpha1.Firing) int { return b.ScheduledTime.Compare(a.ScheduledTime.Time) })
}

// trimHistory keeps the newest of each sort.
func trimHistory(rule *v1alpha1.CronHPARuleStatus, spec v1alpha1.CronHPASpec) {
	left := map[bool]int32{
		true:  ptr.Deref(spec.SuccessfulHistoryLimit, defaultHistoryLimit),
		false: ptr.Deref(spec.FailedHistoryLimit, defaultHistoryLimit),
	}
	rule.History = slices.DeleteFunc(rule.History, func(f v1alpha1.Firing) bool {
		applied := f.Result == v1alpha1.FiringApplied
		left[applied]--
		return left[applied] < 0
	})
}

func describe(f v1alpha1.Firing) string {
	if f.Replicas != nil {
		return fmt.Sprintf("%d replicas", *f.Replicas)
	}
	bound := func(n *int32) string {
		if n == nil {
			return "its own"
		}
		return fmt.Sprint(*n)
	}
	return fmt.Sprintf("minReplicas %s, maxReplicas %s", bound(f.MinReplicas), bound(f.MaxReplicas))
}

// resultOf names a passed firing in history and metrics.
func resultOf(why schedule.Why) v1alpha1.FiringResult {
	if why == schedule.Superseded {
		return v1alpha1.FiringSuperseded
	}
	return v1alpha1.FiringMissed
}
