package decide

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

const (
	// lookAgain is how often capacity is looked at without any event. Everything else is driven by watches.
	lookAgain = 2 * time.Minute
	// waitForOthers is how soon to look again at what Karmada should do in a moment, should its event be missed. What has lasted for longer
	// is looked at again after as long as it has lasted, up to lookAgain: events wake, and with the scheduler down ten thousand FedHPAs
	// wait.
	waitForOthers = 5 * time.Second
	// nearMaxPercent of its upper limit is when a cluster is helped before it stands at the limit.
	nearMaxPercent = 80
	// helpAge and urgentAge are how old a division must be before limits move for a cluster near its limit, or at it: an autoscaler
	// looks every 15 s, so a cluster at its limit is helped well before its next look.
	helpAge   = 15 * time.Second
	urgentAge = 5 * time.Second
	// driftPercent of the federation's max is how far limits may be from what they would be now.
	driftPercent = 15
	// driftGap is how long better limits must stay better, and driftAge how old a division must be, before limits move for it.
	driftGap = 30 * time.Second
	driftAge = 2 * time.Minute
	// pendingLong is how long pods wait for room before their cluster counts as full. Nodes that are added on demand take minutes.
	pendingLong = 3 * time.Minute
	// pendingNoted is how long before that is worth a word: every pod waits for a moment.
	pendingNoted = 30 * time.Second
	// limitsLate is how long new limits may be on their way before somebody else must be writing them.
	limitsLate = time.Minute
	// releasePatience is how long a release waits for counts to stand still.
	releasePatience = time.Minute
)

// decision is a plan in the making: what was seen, and what is said of it so far. What one stage finds for the next it returns.
type decision struct {
	w    World
	plan Plan
	// members of the world by name: each cluster is looked up many times, and there are hundreds.
	members map[string]*Member
	// counts is what each cluster of the scheduling result runs.
	counts Counts
	// badBounds says what is wrong with the limits asked for; the last good ones are in force meanwhile.
	badBounds string
}

// keepBounds stays with the limits of the last division where those asked for cannot be: members go on, and the books with them.
func (d *decision) keepBounds() {
	bounds := &d.w.Bounds
	if !bounds.valid() {
		d.badBounds = fmt.Sprintf("the limits asked for%s are %d..%d and not 1 <= min <= max <= %d: correct them; the members keep what "+
			"they have",
			fromWords(*bounds), bounds.Min, bounds.Max, api.FedHPAMostReplicas)
		if last := d.w.Status.LastDivision; last != nil {
			*bounds = Bounds{Min: last.MinReplicas, Max: last.MaxReplicas, From: d.w.Status.BoundsFrom}
		}
	}
	s := &d.plan.Status
	s.MinReplicas, s.MaxReplicas, s.BoundsFrom = bounds.Min, bounds.Max, bounds.From
}

// valid reports whether the limits can be divided. Admission, where those of a CronHPA are compared with the FedHPA's own, may have been
// away.
func (b Bounds) valid() bool { return 1 <= b.Min && b.Min <= b.Max && b.Max <= api.FedHPAMostReplicas }

// Decide says what to do about the world.
func Decide(w World) Plan {
	d := &decision{w: w, plan: Plan{Status: *w.Status.DeepCopy(), Wake: lookAgain, before: w.Status}, members: byName(w.Members)}
	d.plan.Status.ObservedGeneration = w.Generation
	notAhead(&d.plan.Status, w.Now)
	d.keepBounds()
	d.count()
	if w.Template != nil && w.Template.CutOff {
		d.cutOff()
		return d.plan
	}
	if w.Deleting || w.Spec.Suspend {
		d.release()
		return d.plan
	}
	d.plan.Status.SuspendedSince = nil
	if d.preconditions() || d.takeOver() {
		return d.plan
	}
	books := d.books()
	division := d.divide()
	steps := d.send(division.targets, books.floors)
	d.standby(books, division, steps)
	d.say(division)
	return d.plan
}

// count settles on what each cluster of the scheduling result runs: its witness' word, else the ledger's, else the book's.
func (d *decision) count() {
	d.counts = Counts{}
	if d.w.Binding == nil {
		return
	}
	book := d.w.Binding.Clusters
	if d.mistaken() {
		book = d.w.Binding.Ledger
	}
	for name, booked := range book {
		d.counts[name] = booked
		if runs, known := d.runs(d.member(name)); known {
			d.counts[name] = runs
		}
	}
}

// member of that name, or nil.
func (d *decision) member(name string) *Member { return d.members[name] }

func byName(members []Member) map[string]*Member {
	out := make(map[string]*Member, len(members))
	for i := range members {
		out[members[i].Name] = &members[i]
	}
	return out
}

