package decide

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/split"
)

// trigger is why the limits are divided anew.
type trigger struct{ reason, message string }

// divide settles what each cluster is to get: the last division's word, or a new one where something asks for it.
func (d *decision) divide() bool {
	names := d.clusters()
	d.last(names)
	// What somebody asked for reaches ill members too, as far as it cuts nothing; what only got better by itself does not move their limits.
	in := d.input(names, false)
	t := d.asked(names, in)
	if t == nil {
		in = d.input(names, true)
	}
	result := split.Divide(in)
	if t == nil {
		t = d.noticed(names, in, result)
	}
	var frozen []string
	for _, c := range in.Clusters {
		if m := d.member(c.Name); m == nil || !m.Ready {
			frozen = append(frozen, c.Name)
		}
	}
	if t == nil {
		if c := meta.FindStatusCondition(d.plan.Status.Conditions, api.FedHPACapacitySufficient); c != nil &&
			c.Status == metav1.ConditionUnknown {
			// It was not looked at while something kept the FedHPA from acting.
			d.capacityCondition(result, frozen)
		}
		return false
	}
	d.targets = map[string]split.Range{}
	for i, name := range names {
		d.targets[name] = result.Ranges[i]
		d.noteDivision(name, in.Clusters[i], result.Ranges[i], in)
	}
	d.plan.Divided = t.reason
	d.plan.Status.DriftSince = nil
	d.plan.Status.ReserveReplicas = result.Reserve
	d.plan.Status.LastDivision = &api.Division{
		Time: *d.stamp(), Reason: t.reason, Message: clip(t.message, 1024), ObservedGeneration: d.w.Generation,
		MinReplicas: in.Min, MaxReplicas: in.Max,
	}
	d.tell(false, api.FedHPAReasonDivided, d.divisionWords(t, names, result))
	d.capacityCondition(result, frozen)
	return false
}

