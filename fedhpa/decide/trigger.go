package decide

import (
	"fmt"
	"slices"
	"time"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/split"
)

// question is what a trigger is asked about: the division in force, and the one that would be made now.
type question struct {
	names  []string
	have   targets
	in     split.Input
	result split.Result
}

// trigger is why the limits are divided anew. Its reason is the docs' word, the event's and the metric's label.
type trigger struct{ reason, message string }

// policy finds one reason to divide, nil for none.
type policy func(*decision, question) *trigger

// asked are the policies of what somebody changed since the last division, in the order of which one speaks. They know no result yet.
func asked() []policy {
	return []policy{takenOver, activeNow, specChanged, boundsChanged, clustersChanged, rebalanceAsked}
}

// noticed are the policies of what nobody asked for and makes another division better: a cluster that needs help at once before one whose
// promise is no longer kept.
func noticed() []policy {
	return []policy{nearMax, podsPending, clusterFull, weightsMoved}
}

// first is the first policy's word, if there is any. Until members have their autoscalers the first division stands.
func (d *decision) first(policies []policy, q question) *trigger {
	if d.firstOnly(q) {
		return nil
	}
	for _, applies := range policies {
		if t := applies(d, q); t != nil {
			return t
		}
	}
	return nil
}

// firstOnly reports whether the first division is in force and stands until members have their autoscalers.
func (d *decision) firstOnly(q question) bool {
	last := d.plan.Status.LastDivision
	return q.in.TakeOver && last != nil && last.Reason == api.FedHPAReasonTakenOver && len(q.have) == len(q.names)
}

func takenOver(d *decision, q question) *trigger {
	if d.plan.Status.LastDivision != nil && !q.in.TakeOver {
		return nil
	}
	return &trigger{api.FedHPAReasonTakenOver, "first division: every cluster's present count lies inside its limits"}
}

func activeNow(d *decision, q question) *trigger {
	if !d.takingOver() || d.joining() && q.have.room() <= d.w.Bounds.Max {
		return nil
	}
	return &trigger{api.FedHPAReasonActive, "every member has its autoscaler now"}
}

func specChanged(d *decision, _ question) *trigger {
	if d.plan.Status.LastDivision.ObservedGeneration == d.w.Generation {
		return nil
	}
	return &trigger{api.FedHPAReasonSpecChanged, "the spec changed"}
}

func boundsChanged(d *decision, q question) *trigger {
	if last := d.plan.Status.LastDivision; last.MinReplicas == q.in.Min && last.MaxReplicas == q.in.Max {
		return nil
	}
	return &trigger{api.FedHPAReasonBoundsChanged, fmt.Sprintf("the limits are now %d..%d%s", q.in.Min, q.in.Max, fromWords(d.w.Bounds))}
}

func clustersChanged(d *decision, q question) *trigger {
	if slices.Equal(q.names, d.dividedOver()) {
		return nil
	}
	return &trigger{api.FedHPAReasonClustersChanged, "the clusters are now " + list(q.names)}
}

// rebalanceAsked: one asked for by a clock that is ahead is met when this one is there. Until then no division would be later than it.
func rebalanceAsked(d *decision, _ question) *trigger {
	at := d.w.Binding.RescheduledAt
	if !at.After(d.plan.Status.LastDivision.Time.Time) || at.After(d.w.Now) {
		return nil
	}
	return &trigger{api.FedHPAReasonRescheduled, "a rebalance was asked for"}
}

// dividedOver are the clusters the division in force was made for.
func (d *decision) dividedOver() []string {
	var out []string
	for _, c := range d.plan.Status.Clusters {
		if TakesPart(c.State) {
			out = append(out, c.Name)
		}
	}
	slices.Sort(out)
	return out
}

// TakesPart reports whether a cluster in this state was part of the division in force.
func TakesPart(s api.FedHPAClusterState) bool {
	return s != api.ClusterStandby && s != api.ClusterLeaving
}

// nearMax helps a cluster near its limit while there is room for it elsewhere; one that stands at it, sooner.
func nearMax(d *decision, q question) *trigger {
	return d.pressed(q, func(name string, gain int32, _ split.Cluster) (due time.Duration, message string) {
		desired, most := d.member(name).HPA.Desired, q.have[name].Max
		if gain <= 0 || int64(desired)*100 < int64(most)*nearMaxPercent {
			return 0, ""
		}
		due = helpAge
		if desired >= most {
			due = urgentAge
		}
		return due, fmt.Sprintf("%s asks for %d of at most %d", name, desired, most)
	}, api.FedHPAReasonNearMax)
}

// podsPending takes from a cluster what its waiting pods show it does not have.
func podsPending(d *decision, q question) *trigger {
	return d.pressed(q, func(name string, gain int32, _ split.Cluster) (time.Duration, string) {
		if gain >= 0 || !d.pendingLong(name) {
			return 0, ""
		}
		return driftGap, fmt.Sprintf("%d pods in %s have waited for room since %s", d.member(name).Unschedulable, name,
			d.clusterStatus(name).PendingSince.UTC().Format(time.TimeOnly))
	}, api.FedHPAReasonPodsPending)
}

// clusterFull takes from a cluster a promise of room it no longer has.
func clusterFull(d *decision, q question) *trigger {
	return d.pressed(q, func(name string, gain int32, c split.Cluster) (time.Duration, string) {
		desired, most := d.member(name).HPA.Desired, q.have[name].Max
		if gain >= 0 || d.pendingLong(name) || c.Free == nil || *c.Free != 0 || most-desired < max(driftLimit(d.w.Bounds.Max), 1) {
			return 0, ""
		}
		return driftGap, fmt.Sprintf("%s is full at %d of the %d it was given", name, desired, most)
	}, api.FedHPAReasonClusterFull)
}

// pressed asks of each cluster that scales whether it needs help, which is due at an age of the division in force. gain is what another
// division would give it more.
func (d *decision) pressed(q question, needs func(name string, gain int32, c split.Cluster) (due time.Duration, message string),
	reason string) *trigger {
	age := d.w.Now.Sub(d.plan.Status.LastDivision.Time.Time)
	for i, name := range q.names {
		if !d.member(name).scales() {
			continue
		}
		switch due, message := needs(name, q.result.Ranges[i].Max-q.have[name].Max, q.in.Clusters[i]); {
		case message == "":
		case age < due:
			d.wake(due - age)
		default:
			return &trigger{reason, message}
		}
	}
	return nil
}

// weightsMoved finds limits that are far from what they would be now, twice, and not just divided.
func weightsMoved(d *decision, q question) *trigger {
	age := d.w.Now.Sub(d.plan.Status.LastDivision.Time.Time)
	far := int32(0)
	for i, name := range q.names {
		have, now := q.have[name], q.result.Ranges[i]
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
