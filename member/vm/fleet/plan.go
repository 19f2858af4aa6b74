package fleet

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// Plan is what to write, in the order of its fields.
type Plan struct {
	// Abandoned, LastSlot and Unmade, the slots up to it whose servers were not seen, go into the status before anything is made.
	Abandoned []v1alpha1.AbandonedServer
	LastSlot  int64
	Unmade    []int64
	// Create these.
	Create []string
	// Unmakeable says that a server would be made, or replaced, and no machine can be made now (Input.NoMachine).
	Unmakeable bool
	// Grant them the changed environment.
	Grant []string
	// Fence tells their machines to stop.
	Fence []string
	// Offline takes them out of service, and then away.
	Offline []Mark
	// PendingApprovals of failovers.
	PendingApprovals []gatev1alpha1.PendingApproval
	// Remediation is the condition RemediationAllowed.
	Remediation metav1.Condition
	// Wake is when time alone changes something; zero: never.
	Wake time.Time
}

// remark beside what is said of failover.
func (p *Plan) remark(text string) {
	p.Remediation.Message += "; " + text
	p.Remediation.Message = p.Remediation.Message[:min(len(p.Remediation.Message), 1024)]
}

// Mark says why a server goes.
type Mark struct {
	Server  string
	Reason  string
	GivenUp bool
}

// Reasons of marks.
const (
	ScaledIn       = "ScaledIn"
	MachineChanged = "MachineChanged"
	Unreachable    = "Unreachable"
)

// Decide what the set needs next. A set that is being deleted makes and changes nothing.
func Decide(in Input) Plan {
	out := Plan{LastSlot: in.lastSlot(), Abandoned: in.abandoned(), Unmade: in.unmade()}
	out.Remediation = in.remediation()
	if in.Set.DeletionTimestamp != nil {
		return out
	}
	in.failover(&out)
	if len(out.Fence) > 0 {
		out.remark("given up once their machines are stopped (failover.fence): " + strings.Join(out.Fence, ", "))
	}
	if len(out.Offline) > 0 {
		return out // the place of who is given up is filled once that is written, or a kill in between leaves one too many
	}
	in.scale(&out)
	in.roll(&out)
	return out
}

// lastSlot is the highest number that was ever used, whoever lost the status.
func (in Input) lastSlot() int64 {
	out := in.Set.Status.LastSlot
	for _, slot := range in.Set.Status.UnmadeSlots {
		out = max(out, slot)
	}
	for _, m := range in.Servers {
		out = max(out, m.slot(in.Set.Name))
	}
	return out
}

// unmade are the slots on record whose servers were not seen: a leader that put them there may be about to make them, however long ago.
func (in Input) unmade() []int64 {
	seen := map[int64]bool{}
	for _, m := range in.Servers {
		seen[m.slot(in.Set.Name)] = true
	}
	var out []int64
	for _, slot := range in.Set.Status.UnmadeSlots {
		if !seen[slot] && !slices.Contains(in.Taken, slot) {
			out = append(out, slot)
		}
	}
	return out
}

// MaxUnmade is how many slots are on record at a time and not made.
const MaxUnmade = 100

// next slots for so many servers: those on record first. Whoever decides from the same record makes the same servers.
func (in Input) next(servers int) (slots []int64, last int64) {
	slots, last = in.unmade(), in.lastSlot()
	for len(slots) < min(servers, MaxUnmade) {
		last++
		slots = append(slots, last)
	}
	return slots, last
}

// scale makes what is missing, and takes away what is too much. Never are there more machines than servers to keep and as many as may be
// on their way out by failover: machines whose removal hangs do not pile up.
func (in Input) scale(out *Plan) {
	active := in.active()
	missing := in.desired() - len(active)
	if missing > 0 {
		leaving := len(in.Servers) - len(active)
		missing = max(0, min(missing, missing+max(1, in.inFlightLimit())-leaving))
		if in.Set.Spec.Paused {
			missing = min(missing, in.inFlight()) // failover goes on
		}
		if in.NoMachine {
			out.Unmakeable = missing > 0
			return
		}
		out.Unmade, out.LastSlot = in.next(missing)
		for _, slot := range out.Unmade[:min(missing, len(out.Unmade))] {
			out.Create = append(out.Create, ServerName(in.Set.Name, slot))
		}
		return
	}
	if missing == 0 || in.Set.Spec.Paused {
		return
	}
	slices.SortStableFunc(active, in.goesFirst())
	for _, m := range active[:-missing] {
		out.Offline = append(out.Offline, Mark{Server: m.Name, Reason: ScaledIn})
	}
}

// goesFirst orders members by who is missed least: named ones, those without a machine, those that do not serve, old ones, the newest. Old
// ones that the partition keeps go last: a set that grows smaller has no more of the new environment than it asks for.
func (in Input) goesFirst() func(a, b Member) int {
	class := make(map[string]int, len(in.Servers))
	for _, m := range in.Servers {
		class[m.Name] = in.class(m)
	}
	outdated := in.rollout().outdated
	for i, next := 0, len(in.unpartitioned(outdated)); i < len(outdated); i++ {
		switch name := outdated[i].Name; {
		case class[name] != serving:
		case i < next:
			class[name] = serving - 1
		default:
			class[name] = serving + 1
		}
	}
	return func(a, b Member) int {
		newest := cmp.Compare(b.slot(in.Set.Name), a.slot(in.Set.Name))
		return cmp.Or(cmp.Compare(class[a.Name], class[b.Name]), newest, cmp.Compare(a.Name, b.Name))
	}
}

