package decide

import (
	"fmt"
	"time"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// withdrawnFor is how long a member is left to a second autoscaler before ours is tried there again. Nothing of the member is seen
// meanwhile, and for the seconds of a try Kubernetes switches both off.
const withdrawnFor = 10 * time.Minute

// speaks reports whether what the member's autoscaler says is of today: reachable, ours, applied, seeing its workload, and not withheld,
// when its owner may have deleted it.
func (m *Member) speaks() bool {
	return m != nil && m.Ready && m.HPA != nil && m.HPA.Owned && m.HPA.Applied && !m.HPA.Deleting && !m.HPA.Lost && !m.HPA.Withheld
}

// scales reports whether the member's autoscaler does its work: past its first tick, with nothing that keeps it from scaling.
func (m *Member) scales() bool { return m.speaks() && m.HPA.Fault == "" && m.HPA.Desired > 0 }

// undelivered reports whether Karmada could not write what the member is sent.
func (m *Member) undelivered() bool {
	return m.HPA != nil && m.HPA.Owned && !m.HPA.Applied && m.HPA.Message != ""
}

// unanswered reports whether that is so because the connection to the member broke: nothing was refused, and what the autoscaler there does
// is not known.
func (m *Member) unanswered() bool { return m.undelivered() && !m.HPA.Refused && m.HPA.Fault == "" }

// unanswered is that of a member where no other autoscaler owns the replicas.
func (d *decision) unanswered(m *Member) bool { return m.unanswered() && !d.foreign(m) }

// ill reports whether the member is reachable and has an autoscaler of ours that cannot scale, or may not be able to. It still obeys
// limits: Kubernetes holds a workload inside them without looking at any metric, so a limit below what runs would cut it.
func (m *Member) ill() bool {
	return m != nil && m.Ready && m.HPA != nil && m.HPA.Owned && (m.HPA.Fault != "" || m.undelivered())
}

// foreign reports whether somebody else's autoscaler owns the member's replicas: a Work of ours is not there, or was taken back.
func (d *decision) foreign(m *Member) bool {
	return m != nil && m.Ready && (m.HPA != nil && !m.HPA.Owned || d.withdrawn(m.Name) > 0)
}

// withdrawn is how long our autoscaler is still kept out of a cluster where another one scales the same pods; 0 when it is not.
func (d *decision) withdrawn(name string) time.Duration {
	c := d.clusterStatus(name)
	if c == nil || c.WithdrawnSince == nil {
		return 0
	}
	return max(withdrawnFor-d.w.Now.Sub(c.WithdrawnSince.Time), 0)
}

// runs is how many replicas the workload is to have in the member, by the best witness there is; known is false where nobody can tell, and
// unknown never becomes a number. An autoscaler that scales is believed what it asks for. One that cannot keeps the count of better days in
// desiredReplicas, so that only currentReplicas counts, which is the workload's spec.replicas at its last look, whoever wrote that. Where
// the autoscaler is not ours, the workload's own status is all there is.
func (d *decision) runs(m *Member) (count int32, known bool) {
	switch {
	case m == nil || !m.Ready:
	case m.speaks() && (m.HPA.Fault != "" || !m.HPA.Judged && m.Workload.still() && m.Workload.Replicas == m.HPA.Current):
		return m.HPA.Current, m.HPA.Current > 0
	case m.speaks():
		return m.HPA.Desired, m.HPA.Desired > 0
	case (d.foreign(m) || m.undelivered() || m.HPA != nil && m.HPA.Withheld) && m.Workload.still():
		return m.Workload.Replicas, true
	}
	return 0, false
}

// still reports whether the workload's status says what its spec says: its controller has seen the spec, and no update of its pods is under
// way, in which pods of both versions are counted.
func (w *Workload) still() bool {
	return w != nil && w.Observed && w.Replicas > 0 && !w.rolling()
}

// rolling reports whether pods of an older template are among those counted.
func (w *Workload) rolling() bool { return w.Updated != nil && *w.Updated < w.Replicas }

// denied names a member that runs more than the books say, for as long as it does.
func (d *decision) denied() string {
	for _, name := range d.clusters() {
		m := d.member(name)
		if m != nil && m.Ready && m.Workload.still() && m.HPA != nil && m.Workload.Replicas > d.counts[name] {
			return fmt.Sprintf(
				"%s runs %d replicas where its autoscaler asks for %d: it is on its way down, or something else scales the workload there",
				name, m.Workload.Replicas, d.counts[name])
		}
	}
	return ""
}

// withdraw takes our autoscaler back from a member in which another one scales the same pods: Kubernetes switches both off for as long as
// both are there, and the other one is none of ours to delete.
func (d *decision) withdraw() {
	for _, name := range d.clusters() {
		m, c := d.member(name), d.clusterStatus(name)
		if c == nil || m == nil || !m.Ready {
			continue
		}
		if m.HPA != nil && m.HPA.Owned && m.HPA.Ambiguous && !m.HPA.Deleting && !m.Held {
			c.WithdrawnSince = d.stamp()
			d.act(Action{Kind: DeleteAutoscaler, Cluster: name})
			d.tell(true, api.FedHPAReasonSecondInMember, fmt.Sprintf("%s: %s; ours is withdrawn for %s", name, m.HPA.Fault, withdrawnFor))
		}
		if left := d.withdrawn(name); left > 0 {
			d.wake(left)
		} else if m.HPA == nil {
			c.WithdrawnSince = nil
		}
	}
}
