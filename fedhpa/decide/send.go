package decide

import (
	"fmt"
	"slices"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/split"
)

// send moves the members' autoscalers towards the targets, donors before receivers, and takes back those of clusters that
// left the scheduling result.
func (d *decision) send(want targets, floors Counts) []split.Step {
	names := d.clusters()
	var steps []split.Step
	d.withdraw()
	// More than the user's max may have to be in force: what already runs, what the scheduler moved, one replica for each cluster.
	var must, running int64
	for _, name := range names {
		steps = append(steps, d.step(name, want[name], floors))
		running += int64(d.counts[name])
		must += int64(d.needs(name, floors))
	}
	total := int32(max(int64(d.w.Bounds.Max), must))
	d.makeRoom(steps, int64(total), floors)
	steps = append(steps, d.leaving()...)
	for i, r := range split.Next(steps, total, running > int64(d.w.Bounds.Max)) {
		if i >= len(names) {
			break
		}
		m := d.member(names[i])
		if m == nil || !m.Ready || m.Held || !sendable(m) || d.withdrawn(names[i]) > 0 {
			continue
		}
		switch {
		case r != nil:
			d.act(Action{Kind: SendAutoscaler, Cluster: names[i], Range: *r})
		case m.HPA != nil && !m.HPA.SpecCurrent && !m.HPA.Withheld:
			d.act(Action{Kind: SendAutoscaler, Cluster: names[i], Range: m.HPA.Sent})
		}
	}
	if !split.Settled(steps) {
		d.wakeAfter(d.w.Now.Sub(d.plan.Status.LastDivision.Time.Time))
	}
	d.takeBack()
	return steps
}

// needs is the least upper limit of a cluster: what runs there, and what the scheduler moved there.
func (d *decision) needs(name string, floors Counts) int32 {
	return max(d.counts[name], floors[name], 1)
}

// makeRoom lowers what clusters may grow to where that and what was moved to others are beyond total: the targets know nothing of a
// movement.
func (d *decision) makeRoom(steps []split.Step, total int64, floors Counts) {
	over := -total
	for _, s := range steps {
		over += int64(s.Want.Max)
	}
	for i := range steps {
		step := &steps[i]
		spare := step.Want.Max - d.needs(step.Name, floors)
		if over > 0 && spare > 0 && !step.Frozen {
			cut := min(over, int64(spare))
			step.Want.Max -= int32(cut)
			over -= cut
		}
	}
}

// sendable reports whether a member may get an autoscaler, or new limits for the one it has. The Work of the workload must bear the
// retain label, and the workload be there. That a Work was applied may be of an older manifest, and says no more than that: with
// dispatching suspended it stays true, which is why a held member is not asked. There is no race with a sync that still reads the old
// Work: Karmada's execution controller reads Works from one watch, so when it creates the autoscaler it has seen the label, which was
// written before.
func sendable(m *Member) bool {
	if m.HPA != nil && (!m.HPA.Withheld || !m.HPA.Owned || m.HPA.Deleting) {
		return m.HPA.Owned && !m.HPA.Deleting
	}
	// One that was withheld is as good as new: nobody knows what was done in the member meanwhile.
	return m.Workload != nil && m.Workload.Retained && m.Workload.Applied
}

// standing is the autoscaler of ours whose limits the member has, or is about to have. One that is withheld its owner may have changed or
// deleted.
func (m *Member) standing() *Autoscaler {
	if m == nil || m.HPA == nil || !m.HPA.Owned || m.HPA.Withheld {
		return nil
	}
	return m.HPA
}

// step is one cluster's way to its target.
func (d *decision) step(name string, want split.Range, floors Counts) split.Step {
	m := d.member(name)
	step := split.Step{Name: name, Want: want.Native(), Current: d.counts[name], Frozen: m == nil || !m.Ready || m.Held}
	if m == nil {
		return step
	}
	if m.Workload != nil {
		step.Ready = m.Workload.Ready
	}
	if d.foreign(m) {
		// What runs there is taken from the whole, and nothing is sent.
		runs := split.Range{Min: d.counts[name], Max: d.counts[name]}
		step.Sent, step.InForce, step.Frozen = &runs, &runs, true
		return step
	}
	if d.pendingLong(name) && !m.ill() {
		step.Current = max(step.Current-m.Unschedulable, 1)
	}
	if h := m.standing(); h != nil {
		sent := h.Sent
		step.Sent, step.InForce = &sent, h.InForce
	} else if !step.Frozen {
		// The first tick of a new autoscaler changes nothing.
		runs := [2]int32{step.Current, step.Current}
		if m.Workload != nil && m.Workload.Observed && m.Workload.Replicas > 0 {
			runs[1] = m.Workload.Replicas
		}
		step.Want.Min = min(step.Want.Min, max(min(runs[0], runs[1]), 1))
		step.Want.Max = max(step.Want.Max, runs[0], runs[1])
	}
	if floor, ok := floors[name]; ok {
		step.Want.Min = max(step.Want.Min, floor)
		step.Want.Max = max(step.Want.Max, floor)
	}
	return step
}

// leaving are reachable clusters outside the result whose autoscalers are not gone yet: until they are, what they hold is not free. One
// that cannot be reached was given up by whoever evicted it, and holds nothing.
func (d *decision) leaving() []split.Step {
	var out []split.Step
	for i := range d.w.Members {
		m := &d.w.Members[i]
		if _, in := d.counts[m.Name]; !in && m.Ready && m.HPA != nil && m.HPA.Owned {
			sent := m.HPA.Sent
			out = append(out, split.Step{Name: m.Name, Sent: &sent, InForce: m.HPA.InForce, Frozen: true})
		}
	}
	return out
}

// takeBack removes the autoscalers of clusters that left. While a graceful eviction still empties a cluster its replicas
// go on serving, and so does its autoscaler.
func (d *decision) takeBack() {
	for _, m := range d.w.Members {
		if _, in := d.counts[m.Name]; in || m.HPA == nil || !m.HPA.Owned || m.HPA.Deleting ||
			slices.Contains(d.w.Binding.Evicting, m.Name) || !d.w.Binding.Settled {
			continue
		}
		d.act(Action{Kind: DeleteAutoscaler, Cluster: m.Name})
		d.tell(false, api.FedHPAReasonClustersChanged, fmt.Sprintf("%s left the scheduling result: its autoscaler is removed", m.Name))
	}
}