// serving is the class of a member that is missed.
const serving = 6

func (in Input) class(m Member) int {
	machine := m.Status.Machine
	switch {
	case slices.Contains(in.Set.Spec.ServersToDelete, m.Name):
		return 0
	case machine == nil || machine.State == v1alpha1.MachineAbsent:
		return 1
	case m.Status.Phase == v1alpha1.ServerUnknown:
		return 2
	case m.Status.Phase != v1alpha1.ServerDeploying && m.Status.Phase != v1alpha1.ServerReady:
		return 3
	case m.Status.Phase == v1alpha1.ServerDeploying:
		return 4
	}
	return serving
}

// roll brings the changed environment to servers at the safe frequency; one whose machine cannot be changed goes, if it is to be replaced.
func (in Input) roll(out *Plan) {
	strategy := in.Set.Spec.UpdateStrategy
	if in.Set.Spec.Paused || strategy.Type == v1alpha1.OnDelete || len(out.Offline) > 0 || len(out.Create) > 0 {
		return // one thing at a time: what was just decided is not seen yet
	}
	r := in.rollout()
	interval := time.Duration(strategy.IntervalSeconds) * time.Second
	if next := r.lastEnd.Add(interval); interval > 0 && in.Now.Before(next) && !r.lastEnd.IsZero() {
		out.Wake = next
		return
	}
	for _, m := range in.makeable(in.unpartitioned(r.outdated), out) {
		if m.ready() {
			if r.budget <= 0 {
				return
			}
			r.budget--
		}
		if in.mustReplace(m) {
			out.Offline = append(out.Offline, Mark{Server: m.Name, Reason: MachineChanged})
		} else {
			out.Grant = append(out.Grant, m.Name)
		}
		if interval > 0 {
			return
		}
	}
}

// makeable are those of the outdated whose turn needs no machine that cannot be made now.
func (in Input) makeable(outdated []Member, out *Plan) []Member {
	if !in.NoMachine || !slices.ContainsFunc(outdated, in.mustReplace) {
		return outdated
	}
	out.Unmakeable = true
	return slices.DeleteFunc(outdated, in.mustReplace)
}

// rollout is how far the changed environment is.
type rollout struct {
	// outdated servers, in the order of their turn: who is away already costs nothing more; else the oldest first.
	outdated []Member
	// budget is how many more may go away.
	budget int
	// lastEnd is when the last change ended, or began.
	lastEnd time.Time
}

func (in Input) rollout() rollout {
	active := in.active()
	out := rollout{budget: in.unavailable() - max(0, in.desired()-len(active))}
	for _, m := range active {
		if m.Revision != in.Revision || in.mustReplace(m) {
			out.outdated = append(out.outdated, m)
		} else if !m.GrantedAt.IsZero() {
			out.lastEnd = latest(out.lastEnd, m.GrantedAt, m.readySince())
		}
		if !m.ready() || m.Revision == in.Revision && !m.Current {
			out.budget--
		}
	}
	slices.SortStableFunc(out.outdated, func(a, b Member) int {
		return cmp.Or(cmpBool(a.ready(), b.ready()), cmp.Compare(a.slot(in.Set.Name), b.slot(in.Set.Name)))
	})
	return out
}

// unpartitioned are those of the outdated that the partition does not keep.
func (in Input) unpartitioned(outdated []Member) []Member {
	return outdated[:max(0, len(outdated)-in.part(in.Set.Spec.UpdateStrategy.Partition, true))]
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// mustReplace says that the member's machine is not the template's, and is to give way.
func (in Input) mustReplace(m Member) bool {
	return in.Set.Spec.UpdateStrategy.OnMachineChange == v1alpha1.MachineChangeReplace && in.otherMachine(m)
}

func cmpBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// Held is how many keep a machine of an older template.
func Held(in Input) int32 {
	var n int32
	for _, m := range in.active() {
		if in.Set.Spec.UpdateStrategy.OnMachineChange != v1alpha1.MachineChangeReplace && in.otherMachine(m) {
			n++
		}
	}
	return n
}

// AbandonedReplicas is how many fewer than spec.replicas the set keeps.
func AbandonedReplicas(in Input) int32 { return int32(in.replicas() - in.desired()) }

func (in Input) remediation() metav1.Condition {
	sick := 0
	for _, m := range in.active() {
		if m.sick() {
			sick++
		}
	}
	allowed := in.part(in.Set.Spec.Failover.MaxUnhealthy, false)
	condition := metav1.Condition{
		Type:   v1alpha1.ConditionRemediationAllowed,
		Status: metav1.ConditionTrue,
		Reason: v1alpha1.ReasonWithinBudget,
	}
	if sick > allowed {
		condition.Status, condition.Reason = metav1.ConditionFalse, v1alpha1.ReasonTooManyUnhealthy
	}
	condition.Message = fmt.Sprintf("%d of %d are unhealthy, and %d may be", sick, in.desired(), allowed)
	return condition
}
