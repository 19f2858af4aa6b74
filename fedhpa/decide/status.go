package decide

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/split"
	"github.com/argosy-dev/argosy/internal/text"
)

// say composes the status from what was seen and decided.
func (d *decision) say(now division) {
	s := &d.plan.Status
	d.clusterStatuses(now)
	s.CurrentReplicas, s.DesiredReplicas = 0, 0
	for _, c := range s.Clusters {
		s.CurrentReplicas += c.CurrentReplicas
		s.DesiredReplicas += c.DesiredReplicas
	}
	s.Phase = api.FedHPAActive
	if d.takingOver() {
		s.Phase = api.FedHPATakingOver
	}
	d.membersCondition()
	d.pendingCondition()
	d.readyCondition()
}

// clusterStatuses rewrites the list: the clusters of the scheduling result, those that are leaving, and the empty ones that may be woken.
func (d *decision) clusterStatuses(now division) {
	var out []api.FedHPAClusterStatus
	for _, name := range d.clusters() {
		c := api.FedHPAClusterStatus{Name: name}
		if old := d.clusterStatus(name); old != nil {
			c = *old
		}
		c.MinReplicas, c.MaxReplicas = now.targets[name].Min, now.targets[name].Max
		c.CurrentReplicas, c.DesiredReplicas = d.counts[name], d.counts[name]
		d.observed(&c, d.member(name), now)
		out = append(out, c)
	}
	for i := range d.w.Members {
		m := &d.w.Members[i]
		if _, in := d.counts[m.Name]; in {
			continue
		}
		if state := d.outside(m); state != "" {
			out = append(out, api.FedHPAClusterStatus{Name: m.Name, State: state, Message: outsideWords(state)})
		}
	}
	slices.SortFunc(out, func(a, b api.FedHPAClusterStatus) int { return cmp.Compare(a.Name, b.Name) })
	d.plan.Status.Clusters = out
}

// observed fills in what the member itself tells.
func (d *decision) observed(c *api.FedHPAClusterStatus, m *Member, now division) {
	switch {
	case m == nil || !m.Ready:
		c.State = api.ClusterUnreachable
		c.Message = unreachableWords(c)
		return
	case d.unanswered(m):
		c.State = api.ClusterUnreachable
	case m.ill() || d.foreign(m):
		c.State = api.ClusterNotScaling
	case !m.scales():
		c.State = api.ClusterJoining
	default:
		c.State = api.ClusterActive
		c.DesiredReplicas = m.HPA.Desired
		c.CurrentReplicas = m.HPA.Current
	}
	d.clock(&c.PendingSince, m.Unschedulable > 0, pendingNoted, pendingLong)
	d.clock(&c.LimitsDifferSince, otherLimits(m), limitsLate)
	d.clock(&c.IdleSince, d.idle(m.Name))
	switch words := now.words[m.Name]; {
	case d.fault(m, c) != "":
		c.Message = text.Keep(c.Message, text.Cut(d.fault(m, c), 1024))
	case m.Held:
		c.Message = fmt.Sprintf("dispatching to %s is suspended, it keeps its last %d..%d", m.Name, m.HPA.Sent.Min, m.HPA.Sent.Max)
	case words != "":
		c.Message = words
	case !strings.HasPrefix(c.Message, m.Name+" got "):
		// What stood there, a fault or an absence, is over.
		last := d.plan.Status.LastDivision
		c.Message = d.shareWords(m.Name, now.targets[m.Name], split.Range{Min: last.MinReplicas, Max: last.MaxReplicas})
	}
}

// clock runs since the state began, as long as it lasts, and looks again when a wait is over. Each look asks for that anew: an event in
// between makes the queue forget what the look before it asked for.
func (d *decision) clock(since **metav1.Time, lasts bool, waits ...time.Duration) {
	if !lasts {
		*since = nil
		return
	}
	if *since == nil {
		*since = d.stamp()
	}
	for _, wait := range waits {
		if left := wait - d.w.Now.Sub((*since).Time); left > 0 {
			d.wake(left)
		}
	}
}

