package decide

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// cutOff keeps the hands off a workload that a rollback took out of the federation. The Works of its autoscalers are suspended, so that
// what owners do to them in members stands, deletion too. Binding, template and members stay as they are. What was known of the members
// is forgotten: what runs when the workload is adopted again is taken over anew.
func (d *decision) cutOff() {
	s := &d.plan.Status
	s.Phase, s.SuspendedSince = api.FedHPAPending, nil
	s.Clusters, s.LastDivision, s.DriftSince, s.TemplateScale = nil, nil, nil, nil
	s.CurrentReplicas, s.DesiredReplicas, s.ReserveReplicas = 0, 0, 0
	left := d.ownAutoscalers()
	if d.w.Deleting {
		if s.ReleasingSince == nil {
			s.ReleasingSince = d.stamp()
		}
		d.letGoCutOff(left)
		return
	}
	var open []string
	for _, name := range left {
		hpa := d.member(name).HPA
		if !hpa.Withheld && !hpa.Deleting {
			d.act(Action{Kind: WithholdAutoscaler, Cluster: name})
		}
		if !hpa.Confirmed || !hpa.Withheld {
			open = append(open, name)
		}
	}
	d.notReady(api.FedHPAReasonCutOff, cutOffWords(open))
	d.changed(false, api.FedHPAReasonCutOff,
		"the workload was cut off from the federation: its autoscalers are no longer dispatched, and members keep them as they are")
	if len(open) > 0 {
		d.wakeAfter(d.lasted(api.FedHPAReady))
	}
}

func cutOffWords(open []string) string {
	const words = "the workload is cut off from the federation (" + migrationMark + "): members keep their autoscalers as they are, and " +
		"they may be changed or deleted there"
	if len(open) == 0 {
		return words
	}
	return fmt.Sprintf("%s, except in %s, where Karmada has not confirmed yet that it no longer dispatches", words, list(open))
}

const migrationMark = "annotation migration.argosy.dev/cut-off on it"

// letGoCutOff ends a FedHPA whose workload is cut off. Its Works are suspended first: Karmada answers the deletion of one with a write or
// a deletion in the member.
func (d *decision) letGoCutOff(left []string) {
	d.condition(api.FedHPAReady, metav1.ConditionFalse, api.FedHPAReasonCutOff,
		"deleted while the workload is cut off: members keep their autoscalers as they are")
	for _, name := range left {
		switch hpa := d.member(name).HPA; {
		case hpa.Deleting:
		case !hpa.Withheld:
			d.act(Action{Kind: WithholdAutoscaler, Cluster: name})
		default:
			d.act(Action{Kind: AbandonAutoscaler, Cluster: name})
		}
	}
	if len(left) > 0 || !d.w.Finalizer {
		d.wakeAfter(d.releasedFor())
		return
	}
	// Both are of no effect while nothing is dispatched, and would bind whoever adopts the workload again.
	if d.w.Template.RetainOurs {
		d.act(Action{Kind: ClearRetain})
	}
	if d.w.Binding != nil && d.w.Binding.Ledger != nil {
		d.act(Action{Kind: ClearLedger})
	}
	d.act(Action{Kind: RemoveFinalizer})
}