// clusters are the names in the scheduling result, sorted.
func (d *decision) clusters() []string {
	names := make([]string, 0, len(d.counts))
	for name := range d.counts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// preconditions stops where nothing may be touched, and says what to do.
func (d *decision) preconditions() bool {
	p := d.w.Problem
	b := d.w.Binding
	switch {
	case p != nil:
	case d.w.Template == nil:
		p = &Problem{
			api.FedHPAReasonTargetNotFound,
			"the target of spec.scaleTargetRef does not exist in this namespace of the control plane: create it",
		}
	case b == nil:
		p = &Problem{
			api.FedHPAReasonNotPropagated,
			"no PropagationPolicy has claimed the target: write one that selects it, with replicaSchedulingType Divided",
		}
	case !b.Claimed && !d.tookOver():
		p = &Problem{api.FedHPAReasonNotPropagated, "the policy that propagated the target is gone, and without one its members do not " +
			"learn to own their replicas: " +
			"write one that selects it, with replicaSchedulingType Divided"}
	case !b.Divided:
		p = &Problem{
			api.FedHPAReasonNotDivided,
			"the target's placement duplicates its replicas: set placement.replicaScheduling.replicaSchedulingType to Divided",
		}
	case !d.w.Bounds.valid():
		p = &Problem{api.FedHPAReasonInvalidBounds, d.badBounds}
	case d.w.Template.Replicas == 0:
		// Whether Karmada's detector has told the binding yet or not: writing the sum would undo it.
		p = &Problem{
			api.FedHPAReasonNotScheduled,
			"the target is scaled to zero, which switches autoscaling off as for a native HPA: scale it to one or more",
		}
	case len(b.Clusters) == 0:
		p = &Problem{
			api.FedHPAReasonNotScheduled,
			"the scheduler has not placed the target in any cluster: see the Scheduled condition of its ResourceBinding",
		}
	}
	if p == nil {
		return false
	}
	if d.atZero() {
		d.letGo()
	}
	d.plan.Status.Phase = api.FedHPAPending
	d.notReady(p.Reason, p.Message)
	d.changed(true, p.Reason, p.Message)
	return true
}

// tookOver reports whether every member once had its autoscaler.
func (d *decision) tookOver() bool {
	last := d.w.Status.LastDivision
	return last != nil && last.Reason != api.FedHPAReasonTakenOver
}

// atZero reports whether the workload was scaled to zero, and Karmada is done with that. An empty result without it may mean that no
// cluster could be reached.
func (d *decision) atZero() bool {
	t, b := d.w.Template, d.w.Binding
	return t != nil && t.Replicas == 0 && b != nil && b.Settled && b.Replicas == 0 && len(b.Clusters) == 0
}

// letGo forgets what the members ran. When the workload comes back it runs what it is given then, and neither the ledger nor an
// autoscaler that was left behind must say otherwise.
func (d *decision) letGo() {
	d.takeBack()
	if d.w.Binding.Ledger != nil {
		d.act(Action{Kind: ClearLedger})
	}
	s := &d.plan.Status
	s.Clusters, s.TemplateScale, s.CurrentReplicas, s.DesiredReplicas, s.ReserveReplicas = nil, nil, 0, 0, 0
}

// takeOver makes members own their replicas. Karmada puts the label into every Work; a member gets its autoscaler in send, and only
// once its own Work bears the label and is applied: before that Karmada and the autoscaler would fight.
func (d *decision) takeOver() bool {
	if !d.w.Finalizer {
		d.act(Action{Kind: AddFinalizer})
	}
	if d.w.Template.Retain {
		return false
	}
	d.act(Action{Kind: SetRetain})
	d.plan.Status.Phase = api.FedHPATakingOver
	d.condition(api.FedHPAReady, metav1.ConditionFalse, api.FedHPAReasonTakingOver,
		"the template is being labelled so that members own their replicas")
	d.wakeAfter(d.lasted(api.FedHPAReady))
	return true
}

// stamp is the present time for the status.
func (d *decision) stamp() *metav1.Time {
	now := metav1.NewTime(d.w.Now)
	return &now
}

func (d *decision) act(a Action) { d.plan.Actions = append(d.plan.Actions, a) }

// wakeAfter looks again at what has lasted for so long.
func (d *decision) wakeAfter(lasted time.Duration) {
	d.wake(min(max(lasted, waitForOthers), lookAgain))
}

// lasted is for how long a condition has had the status it is given now.
func (d *decision) lasted(kind string) time.Duration {
	if c := meta.FindStatusCondition(d.plan.Status.Conditions, kind); c != nil {
		return d.w.Now.Sub(c.LastTransitionTime.Time)
	}
	return 0
}

// wake looks again after at most wait.
func (d *decision) wake(wait time.Duration) {
	if d.plan.Wake == 0 || wait < d.plan.Wake {
		d.plan.Wake = max(wait, time.Second)
	}
}

// tellBooks tells what is true only when the books are written.
func (d *decision) tellBooks(warning bool, reason, message string) {
	d.plan.Events = append(d.plan.Events, Event{Warning: warning, Reason: reason, Message: message, Of: BookKeeping})
}

func (d *decision) tell(warning bool, reason, message string) {
	d.plan.Events = append(d.plan.Events, Event{Warning: warning, Reason: reason, Message: message})
}