// outside is the state of a cluster that is not in the scheduling result, empty when it is none of this FedHPA's business.
func (d *decision) outside(m *Member) api.FedHPAClusterState {
	old := d.clusterStatus(m.Name)
	switch {
	case m.HPA != nil && m.HPA.Owned:
		return api.ClusterLeaving
	case !m.Eligible:
		return ""
	case d.aside(m.Name), old != nil:
		return api.ClusterStandby
	}
	return ""
}

// fault is what keeps a reachable member's autoscaler from working, in words, empty when nothing does.
func (d *decision) fault(m *Member, c *api.FedHPAClusterStatus) string {
	switch {
	case d.withdrawn(m.Name) > 0:
		return "another HorizontalPodAutoscaler in the member scales the same pods, and Kubernetes switches both off: ours is withdrawn, and " +
			"tried again ten minutes later; " +
			"delete the other one there"
	case m.Held && m.HPA == nil:
		return "dispatching to the cluster is suspended: its autoscaler is sent when it is resumed"
	case m.HPA == nil:
		return before(m.Workload)
	case !m.HPA.Owned:
		return "a Work of the autoscaler's name exists and is not this FedHPA's: remove the policy that propagates a HorizontalPodAutoscaler " +
			"of the same name"
	case m.unanswered():
		return "Karmada's write of the autoscaler got no answer, and is tried again; until then it is not known what it does: " + m.HPA.Message
	case m.undelivered():
		return "the autoscaler could not be applied: " + m.HPA.Message
	case m.HPA.Fault != "":
		return "the member's autoscaler cannot scale: " + m.HPA.Fault
	case d.edited(m, c):
		return fmt.Sprintf(
			"the member's autoscaler obeys %d..%d where it was sent %d..%d: somebody in the member writes its limits, where Karmada's "+
				"execution controller writes ours, or its report is old",
			m.HPA.InForce.Min, m.HPA.InForce.Max, m.HPA.Sent.Min, m.HPA.Sent.Max)
	}
	return ""
}

// before is what keeps a member from getting an autoscaler at all.
func before(w *Workload) string {
	switch {
	case w == nil:
		return "waiting for Karmada to deliver the workload"
	case !w.Retained:
		return "waiting until its Work carries the label that lets the member own its replicas"
	case !w.Applied && w.Message == "":
		return "waiting until the member has taken the workload"
	case !w.Applied:
		return "the workload could not be applied: " + w.Message
	}
	return ""
}

// onItsWay reports whether a member without a working autoscaler only has to be waited for.
func (d *decision) onItsWay(m *Member, fault string) bool {
	if m.Held || d.withdrawn(m.Name) > 0 {
		return false
	}
	return fault == "" || m.HPA == nil && (m.Workload == nil || m.Workload.Applied || m.Workload.Message == "")
}

// reasonOf tells a fault that is not the member's autoscaler's own.
func (d *decision) reasonOf(m *Member) string {
	h := m.HPA
	switch {
	case d.withdrawn(m.Name) > 0:
		return api.FedHPAReasonSecondInMember
	case h == nil && m.Held:
		return api.FedHPAReasonHeld
	case h == nil:
		return ""
	case !h.Owned || m.undelivered() && h.Refused:
		return api.FedHPAReasonMemberRefuses
	case h.Fault == "":
		return api.FedHPAReasonAutoscalerEdited
	}
	return ""
}

// otherLimits reports whether the member's autoscaler obeys other limits than it was sent.
func otherLimits(m *Member) bool {
	return m.HPA != nil && m.HPA.Owned && m.HPA.InForce != nil && *m.HPA.InForce != m.HPA.Sent
}

// edited reports whether limits that Karmada has applied differ for longer than they need to arrive: somebody edits them, or Karmada
// reports nothing new. Of a member that is not written to now, or refuses what is written, they differ for that.
func (d *decision) edited(m *Member, c *api.FedHPAClusterStatus) bool {
	if !m.speaks() || m.Held || c == nil || c.LimitsDifferSince == nil {
		return false
	}
	return otherLimits(m) && d.w.Now.Sub(c.LimitsDifferSince.Time) >= limitsLate
}

