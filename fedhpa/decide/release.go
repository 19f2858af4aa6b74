package decide

import (
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// release lets go of a workload without changing a replica: books true, autoscalers gone, books true once more (an
// autoscaler may have moved in between), and only then the label that keeps Karmada from writing replicas.
func (d *decision) release() {
	d.plan.Status.Phase = api.FedHPAReleasing
	if d.w.Deleting && d.plan.Status.ReleasingSince == nil {
		d.plan.Status.ReleasingSince = d.stamp()
	}
	if d.w.Spec.Suspend && !d.w.Deleting {
		d.suspend()
	}
	if !d.w.Finalizer {
		return
	}
	left := d.ownAutoscalers()
	p := d.w.Problem
	switch {
	case p != nil && p.Reason != api.FedHPAReasonTargetKindUnknown:
		// It is there, and cannot be read: what it says of replicas must be known before anybody else may write them.
		d.releasing(p.Message)
	case len(left) > 0:
		// Without template or binding there is nothing to keep true.
		possible := true
		if d.w.Template != nil && d.w.Binding != nil {
			possible, _ = d.releaseBooks(d.counts)
		}
		if possible {
			d.deleteAll(left)
			d.releasing("the autoscalers of " + list(left) + " are being removed")
		}
	default:
		d.releaseReplicas()
	}
}

// releaseReplicas lets go of a workload whose members have no autoscaler any more. It may be gone, or propagated by no policy.
func (d *decision) releaseReplicas() {
	whole := d.w.Template != nil && d.w.Binding != nil
	ledger := d.w.Binding != nil && d.w.Binding.Ledger != nil
	before := len(d.plan.Actions)
	if whole && ledger && d.w.Binding.Divided {
		if !d.handOver() {
			return
		}
	} else {
		if d.w.Template != nil && d.w.Template.RetainOurs {
			d.act(Action{Kind: ClearRetain})
		}
		if ledger {
			d.act(Action{Kind: ClearLedger})
		}
	}
	if d.w.Deleting {
		d.act(Action{Kind: RemoveFinalizer})
	}
	if len(d.plan.Actions) > before {
		d.letGoWords(whole)
	}
}

// handOver makes replicas that members owned Karmada's, one write after the other, and reports whether the last one is this: the books are
// made true, the label goes, and when Karmada has seen that the ledger goes.
func (d *decision) handOver() bool {
	labelled := d.w.Template.RetainOurs
	if !labelled && d.w.Binding.LettingGo {
		if unread := d.unread(); unread != "" {
			d.releasing(unread)
			return false
		}
		d.act(Action{Kind: ReturnReplicas, Total: d.w.Template.Replicas})
		return true
	}
	switch {
	case !d.booksForGood():
		return false
	case !labelled:
		d.act(Action{Kind: ClearLedger})
		return true
	}
	d.act(Action{Kind: NoteLettingGo})
	d.act(Action{Kind: ClearRetain})
	d.releasing("Karmada is to read the template without its label before the replicas are its own")
	return false
}

// booksForGood reports whether binding, template and Works say what the members run now that no autoscaler speaks for them; what is
// missing for that it writes or waits for.
func (d *decision) booksForGood() bool {
	counts, wait := d.finalCounts()
	if wait != "" {
		d.releasing(wait)
		return false
	}
	if _, done := d.releaseBooks(counts); !done {
		return false
	}
	if unsent := d.unsent(); unsent != "" {
		d.releasing(unsent)
		return false
	}
	return true
}

// unread says why the ledger must stay although the template's label is gone. Karmada's detector writes a binding's replicas from the
// template it read when it began, over whatever the binding says by then: begun before the template said the sum and held up for seconds,
// it would bring back a count that is long over. While there is a ledger the webhook keeps the sum. Karmada handles a template's versions
// one after the other: once the binding is of one without the label nothing older is on its way.
func (d *decision) unread() string {
	switch b := d.w.Binding; {
	case !b.Claimed || d.releasedFor() >= releasePatience:
		return ""
	case !b.CaughtUp:
		return "Karmada has not yet made the ResourceBinding from the template without its label"
	case b.Ahead:
		return "Karmada has read a newer template"
	}
	return ""
}

// unsent names a cluster whose Work does not say yet what the books say. Karmada's binding controller reads the template and the binding
// from two caches: shown the template without the label and the binding of before, it would set a member to a count that is long over. Once
// it has written a Work from the binding of today it goes back behind that no more. An OverridePolicy may have the Work say something else
// for ever.
func (d *decision) unsent() string {
	if !d.w.Template.RetainOurs || d.releasedFor() >= releasePatience {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(d.w.Binding.Clusters)) {
		m, want := d.member(name), d.w.Binding.Clusters[name]
		if m != nil && m.Workload != nil && m.Workload.Sent != nil && *m.Workload.Sent != want {
			return fmt.Sprintf("Karmada has not yet written the %d replicas of %s into its Work, which says %d", want, name, *m.Workload.Sent)
		}
	}
	return ""
}

// letGoWords tells whose the replicas are from now on.
func (d *decision) letGoWords(whole bool) {
	switch {
	case whole && !d.w.Binding.Divided:
		d.tell(true, api.FedHPAReasonReleased,
			fmt.Sprintf("the policy duplicates replicas: every cluster is given the template's %d", d.w.Template.Replicas))
	case whole:
		d.tell(false, api.FedHPAReasonReleased, fmt.Sprintf("replicas stay as they are (%s) and are Karmada's again", d.counts))
	}
}

// suspend is a release that the FedHPA outlives. What it knew of the members is forgotten: it takes over anew what runs when it goes on.
func (d *decision) suspend() {
	s := &d.plan.Status
	s.Phase = api.FedHPASuspended
	if s.SuspendedSince == nil {
		s.SuspendedSince = d.stamp()
	}
	s.Clusters, s.LastDivision, s.DriftSince, s.TemplateScale = nil, nil, nil, nil
	s.CurrentReplicas, s.DesiredReplicas, s.ReserveReplicas = 0, 0, 0
	d.notReady(api.FedHPAReasonSuspended, "spec.suspend is true: the workload's replicas are Karmada's and yours to set")
	d.changed(false, api.FedHPAReasonSuspended, "suspended: members' autoscalers are taken back, replicas stay as they are")
}

func (d *decision) ownAutoscalers() []string {
	var out []string
	for _, m := range d.w.Members {
		if m.HPA != nil && m.HPA.Owned {
			out = append(out, m.Name)
		}
	}
	return out
}

func (d *decision) deleteAll(names []string) {
	for _, name := range names {
		switch hpa := d.member(name).HPA; {
		case hpa.Deleting:
		case hpa.Withheld && d.w.Template == nil:
			// The workload left the federation while it was cut off: what is in the member is its owner's.
			d.act(Action{Kind: AbandonAutoscaler, Cluster: name})
		default:
			d.act(Action{Kind: DeleteAutoscaler, Cluster: name})
		}
	}
}

// releaseBooks writes what is not yet true, and reports whether writing was possible, and whether nothing had to be written.
func (d *decision) releaseBooks(counts Counts) (possible, done bool) {
	b := d.w.Binding
	zero := d.w.Template.Replicas == 0
	switch {
	case len(b.Clusters) == 0 || !b.Divided || zero && b.Settled && b.Replicas == 0:
		// Nothing runs, or is not to; or replicas are duplicated, and every cluster is to have the template's.
		return true, true
	case zero:
		// Writing the sum would undo it.
		d.releasing("the target was scaled to zero: waiting until Karmada has done that")
		return false, false
	case b.Suspended:
		d.releasing("scheduling of the ResourceBinding is suspended: resume it")
		return false, false
	case !b.Settled || len(b.Evicting) > 0:
		d.releasing("the scheduler is still working on the ResourceBinding")
		return false, false
	case b.Clusters.String() == counts.String() && b.Replicas == counts.Sum() && d.w.Template.Replicas == counts.Sum():
		return true, true
	}
	d.writeBooks(counts)
	d.releasing("the books are being made true: members run " + counts.String())
	return true, false
}

// releasedFor is how long ago it was asked to let go, by the clock of whoever looks: that of the API server, which stamps a deletion, may
// be hours away from it, and patience would be over at once, or never. A stamp from before the deletion was written by a leader whose clock
// was behind.
func (d *decision) releasedFor() time.Duration {
	since := d.plan.Status.SuspendedSince
	if d.w.Deleting {
		since = d.plan.Status.ReleasingSince
		if deleted := d.w.DeletedAt; since != nil && deleted.After(since.Time) && !deleted.After(d.w.Now) {
			since = &metav1.Time{Time: deleted}
		}
	}
	if since == nil {
		return 0
	}
	return d.w.Now.Sub(since.Time)
}

func (d *decision) releasing(message string) {
	if unreachable := slices.DeleteFunc(d.ownAutoscalers(), func(name string) bool { return d.member(name).Ready }); len(unreachable) > 0 {
		message += "; " + list(unreachable) + " cannot be reached: waiting until it can, or until it is unjoined"
	}
	if d.w.Deleting {
		d.notReady(api.FedHPAReasonReleasing, message)
	} else {
		d.notReady(api.FedHPAReasonSuspended, "being suspended: "+message)
	}
	d.wakeAfter(d.releasedFor())
	if left := releasePatience - d.releasedFor(); left > 0 {
		d.wake(left)
	}
}
