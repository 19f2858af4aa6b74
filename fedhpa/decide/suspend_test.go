package decide

import (
	"testing"
	"time"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// play lets Karmada and the members act, and the controller look, for a while.
func (m *model) play(rounds int) {
	for range rounds {
		m.now = m.now.Add(30 * time.Second)
		m.detect()
		m.read()
		m.write()
		m.deliver(false)
		for name := range m.members {
			m.execute(name)
			m.tick(name)
			m.report(name)
		}
		m.reconcile(-1)
	}
}

// TestSuspend: a pause changes no replica and gives them back; what is set meanwhile stands, and is taken over when it ends.
func TestSuspend(t *testing.T) {
	m := settled(t)
	m.spec.Suspend = true
	m.generation++
	m.members["m1"].load = 7 // while its autoscaler is being taken back
	m.play(12)
	if m.template.Retain || m.binding.ledger != nil || m.members["m1"].hpaWork != nil || !m.finalizer || m.gone {
		t.Fatalf("not let go: %s", m)
	}
	wantSaid(t, m.status, api.FedHPAReady, "False Suspended: spec.suspend is true")
	wantSaid(t, m.status, api.FedHPABooksAgree, "Unknown Suspended")
	if got := m.binding.clusters.Sum(); m.status.Phase != api.FedHPASuspended || got != m.members["m1"].replicas+m.members["m2"].replicas {
		t.Errorf("phase %s, %s run", m.status.Phase, m.binding.clusters)
	}
	if plan := Decide(m.world()); len(plan.Actions)+len(plan.Events) != 0 {
		t.Errorf("at rest: %v %v", actionsOf(plan), plan.Events)
	}
	m.template.Replicas = 15
	m.play(4)
	if got := m.members["m1"].replicas + m.members["m2"].replicas; got != 15 {
		t.Errorf("scaled to 15 by hand, %d run", got)
	}
	m.spec.Suspend = false
	m.generation++
	m.members["m1"].load, m.members["m2"].load = m.members["m1"].replicas, m.members["m2"].replicas
	mustSettle(t, m)
	if got := m.binding.clusters.Sum(); got != 15 {
		t.Errorf("taken over: %s", m.binding.clusters)
	}
	wantSaid(t, m.status, api.FedHPAReady, "True Active")
}

// TestSuspendedFromBirth: nothing is touched.
func TestSuspendedFromBirth(t *testing.T) {
	m := newModel(limits(2, 20), Counts{"m1": 5, "m2": 3})
	m.spec.Suspend = true
	m.play(4)
	if m.finalizer || m.template.Retain || m.binding.ledger != nil {
		t.Errorf("touched: %s", m)
	}
	wantSaid(t, m.status, api.FedHPAReady, "False Suspended")
	m.deleting = true
	if plan := Decide(m.world()); len(plan.Actions) != 0 {
		t.Errorf("deleted: %v", actionsOf(plan))
	}
}
