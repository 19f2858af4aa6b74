package decide

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/split"
	"github.com/argosy-dev/argosy/internal/text"
)

// targets are what the division in force gives each cluster.
type targets map[string]split.Range

// room is what all of them together were given.
func (t targets) room() int32 {
	var sum int32
	for _, r := range t {
		sum += r.Max
	}
	return sum
}

// division is the one in force: the last one's word, or one made just now, of which words say to each cluster what it got and why.
type division struct {
	targets targets
	made    bool
	words   map[string]string
}

// divide settles what each cluster is to get.
func (d *decision) divide() division {
	q := question{names: d.clusters()}
	q.have = d.inForce(q.names)
	// What somebody asked for reaches ill members too, as far as it cuts nothing; what only got better by itself does not move their limits.
	q.in = d.input(q.names, false)
	t := d.first(asked(), q)
	if t == nil {
		q.in = d.input(q.names, true)
	}
	q.result = split.Divide(q.in)
	if t == nil {
		t = d.first(noticed(), q)
	}
	var frozen []string
	for _, c := range q.in.Clusters {
		if m := d.member(c.Name); m == nil || !m.Ready {
			frozen = append(frozen, c.Name)
		}
	}
	if t == nil {
		if c := meta.FindStatusCondition(d.plan.Status.Conditions,
			api.FedHPACapacitySufficient); c != nil && c.Status == metav1.ConditionUnknown {
			// It was not looked at while something kept the FedHPA from acting.
			d.capacityCondition(q.result, frozen)
		}
		return division{targets: q.have}
	}
	made := division{targets: targets{}, made: true, words: map[string]string{}}
	for i, name := range q.names {
		made.targets[name] = q.result.Ranges[i]
		made.words[name] = d.partWords(q.in.Clusters[i], q.result.Ranges[i], q.in)
		d.noteRoom(name, q.in.Clusters[i].Free)
	}
	d.plan.Divided = t.reason
	d.plan.Status.DriftSince = nil
	d.plan.Status.ReserveReplicas = q.result.Reserve
	d.plan.Status.LastDivision = &api.Division{
		Time: *d.stamp(), Reason: t.reason, Message: text.Cut(t.message, 1024), ObservedGeneration: d.w.Generation,
		MinReplicas: q.in.Min, MaxReplicas: q.in.Max,
	}
	d.tell(false, api.FedHPAReasonDivided, divisionWords(t, q, made))
	d.capacityCondition(q.result, frozen)
	return made
}

// input is the division's view of the world. With holdIll, members whose autoscaler cannot scale keep the limits they have.
func (d *decision) input(names []string, holdIll bool) split.Input {
	in := Asked(split.Range{Min: d.w.Bounds.Min, Max: d.w.Bounds.Max}, d.w.UID, d.w.Spec)
	in.TakeOver = true
	for _, name := range names {
		m, c := d.member(name), Wished(d.w.Spec, name)
		c.Current, c.Frozen, c.Rigid, c.Standby = d.counts[name], m == nil || !m.Ready, m.ill(), d.aside(name)
		if standing := m.standing(); standing != nil {
			last := standing.Sent
			in.TakeOver = in.TakeOver && c.Frozen
			if m.ill() {
				last.Max, c.Frozen = max(last.Max, c.Current), holdIll
			}
			c.Frozen = c.Frozen || m.Held
			c.Last = &last
		}
		if d.foreign(m) {
			c.Frozen, c.Last = true, &split.Range{Min: c.Current, Max: c.Current}
		}
		c.Free = d.free(name, m)
		if d.pendingLong(name) && !c.Rigid {
			// What has waited that long does not fit: it is not what the cluster can run.
			c.Current = max(c.Current-m.Unschedulable, 1)
			c.Free = new(int32)
		}
		in.Clusters = append(in.Clusters, c)
	}
	return in
}

// free is the room in a cluster beside what its autoscaler asks for now. The answer is some seconds old, and what was asked for since takes
// of it, whether it has been made or not: otherwise a cluster that grows fast is handed its room twice.
func (d *decision) free(name string, m *Member) *int32 {
	if dist := d.w.Spec.Distribution; dist != nil && dist.Capacity == api.CapacityIgnore {
		all := d.w.Bounds.Max
		return &all
	}
	if m == nil || m.Free == nil {
		return nil
	}
	free := max(*m.Free-max(d.counts[name]-m.FreeAt, 0), 0)
	return &free
}

// inForce takes the targets of the division in force from the status.
func (d *decision) inForce(names []string) targets {
	out := targets{}
	for _, name := range names {
		if c := d.clusterStatus(name); c != nil && TakesPart(c.State) {
			out[name] = split.Range{Min: c.MinReplicas, Max: c.MaxReplicas}
		}
	}
	return out
}

// pendingLong reports whether pods of the cluster have waited for room for long.
func (d *decision) pendingLong(name string) bool {
	c, m := d.clusterStatus(name), d.member(name)
	return c != nil && m != nil && m.Unschedulable > 0 && c.PendingSince != nil && d.w.Now.Sub(c.PendingSince.Time) >= pendingLong
}

// clusterStatus is the cluster's entry in the status as it was last written.
func (d *decision) clusterStatus(name string) *api.FedHPAClusterStatus {
	i := slices.IndexFunc(d.plan.Status.Clusters, func(c api.FedHPAClusterStatus) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &d.plan.Status.Clusters[i]
}

// driftLimit is how many replicas limits may be off before that counts.
func driftLimit(n int32) int32 { return int32(int64(n) * driftPercent / 100) }

func abs(n int32) int32 { return max(n, -n) }

func deref(n *int32) int32 {
	if n == nil {
		return 0
	}
	return *n
}
