package decide

import (
	"slices"
	"testing"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/split"
)

// TestCutOff: once a rollback marked the workload, books and limits stay as they are whatever members do, and what an owner does there
// stands. When the mark goes, what runs is taken over as it is.
func TestCutOff(t *testing.T) {
	m := settled(t)
	m.template.CutOff = true
	m.play(1)
	books, template := m.binding.clusters.String(), m.template
	for _, name := range []string{"m1", "m2"} {
		if member := m.members[name]; !member.withheld || member.hpaGone {
			t.Fatalf("the autoscaler of %s goes on being dispatched: %s", name, m)
		}
	}
	wantSaid(t, m.status, api.FedHPAReady, "False CutOff: the workload is cut off")
	wantSaid(t, m.status, api.FedHPABooksAgree, "Unknown CutOff")

	// The owner deletes one autoscaler, gives the other wider limits, and scales by hand.
	m.members["m1"].hpa, m.members["m1"].replicas = nil, 4
	m.members["m2"].hpa = &split.Range{Min: 1, Max: 40}
	m.members["m2"].load = 15
	m.play(6)
	if m.binding.clusters.String() != books || m.template != template || m.members["m1"].hpa != nil || m.members["m1"].replicas != 4 ||
		m.members["m2"].replicas != 15 {
		t.Fatalf("touched: %s", m)
	}
	if plan := Decide(m.world()); len(plan.Actions)+len(plan.Events) != 0 {
		t.Errorf("at rest: %v %v", actionsOf(plan), plan.Events)
	}

	// The migration adopts the workload again, with what the members run.
	m.template.CutOff, m.template.Replicas = false, 19
	m.schedule(19, Counts{"m1": 4, "m2": 15})
	m.members["m1"].load = 4
	for range 12 {
		m.play(1)
		if m.members["m1"].replicas < 4 || m.members["m2"].replicas < 15 {
			t.Fatalf("replicas were cut: %s", m)
		}
	}
	if m.members["m1"].withheld || m.members["m2"].withheld || m.members["m1"].hpa == nil {
		t.Errorf("not taken over again: %s", m)
	}
}

// TestDeletedWhileCutOff: the FedHPA goes, and what members hold stays. So it does when the workload has left for good.
func TestDeletedWhileCutOff(t *testing.T) {
	m := settled(t)
	m.template.CutOff, m.deleting, m.deletedAt = true, true, m.now
	m.play(8)
	if !m.gone || m.members["m1"].hpa == nil || m.members["m2"].hpa == nil || m.members["m1"].hpaWork != nil {
		t.Errorf("gone=%v: %s", m.gone, m)
	}
	if m.template.RetainOurs || m.binding.ledger != nil {
		t.Errorf("left behind: %s", m)
	}

	m = settled(t)
	m.template.CutOff = true
	m.play(2)
	w := m.world()
	w.Template, w.Binding, w.Deleting = nil, nil, true
	if got := actionsOf(Decide(w)); !slices.Equal(got, []ActionKind{AbandonAutoscaler, AbandonAutoscaler}) {
		t.Errorf("left for good: %v", got)
	}
}