func (d *decision) membersCondition() {
	var unreachable, unanswered, waiting, faults []string
	with := map[string][]string{}
	reason := api.FedHPAReasonMemberNotScaling
	for _, name := range d.clusters() {
		m := d.member(name)
		if m == nil || !m.Ready {
			unreachable = append(unreachable, name)
			continue
		}
		switch fault := d.fault(m, d.clusterStatus(name)); {
		case fault == "" && m.scales():
		case d.unanswered(m):
			unanswered = append(unanswered, name+": "+fault)
		case d.onItsWay(m, fault):
			waiting = append(waiting, name)
		default:
			// Members are often ill with the same: it is said once.
			if with[fault] == nil {
				faults = append(faults, fault)
			}
			with[fault] = append(with[fault], name)
			reason = cmp.Or(d.reasonOf(m), reason)
		}
	}
	for i, fault := range faults {
		faults[i] = list(with[fault]) + ": " + fault
	}
	switch {
	case len(faults) > 0:
		message := strings.Join(faults, "; ")
		d.condition(api.FedHPAMembersScaling, metav1.ConditionFalse, reason, message)
		d.changed(true, reason, message)
	case len(waiting) > 0:
		d.condition(api.FedHPAMembersScaling, metav1.ConditionFalse, api.FedHPAReasonTakingOver,
			list(waiting)+": the workload, or its autoscaler's first look at it, is on its way")
	case len(unreachable)+len(unanswered) > 0:
		d.sayAway(unreachable, unanswered)
	default:
		d.condition(api.FedHPAMembersScaling, metav1.ConditionTrue, api.FedHPAReasonAllScaling, "every member's autoscaler works")
	}
}

// sayAway says of members that nobody can tell what their autoscalers do.
func (d *decision) sayAway(unreachable, unanswered []string) {
	if len(unreachable) > 0 {
		unanswered = append(unanswered, list(unreachable)+" cannot be reached: its autoscaler goes on, its last limits stay reserved")
	}
	words := strings.Join(unanswered, "; ")
	d.condition(api.FedHPAMembersScaling, metav1.ConditionUnknown, api.FedHPAReasonMemberUnreachable, words)
	d.changed(true, api.FedHPAReasonMemberUnreachable, words)
}

// capacityCondition says after a division whether the limits could be placed.
func (d *decision) capacityCondition(r split.Result, frozen []string) {
	if r.MinUnplaced > 0 && !d.takingOver() {
		message := fmt.Sprintf("%d of minReplicas %d fit in no cluster: add room, add a cluster, or lower minReplicas", r.MinUnplaced,
			d.w.Bounds.Min)
		if own, all := d.ownMost(); all && own < int64(d.w.Bounds.Min) {
			message = fmt.Sprintf(
				"the clusters' own maxReplicas add up to %d, below minReplicas %d: raise those in spec.distribution.clusters, or lower minReplicas",
				own, d.w.Bounds.Min)
		}
		if len(frozen) > 0 {
			message += "; " + list(frozen) + " cannot be reached"
		}
		d.condition(api.FedHPACapacitySufficient, metav1.ConditionFalse, api.FedHPAReasonMinUnplaced, message)
		d.changed(true, api.FedHPAReasonMinUnplaced, message)
		return
	}
	d.condition(api.FedHPACapacitySufficient, metav1.ConditionTrue, api.FedHPAReasonSufficient, "minReplicas fit")
}

// ownMost adds up the upper bounds that clusters of the result have of their own; all is false where one has none.
func (d *decision) ownMost() (sum int64, all bool) {
	for _, name := range d.clusters() {
		most := d.distribution(name).MaxReplicas
		if most == nil {
			return 0, false
		}
		sum += int64(*most)
	}
	return sum, true
}

