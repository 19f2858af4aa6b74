package decide

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// bookkeeping is what became of the books.
type bookkeeping struct {
	// floors are replicas the scheduler moved to a cluster that the member does not run yet.
	floors Counts
	// trueBinding: the scheduling result says what the members run. The template may follow some seconds later.
	trueBinding bool
}

// books makes the scheduling result and the template say what the members run. The binding is written first, its clusters and
// their sum at once: karmada-scheduler schedules only where sum and clusters differ.
func (d *decision) books() bookkeeping {
	b := d.w.Binding
	switch {
	case len(b.Evicting) > 0:
		d.wait(api.FedHPAReasonEvicting, fmt.Sprintf("the scheduler is moving replicas away from %s; the books wait for it", list(b.Evicting)))
		return bookkeeping{floors: d.moved()}
	case b.Suspended:
		d.wait(api.FedHPAReasonSchedulerBusy, "scheduling of the ResourceBinding is suspended; the books wait until it is resumed")
		return bookkeeping{}
	case !b.Settled:
		d.wait(api.FedHPAReasonSchedulerBusy, "the scheduler has not yet seen the present ResourceBinding; the books wait for it")
		return bookkeeping{}
	case d.rebalanced():
		return d.rebalance()
	case d.overwritten():
		return d.reassert()
	}
	if b.Ledger != nil && !sameClusters(b.Ledger, b.Clusters) {
		if moved := d.moved(); moved != nil {
			d.wait(api.FedHPAReasonAdopting,
				fmt.Sprintf("the scheduler changed the clusters to %s; members are being raised to what it moved to them", b.Clusters))
			return bookkeeping{floors: moved}
		}
	}
	return d.follow()
}

// wait says that the books are not being written now, and why.
func (d *decision) wait(reason, message string) {
	d.condition(api.FedHPABooksAgree, metav1.ConditionFalse, reason, message)
	d.wakeAfter(d.lasted(api.FedHPABooksAgree))
}

// moved is what the scheduler moved to clusters, nil once all of it runs. The members' replicas are retained, so that only the
// lower limit of their autoscaler can raise them; it holds until all of them are there, or one would fall again while another rises.
func (d *decision) moved() Counts {
	moved, missing := Counts{}, false
	for name, booked := range d.w.Binding.Clusters {
		m := d.member(name)
		runs, known := d.runs(m)
		if !known || !m.speaks() || m.Held || booked <= d.w.Binding.Ledger[name] {
			continue
		}
		moved[name] = min(booked, d.w.Bounds.Max)
		missing = missing || runs < moved[name]
	}
	if !missing {
		return nil
	}
	return moved
}

// rebalancePatience is how long a rebalance is followed: a member that cannot run what it was given by then does not hold the books up.
const rebalancePatience = 5 * time.Minute

// rebalanced reports whether the scheduler divided anew because somebody asked for that, and the members have not followed yet.
func (d *decision) rebalanced() bool {
	b, last := d.w.Binding, d.plan.Status.LastRebalanceTime
	if b.RescheduledAt.IsZero() || last != nil && !last.Time.Before(b.RescheduledAt) {
		return false
	}
	if b.Ledger == nil {
		// What was asked for before the take-over is in the counts that were taken over.
		d.plan.Status.LastRebalanceTime = &metav1.Time{Time: b.RescheduledAt}
		return false
	}
	return !b.ScheduledAt.Before(b.RescheduledAt)
}

// rebalance follows a rebalance as it follows any movement: what a cluster was given more becomes its lower limit until it runs there.
// After that each autoscaler holds what its load needs, and the books say that.
func (d *decision) rebalance() bookkeeping {
	b := d.w.Binding
	left := rebalancePatience - d.rebalancing()
	if moved := d.moved(); moved != nil && left > 0 {
		d.wait(api.FedHPAReasonAdopting,
			fmt.Sprintf("a rebalance was asked for, and the scheduler answered %s; members are being raised to what it moved to them", b.Clusters))
		d.wake(left)
		return bookkeeping{floors: moved}
	}
	d.plan.Status.LastRebalanceTime = &metav1.Time{Time: b.RescheduledAt}
	d.tellBooks(false, api.FedHPAReasonRescheduled, fmt.Sprintf("the rebalance to %s was followed: members run %s", b.Clusters, d.counts))
	return d.follow()
}

// rebalancing is how long ago the rebalance was asked for; by a clock that is ahead, for how long the books have not agreed.
func (d *decision) rebalancing() time.Duration {
	since := d.w.Now.Sub(d.w.Binding.RescheduledAt)
	if since >= 0 {
		return since
	}
	if meta.IsStatusConditionFalse(d.plan.Status.Conditions, api.FedHPABooksAgree) {
		return d.lasted(api.FedHPABooksAgree)
	}
	return 0
}

// overwritten reports whether somebody wrote another result over ours that is a mistake, not a movement.
func (d *decision) overwritten() bool {
	b := d.w.Binding
	return d.mistaken() && b.Clusters.String() != b.Ledger.String() && b.Clusters.String() != d.counts.String()
}

