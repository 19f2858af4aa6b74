package cronhpa

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/internal/text"
)

// settleConditions says what a person has to know, and tells what turned bad.
func settleConditions(seen observation, d decision, ended outcome, status *v1alpha1.CronHPAStatus) []event {
	var told []event
	set := func(name string, state metav1.ConditionStatus, reason, message string) {
		known := meta.FindStatusCondition(status.Conditions, name)
		news := known == nil || known.Status != state || known.Reason != reason
		if !news {
			message = text.Keep(known.Message, message)
		}
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: name, Status: state, Reason: reason, Message: message,
			ObservedGeneration: seen.cron.Generation, LastTransitionTime: metav1.Time{Time: seen.now},
		})
		// What a failed firing has told already is not told twice, nor what Ready repeats.
		own := name != v1alpha1.CronHPAReady || reason == v1alpha1.CronHPAReasonClockBackwards || reason == v1alpha1.CronHPAReasonNeverFires
		if news && state == metav1.ConditionFalse && own && !ended.tried {
			told = append(told, event{reason, message})
		}
	}
	switch {
	case len(d.invalid) > len(d.unread):
		set(v1alpha1.CronHPASpecValid, metav1.ConditionFalse, v1alpha1.CronHPAReasonInvalidSpec, strings.Join(d.invalid, "; "))
	case len(d.unread) > 0:
		set(v1alpha1.CronHPASpecValid, metav1.ConditionFalse, v1alpha1.CronHPAReasonCalendarUnreadable, strings.Join(d.unread, "; "))
	default:
		set(v1alpha1.CronHPASpecValid, metav1.ConditionTrue, v1alpha1.CronHPAReasonSpecAccepted, "every rule can be read")
	}
	if seen.target.seen {
		if bad := targetProblem(seen, ended); bad != nil {
			set(v1alpha1.CronHPATargetScalable, metav1.ConditionFalse, bad.reason, bad.message)
		} else {
			reason, message := scalable(seen.cron, status.RuleInForce)
			set(v1alpha1.CronHPATargetScalable, metav1.ConditionTrue, reason, message)
		}
	}
	ready := readiness(seen, d, status)
	set(v1alpha1.CronHPAReady, ready.status, ready.reason, ready.message)
	return told
}

func targetProblem(seen observation, ended outcome) *problem {
	if seen.target.problem != nil {
		return seen.target.problem
	}
	if ended.problem != nil {
		return ended.problem
	}
	return seen.target.unheeded
}

type readyState struct {
	status          metav1.ConditionStatus
	reason, message string
}

// readiness sums the object up.
func readiness(seen observation, d decision, status *v1alpha1.CronHPAStatus) readyState {
	for _, name := range []string{v1alpha1.CronHPASpecValid, v1alpha1.CronHPATargetScalable} {
		if c := meta.FindStatusCondition(status.Conditions, name); c != nil && c.Status == metav1.ConditionFalse {
			return readyState{metav1.ConditionFalse, c.Reason, c.Message}
		}
	}
	switch {
	case seen.cron.Spec.Suspend:
		return readyState{metav1.ConditionFalse, v1alpha1.CronHPAReasonSuspended, "spec.suspend is true: no rule fires"}
	case len(d.plan.ClockBackwards) > 0:
		rule := d.rules[d.plan.ClockBackwards[0]]
		return readyState{metav1.ConditionFalse, v1alpha1.CronHPAReasonClockBackwards, fmt.Sprintf(
			"rule %s is handled until %s, ahead of this machine's clock (%s): check the clocks of the machines that run argosy-controller-manager",
			rule.spec.Name, rule.from.UTC().Format(time.RFC3339), seen.now.UTC().Format(time.RFC3339))}
	case !d.plan.Next.IsZero():
		return readyState{metav1.ConditionTrue, v1alpha1.CronHPAReasonScheduled, "the next firing is planned (status.nextRunTime)"}
	}
	for i, rule := range d.rules {
		if rule.timetable != nil && !status.Rules[i].Finished {
			return readyState{metav1.ConditionFalse, v1alpha1.CronHPAReasonNeverFires, fmt.Sprintf(
				"spec.rules[%d] (%s) never fires within ten years: check schedule and excludeDates", i, rule.spec.Name)}
		}
	}
	return readyState{metav1.ConditionTrue, v1alpha1.CronHPAReasonFinished, "every rule is suspended or has run once: nothing is planned"}
}

// scalable warns of what Karmada does with zero replicas: before, and while they are in force.
func scalable(cron *v1alpha1.CronHPA, inForce string) (reason, message string) {
	const zero = "at 0 replicas Karmada removes the target from its members unless karmada-scheduler runs with " +
		"--enable-empty-workload-propagation"
	reason, message = v1alpha1.CronHPAReasonTargetFound, "the target can be scaled"
	if formOf(cron.Spec.ScaleTargetRef) != workload {
		return reason, message
	}
	for _, rule := range cron.Spec.Rules {
		switch {
		case ptr.Deref(rule.TargetReplicas, 1) != 0:
		case rule.Name == inForce:
			return v1alpha1.CronHPAReasonScaledToZero, "rule " + rule.Name + " is in force: " + zero
		default:
			message = "the target can be scaled; " + zero
		}
	}
	return reason, message
}