// input is the division's view of the world. With holdIll, members whose autoscaler cannot scale keep the limits they have.
func (d *decision) input(names []string, holdIll bool) split.Input {
	in := split.Input{Min: d.w.Bounds.Min, Max: d.w.Bounds.Max, Seed: d.w.UID, TakeOver: true}
	if dist := d.w.Spec.Distribution; dist != nil {
		in.WeightedMin = slices.ContainsFunc(dist.Clusters, func(c api.ClusterDistribution) bool { return c.Weight != nil })
	}
	for _, name := range names {
		m, wish := d.member(name), d.distribution(name)
		c := split.Cluster{Name: name, Current: d.counts[name], Weight: 1, Frozen: m == nil || !m.Ready, Rigid: m.ill()}
		if wish.Weight != nil {
			c.Weight = int64(*wish.Weight)
		}
		c.Standby = d.aside(name)
		c.Least, c.Most = deref(wish.MinReplicas), deref(wish.MaxReplicas)
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

// last takes the targets of the division in force from the status.
func (d *decision) last(names []string) {
	d.targets = map[string]split.Range{}
	for _, name := range names {
		if c := d.clusterStatus(name); c != nil && takesPart(c.State) {
			d.targets[name] = split.Range{Min: c.MinReplicas, Max: c.MaxReplicas}
		}
	}
}

// firstOnly reports whether the first division is in force and stands until members have their autoscalers.
func (d *decision) firstOnly(names []string, in split.Input) bool {
	last := d.plan.Status.LastDivision
	return in.TakeOver && last != nil && last.Reason == api.FedHPAReasonTakenOver && len(d.targets) == len(names)
}

// noticed finds what nobody asked for and makes another division better.
func (d *decision) noticed(names []string, in split.Input, result split.Result) *trigger {
	if d.firstOnly(names, in) {
		return nil
	}
	age := d.w.Now.Sub(d.plan.Status.LastDivision.Time.Time)
	for i, name := range names {
		if t := d.pressed(name, in.Clusters[i], result.Ranges[i], age); t != nil {
			return t
		}
	}
	return d.drifted(names, result, age)
}

// asked finds what somebody changed since the last division: taken over, spec, limits, clusters, or a rebalance.
func (d *decision) asked(names []string, in split.Input) *trigger {
	last := d.plan.Status.LastDivision
	switch {
	case d.firstOnly(names, in):
		return nil
	case last == nil || in.TakeOver:
		return &trigger{api.FedHPAReasonTakenOver, "first division: every cluster's present count lies inside its limits"}
	case last.Reason == api.FedHPAReasonTakenOver && (!d.joining() || d.room() > d.w.Bounds.Max):
		return &trigger{api.FedHPAReasonActive, "every member has its autoscaler now"}
	case last.ObservedGeneration != d.w.Generation:
		return &trigger{api.FedHPAReasonSpecChanged, "the spec changed"}
	case last.MinReplicas != in.Min || last.MaxReplicas != in.Max:
		return &trigger{api.FedHPAReasonBoundsChanged, fmt.Sprintf("the limits are now %d..%d%s", in.Min, in.Max, fromWords(d.w.Bounds))}
	case !slices.Equal(names, d.dividedOver()):
		return &trigger{api.FedHPAReasonClustersChanged, "the clusters are now " + list(names)}
	case d.w.Binding.RescheduledAt.After(last.Time.Time) && !d.w.Binding.RescheduledAt.After(d.w.Now):
		// One asked for by a clock that is ahead is met when this one is there: until then no division would be later than it.
		return &trigger{api.FedHPAReasonRescheduled, "a rebalance was asked for"}
	}
	return nil
}

// dividedOver are the clusters the division in force was made for.
func (d *decision) dividedOver() []string {
	var out []string
	for _, c := range d.plan.Status.Clusters {
		if takesPart(c.State) {
			out = append(out, c.Name)
		}
	}
	slices.Sort(out)
	return out
}

// takesPart reports whether a cluster in this state was part of the division in force.
func takesPart(s api.FedHPAClusterState) bool {
	return s != api.ClusterStandby && s != api.ClusterLeaving
}

// pressed finds a cluster that needs help at once: near its limit while there is room for it elsewhere, or with a promise
// of room it no longer has.
func (d *decision) pressed(name string, c split.Cluster, now split.Range, age time.Duration) *trigger {
	have, m := d.targets[name], d.member(name)
	if !m.scales() {
		return nil
	}
	desired := m.HPA.Desired
	gain := now.Max - have.Max
	var found *trigger
	var due time.Duration
	switch {
	case gain > 0 && int64(desired)*100 >= int64(have.Max)*nearMaxPercent:
		due = helpAge
		if desired >= have.Max {
			due = urgentAge
		}
		found = &trigger{api.FedHPAReasonNearMax, fmt.Sprintf("%s asks for %d of at most %d", name, desired, have.Max)}
	case gain >= 0:
		return nil
	case d.pendingLong(name):
		due = driftGap
		found = &trigger{api.FedHPAReasonPodsPending, fmt.Sprintf("%d pods in %s have waited for room since %s", m.Unschedulable, name,
			d.clusterStatus(name).PendingSince.UTC().Format(time.TimeOnly))}
	case c.Free != nil && *c.Free == 0 && have.Max-desired >= max(driftLimit(d.w.Bounds.Max), 1):
		due = driftGap
		found = &trigger{api.FedHPAReasonClusterFull, fmt.Sprintf("%s is full at %d of the %d it was given", name, desired, have.Max)}
	}
	if found != nil && age < due {
		d.wake(due - age)
		return nil
	}
	return found
}

// drifted finds limits that are far from what they would be now, twice, and not just divided.
func (d *decision) drifted(names []string, result split.Result, age time.Duration) *trigger {
	far := int32(0)
	for i, name := range names {
		have, now := d.targets[name], result.Ranges[i]
		far = max(far, abs(have.Max-now.Max), abs(have.Min-now.Min))
	}
	s := &d.plan.Status
	if far <= driftLimit(d.w.Bounds.Max) {
		s.DriftSince = nil
		return nil
	}
	if s.DriftSince == nil {
		s.DriftSince = d.stamp()
	}
	if d.w.Now.Sub(s.DriftSince.Time) < driftGap || age < driftAge {
		d.wake(max(driftGap-d.w.Now.Sub(s.DriftSince.Time), driftAge-age))
		return nil
	}
	return &trigger{api.FedHPAReasonWeightsMoved, fmt.Sprintf("limits were %d replicas away from what fits now", far)}
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