// mistaken reports whether the result moves nothing and is not to be believed where it differs from the ledger. Members hold on to their
// replicas, so other numbers over the same clusters come from a scheduler that worked from an old binding, or divided a count that
// somebody pushed with the template. One that divided too low a count leaves clusters out as well: fewer replicas in all than the ledger
// has, and nothing ails the clusters that are missing. A movement keeps the sum, or brings the result into the placement's upper bounds of
// groups, which the ledger is beyond: the placement was edited.
func (d *decision) mistaken() bool {
	b := d.w.Binding
	if b.Ledger == nil || sameClusters(b.Ledger, b.Clusters) {
		return b.Ledger != nil
	}
	if len(b.Clusters) == 0 || len(b.Evicting) > 0 || b.Clusters.Sum() >= b.Ledger.Sum() || d.beyondSpread(b.Ledger) {
		return false
	}
	for name := range b.Clusters {
		if _, ours := b.Ledger[name]; !ours {
			return false
		}
	}
	for name := range b.Ledger {
		m, missing := d.member(name), b.Clusters[name] == 0
		if missing && (m == nil || !m.Ready || !m.Eligible) {
			return false
		}
	}
	return true
}

// reassert writes the truth over it, at once the first time, and with growing pauses should somebody insist.
func (d *decision) reassert() bookkeeping {
	s := &d.plan.Status
	if last := s.LastOverwriteTime; last != nil {
		quiet := d.w.Now.Sub(last.Time)
		if quiet > overwriteForgotten {
			s.OverwriteStreak = 0
		}
		if pause := overwritePause(s.OverwriteStreak); quiet < pause {
			d.wait(api.FedHPAReasonOverwritten, fmt.Sprintf("the scheduling result says %s where members run %s; it was put right %d times in "+
				"a row, next time in %s",
				d.w.Binding.Clusters, d.counts, s.OverwriteStreak, (pause-quiet).Round(time.Second)))
			d.wake(pause - quiet)
			return bookkeeping{}
		}
	}
	s.Overwrites++
	s.OverwriteStreak++
	s.LastOverwriteTime = d.stamp()
	d.plan.Overwritten = true
	d.tellBooks(true, api.FedHPAReasonOverwritten,
		fmt.Sprintf("the scheduling result was overwritten with %s; members run %s: put right", d.w.Binding.Clusters, d.counts))
	return d.follow()
}

const (
	// overwriteForgotten is how long without an overwrite before the next one counts as the first.
	overwriteForgotten = 5 * time.Minute
	overwritePauseTop  = time.Minute
)

// overwritePause grows from nothing over 2, 4, 8 ... seconds to a minute.
func overwritePause(streak int32) time.Duration {
	if streak <= 0 {
		return 0
	}
	if streak > 5 {
		return overwritePauseTop
	}
	return min(time.Second<<streak, overwritePauseTop)
}

// follow writes what is not yet true.
func (d *decision) follow() bookkeeping {
	b, sum := d.w.Binding, d.counts.Sum()
	if b.Ledger == nil && !slices.ContainsFunc(d.clusters(), func(name string) bool { _, known := d.runs(d.member(name)); return known }) {
		// Before the first autoscaler has spoken the book is Karmada's own, and right.
		d.wait(api.FedHPAReasonTakingOver, "members are getting their autoscalers")
		return bookkeeping{}
	}
	if sum < 1 {
		return bookkeeping{}
	}
	binding, ledger := b.Clusters.String() != d.counts.String() || b.Replicas != sum, b.Ledger.String() != d.counts.String()
	if !binding && d.w.Template.Replicas == sum {
		d.agreed()
	} else {
		d.condition(api.FedHPABooksAgree, metav1.ConditionFalse, api.FedHPAReasonSyncing, fmt.Sprintf("writing that members run %s", d.counts))
		d.wakeAfter(d.lasted(api.FedHPABooksAgree))
	}
	if binding || ledger {
		d.act(Action{Kind: WriteBinding, Counts: d.counts, Total: sum})
	}
	d.followTemplate(sum)
	return bookkeeping{trueBinding: !binding}
}

// agreed says of books that nothing has to be written to whether the members say the same.
func (d *decision) agreed() {
	away := slices.DeleteFunc(d.clusters(), func(name string) bool { m := d.member(name); return m != nil && m.Ready })
	disagrees := slices.DeleteFunc(d.clusters(), func(name string) bool { return !d.edited(d.member(name), d.clusterStatus(name)) })
	switch denied := d.denied(); {
	case denied != "":
		d.condition(api.FedHPABooksAgree, metav1.ConditionFalse, api.FedHPAReasonMemberRunsMore, denied)
	case len(disagrees) > 0:
		d.condition(api.FedHPABooksAgree, metav1.ConditionUnknown, api.FedHPAReasonReportDisagrees,
			"ResourceBinding and template say what the members report, and what "+list(disagrees)+" reports is old, or somebody edits the "+
				"autoscaler there: it does not show the limits that were sent")
	case len(away) > 0:
		d.condition(api.FedHPABooksAgree, metav1.ConditionUnknown, api.FedHPAReasonMemberUnreachable,
			"ResourceBinding and template say what the members run, and of "+list(away)+" what they ran when they were last seen")
	default:
		d.condition(api.FedHPABooksAgree, metav1.ConditionTrue, api.FedHPAReasonBooksAgree,
			"ResourceBinding and template say what the members run")
	}
}

// writeBooks writes the binding, then the template, both now.
func (d *decision) writeBooks(counts Counts) {
	d.act(Action{Kind: WriteBinding, Counts: counts, Total: counts.Sum()})
	if d.w.Template.Replicas != counts.Sum() {
		d.scaleTemplate(counts.Sum())
	}
}

// joining reports whether a reachable cluster still waits for its autoscaler's first word.
func (d *decision) joining() bool {
	return slices.ContainsFunc(d.clusters(), func(name string) bool {
		m := d.member(name)
		return m != nil && m.Ready && !m.Held && !m.scales() && !m.ill() && !d.foreign(m)
	})
}