// pendingCondition says that pods wait for room, and that they no longer do.
func (d *decision) pendingCondition() {
	var waiting []string
	for _, name := range d.clusters() {
		c, m := d.clusterStatus(name), d.member(name)
		if m != nil && m.Ready && m.Unschedulable > 0 && c.PendingSince != nil && d.w.Now.Sub(c.PendingSince.Time) >= pendingNoted {
			waiting = append(waiting, fmt.Sprintf("%d in %s", m.Unschedulable, name))
		}
	}
	current := meta.FindStatusCondition(d.plan.Status.Conditions, api.FedHPACapacitySufficient)
	switch {
	case len(waiting) > 0:
		d.condition(api.FedHPACapacitySufficient, metav1.ConditionFalse, api.FedHPAReasonPodsPending,
			"pods wait for room or are refused by a quota: "+list(waiting))
	case current != nil && current.Reason == api.FedHPAReasonPodsPending:
		d.condition(api.FedHPACapacitySufficient, metav1.ConditionTrue, api.FedHPAReasonSufficient, "no pods wait for room")
	}
}

func (d *decision) readyCondition() {
	switch {
	case d.takingOver() && d.joining():
		d.condition(api.FedHPAReady, metav1.ConditionFalse, api.FedHPAReasonTakingOver, "members are getting their autoscalers")
	case d.badBounds != "":
		d.condition(api.FedHPAReady, metav1.ConditionFalse, api.FedHPAReasonInvalidBounds, d.badBounds)
		d.changed(true, api.FedHPAReasonInvalidBounds, d.badBounds)
	case len(d.w.UnknownClusters) > 0:
		message := "spec.distribution.clusters names " + list(d.w.UnknownClusters) +
			", which are not members of the federation: correct the names or join them"
		d.condition(api.FedHPAReady, metav1.ConditionFalse, api.FedHPAReasonUnknownClusters, message)
		d.changed(true, api.FedHPAReasonUnknownClusters, message)
	case len(d.silent()) == len(d.counts):
		d.nobodyScales()
	default:
		message := "members scale by themselves, and the control plane follows"
		if !meta.IsStatusConditionTrue(d.plan.Status.Conditions, api.FedHPAMembersScaling) {
			message = "the control plane follows the members, but not all is well with them: see MembersScaling"
		}
		if !d.w.Binding.Claimed {
			message += "; no policy propagates the target any more, so changes of its template reach no member"
		}
		d.condition(api.FedHPAReady, metav1.ConditionTrue, api.FedHPAReasonActive, message)
		d.changed(false, api.FedHPAReasonActive, message)
	}
}

// nobodyScales says of Ready what MembersScaling says: no member's autoscaler does its work, or none can be asked.
func (d *decision) nobodyScales() {
	status, reason, message := metav1.ConditionFalse, api.FedHPAReasonMemberNotScaling, "no member's autoscaler works"
	if c := meta.FindStatusCondition(d.plan.Status.Conditions, api.FedHPAMembersScaling); c != nil {
		reason, message = c.Reason, message+": "+c.Message
		if c.Status == metav1.ConditionUnknown {
			status = metav1.ConditionUnknown
			message = "no member can be asked: " + c.Message
		}
	}
	d.condition(api.FedHPAReady, status, reason, message)
	d.changed(true, reason, message)
}

func (d *decision) takingOver() bool {
	last := d.plan.Status.LastDivision
	return last != nil && last.Reason == api.FedHPAReasonTakenOver
}

func (d *decision) condition(kind string, status metav1.ConditionStatus, reason, words string) {
	words = text.Cut(words, 2048)
	if said := meta.FindStatusCondition(d.plan.before.Conditions, kind); said != nil && said.Reason == reason {
		words = text.Keep(said.Message, words)
	}
	meta.SetStatusCondition(&d.plan.Status.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: words,
		ObservedGeneration: d.w.Generation, LastTransitionTime: metav1.NewTime(d.w.Now),
	})
}

// notReady says why nothing is done for now. What nobody looks at meanwhile is unknown.
func (d *decision) notReady(reason, message string) {
	d.condition(api.FedHPAReady, metav1.ConditionFalse, reason, message)
	for _, c := range d.w.Status.Conditions {
		if c.Type != api.FedHPAReady {
			d.condition(c.Type, metav1.ConditionUnknown, reason, "not looked at while Ready is False")
		}
	}
}

// changed tells an event only when the condition's reason is new: a state is told once, not on every look.
func (d *decision) changed(warning bool, reason, message string) {
	for _, c := range d.w.Status.Conditions {
		if c.Reason == reason {
			return
		}
	}
	d.tell(warning, reason, message)
}
