package plan

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// How long until an application is looked at again without a change being seen. Members are not watched:
// they are read when there is something to decide.
const (
	soon    = 2 * time.Second
	waiting = 15 * time.Second
	resting = 5 * time.Minute
)

// Soon is the Requeue of who waits for Karmada, or for a write to be seen: what may well have happened earlier.
const Soon = soon

// Next decides what to do about an application. It is a pure function of the world.
func Next(world World) Decision {
	world = world.ruled()
	j := &journey{World: world}
	j.next = *world.Status.DeepCopy()
	j.next.Batch, j.next.Blocked = world.Turn.Batch, ""
	if world.Entry != nil {
		j.next.Environment, j.next.Whitelist = world.Entry.Environment, world.Whitelist
	}
	// A record that was lost, or restored without its status, must not hide from a rollback what is in the control plane.
	if j.next.Phase == v1alpha1.PhaseFederated || world.Entry == nil && len(j.next.Resources) == 0 {
		j.next.Resources = append(j.next.Resources, Published(world)...)
	}
	for _, step := range j.way() {
		if step.prepares && (j.opened() || j.purging()) {
			continue
		}
		j.decision.Step = step.name
		if step.run(j) == stop {
			break
		}
	}
	j.finish()
	return j.decision
}

// Published are the objects CI/CD added to a federated application since it was taken over: they have a
// policy of ours and are not on record yet. A cut-off must find them too.
func Published(world World) []v1alpha1.ResourceStatus {
	known := map[string]bool{}
	for _, resource := range world.Status.Resources {
		known[resource.Policy] = true
	}
	var out []v1alpha1.ResourceStatus
	for _, name := range sortedKeys(world.Control.Policies) {
		existing := world.Control.Policies[name]
		if known[name] || existing.Labels[v1alpha1.LabelManagedBy] != world.Owner || len(existing.Spec.ResourceSelectors) != 1 {
			continue
		}
		selector := existing.Spec.ResourceSelectors[0]
		resource := v1alpha1.ResourceStatus{
			Policy:            name,
			ResourceReference: Ref{APIVersion: selector.APIVersion, Kind: selector.Kind, Name: selector.Name},
		}
		if affinity := existing.Spec.Placement.ClusterAffinity; affinity != nil {
			resource.Clusters = affinity.ClusterNames
		}
		if users := referrers(existing); len(users) > 1 {
			resource.Users = users
		}
		out = append(out, resource)
	}
	return out
}

type outcome bool

const (
	proceed outcome = true
	stop    outcome = false
)

type step struct {
	name string
	run  func(*journey) outcome
	// prepares marks steps that are over once a cluster was opened, or removal has begun.
	prepares bool
}

// journey is one pass over the steps.
type journey struct {
	World
	next     v1alpha1.MigrationStatus
	decision Decision
	// resources of the application, authored from what the members hold.
	resources []policy.Resource
}

// way chooses where the application goes. A rollback that has begun is finished before anything else.
func (j *journey) way() []step {
	if failed(j.Spec, j.Status) {
		if j.Status.Failure.Action == v1alpha1.OnFailurePause && j.Entry != nil {
			return []step{{name: "held", run: (*journey).held}}
		}
		if j.Entry != nil || !j.departed() && j.Status.Phase != v1alpha1.PhaseLeft {
			return depart
		}
	}
	switch {
	case j.Status.Phase == v1alpha1.PhaseCuttingOff:
		return depart
	case j.purging():
		return leave
	case j.Entry != nil && j.Status.Phase == v1alpha1.PhaseFederated:
		return stay
	case j.Entry != nil:
		return arrive
	case j.Status.Phase == v1alpha1.PhaseLeft, j.unknown():
		return []step{{name: "left", run: (*journey).left}}
	case j.departed() && j.Spec.AfterCutOff == v1alpha1.AfterCutOffLeave:
		return leave
	}
	return depart
}

// unknown applications were never prepared: there is nothing in the control plane to cut off.
func (j *journey) unknown() bool {
	return len(j.Status.Resources) == 0 && len(j.Status.Clusters) == 0 && len(Published(j.World)) == 0
}

// departed applications are cut off, or on their way out from there.
func (j *journey) departed() bool {
	return j.Status.Phase == v1alpha1.PhaseCutOff || j.Status.Phase == v1alpha1.PhaseLeaving
}

// purging applications have begun to leave for good; that is finished, whitelist or not.
func (j *journey) purging() bool {
	return j.Status.Phase == v1alpha1.PhaseLeaving && j.Status.RemovalStartTime != nil
}

// managements by phase: who may write the application's objects.
var managements = map[v1alpha1.Phase]v1alpha1.Management{
	v1alpha1.PhaseOpening:    v1alpha1.ManagementChanging,
	v1alpha1.PhaseSoaking:    v1alpha1.ManagementChanging,
	v1alpha1.PhaseFederated:  v1alpha1.ManagementFederated,
	v1alpha1.PhaseCuttingOff: v1alpha1.ManagementChanging,
}

// enter a phase, with an entry in the history and an event when it is a new one.
func (j *journey) enter(phase v1alpha1.Phase, reason, message string) {
	if j.next.Phase != phase {
		j.next.Phase = phase
		j.history(reason, message)
		j.event(false, reason, message)
	}
	management, ok := managements[phase]
	if !ok {
		management = v1alpha1.ManagementStatic
	}
	j.next.Management = management
}

// maxHistory entries are kept.
const maxHistory = 30

func (j *journey) history(reason, message string) {
	j.next.History = append(j.next.History, v1alpha1.HistoryEntry{
		Time: metav1.NewTime(j.Now), Phase: j.next.Phase, Reason: reason, Message: short(message),
	})
	if extra := len(j.next.History) - maxHistory; extra > 0 {
		j.next.History = j.next.History[extra:]
	}
}

func (j *journey) event(warning bool, reason, message string) {
	j.decision.Events = append(j.decision.Events, Event{Warning: warning, Reason: reason, Message: message})
}

func (j *journey) act(actions ...Action) { j.decision.Actions = append(j.decision.Actions, actions...) }

// short enough a message to be read and recorded: people read the first few hundred characters, and a record has room for so many.
func short(message string) string {
	if len(message) > 1000 {
		return message[:1000] + "..."
	}
	return message
}

func (j *journey) condition(kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&j.next.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: short(message),
		ObservedGeneration: j.next.ObservedGeneration, LastTransitionTime: metav1.NewTime(j.Now),
	})
}

// wait for something that comes by itself, or from a person by right.
func (j *journey) wait(reason, message string, again time.Duration) outcome {
	j.condition(v1alpha1.ConditionAdvancing, metav1.ConditionFalse, reason, message)
	if again == waiting && j.Entry != nil && !j.Turn.Open && !j.opened() {
		again = resting // its turn wakes it, and so does whoever approves
	}
	j.decision.Requeue = again
	return stop
}

// block until what was found is put right; the message says what and how.
func (j *journey) block(reason, format string, args ...any) outcome {
	message := fmt.Sprintf(format, args...)
	j.warn(reason, message)
	j.next.Blocked = reason
	return j.wait(reason, message, waiting)
}

// warn of what is said in the condition Advancing, once for as long as it is the same.
func (j *journey) warn(reason, message string) {
	was := meta.FindStatusCondition(j.Status.Conditions, v1alpha1.ConditionAdvancing)
	if was == nil || was.Reason != reason || was.Message != short(message) {
		j.event(true, reason, message)
	}
}

// fail an attempt after a cluster was opened.
func (j *journey) fail(reason, format string, args ...any) outcome {
	message := fmt.Sprintf(format, args...)
	j.next.Failure = &v1alpha1.Failure{
		Attempt: max(j.Spec.Attempt, 1), Reason: reason, Message: short(message), Time: metav1.NewTime(j.Now), Action: j.Strategy.OnFailure,
	}
	j.condition(v1alpha1.ConditionUnchanged, metav1.ConditionFalse, reason, message)
	j.event(true, reason, message)
	j.history(reason, message)
	j.next.Blocked = reason
	if j.Strategy.OnFailure == v1alpha1.OnFailurePause {
		return j.wait(reason, message, waiting)
	}
	j.event(true, v1alpha1.ReasonRolledBack, "rolling back: "+message)
	// The failure is on record with the next write; the cut-off follows from it at once.
	j.shut(reason, message)
	return j.wait(reason, message, soon)
}

// shut notes the intent to close every cluster. Recorded first, it outlives any crash.
func (j *journey) shut(reason, message string) {
	j.enter(v1alpha1.PhaseCuttingOff, reason, message)
	for i := range j.next.Clusters {
		j.next.Clusters[i].State = v1alpha1.ClusterSuspended
	}
	j.next.SoakStartTime = nil
	j.forget()
}

// forget a plan that is past, with its approvals: nobody shall read it for the next.
func (j *journey) forget() {
	j.next.Plan, j.next.ApprovalsDone, j.next.Approvers, j.next.RejectedBy = nil, "", nil, nil
	meta.RemoveStatusCondition(&j.next.Conditions, v1alpha1.ConditionPlanned)
	meta.RemoveStatusCondition(&j.next.Conditions, v1alpha1.ConditionApproved)
}

// plannedFor says whether the plan on record, if any, is for this purpose.
func (j *journey) plannedFor(purpose v1alpha1.PlanPurpose) bool {
	return j.next.Plan == nil || j.next.Plan.Purpose == purpose
}

func (j *journey) held() outcome {
	failure := j.Status.Failure
	j.next.Blocked = failure.Reason
	return j.wait(failure.Reason, failure.Message+"; paused: raise spec.attempt ('argosyctl migration readopt') to go on, or roll it back "+
		"('argosyctl migration rollback')", resting)
}

func (j *journey) left() outcome {
	why := "on no whitelist"
	if j.Spec.Rollback != nil {
		why = j.rolledBack()
	}
	j.enter(v1alpha1.PhaseLeft, v1alpha1.ReasonLeft, why+", and nothing of it is in the control plane")
	j.unprotectHome()
	j.wait(v1alpha1.ReasonLeft, why, resting)
	j.expire()
	return stop
}

// rolledBack says that a person rolled it back, and why.
func (j *journey) rolledBack() string {
	if reason := j.Spec.Rollback.Reason; reason != "" {
		return "rolled back by hand (" + reason + ")"
	}
	return "rolled back by hand"
}

// finish sums up for the columns people look at.
func (j *journey) finish() {
	done := 0
	for _, cluster := range j.next.Clusters {
		if cluster.State == v1alpha1.ClusterOpen {
			done++
		}
	}
	j.next.ClustersDone = ""
	if len(j.next.Clusters) > 0 {
		j.next.ClustersDone = fmt.Sprintf("%d/%d", done, len(j.next.Clusters))
	}
	// There is one master: while Karmada writes into a member, whatever the phase, nobody else is told to.
	if j.next.Management == v1alpha1.ManagementStatic && j.dispatches() {
		j.next.Management = v1alpha1.ManagementChanging
	}
	federated, reason := metav1.ConditionFalse, string(j.next.Phase)
	if j.next.Phase == v1alpha1.PhaseFederated {
		federated = metav1.ConditionTrue
	}
	if reason == "" {
		reason = string(v1alpha1.PhasePending)
	}
	if federated == metav1.ConditionFalse {
		meta.RemoveStatusCondition(&j.next.Conditions, v1alpha1.ConditionSynced)
	}
	j.condition(v1alpha1.ConditionFederated, federated, reason, "")
	fit(&j.next)
	j.decision.Status = j.next
}

// dispatches says whether Karmada writes any object of the application's own into a member.
func (j *journey) dispatches() bool {
	refs := []Ref{j.workload()}
	for _, resource := range j.federated() {
		if len(resource.Users) < 2 {
			refs = append(refs, resource.ResourceReference)
		}
	}
	for _, ref := range refs {
		for name := range j.Clusters {
			if work, exists := j.Clusters[name].Works[ref]; exists && !work.Deleting && !work.silent() && j.madeBy(ref) == j.Owner {
				return true
			}
		}
	}
	return false
}

// opened says whether any cluster was opened in this attempt: from then on the templates are the truth.
func (j *journey) opened() bool {
	for _, cluster := range j.next.Clusters {
		if cluster.State != v1alpha1.ClusterSuspended {
			return true
		}
	}
	return false
}

// names of the application's clusters, sorted.
func (j *journey) names() []string {
	out := make([]string, 0, len(j.next.Clusters))
	for _, cluster := range j.next.Clusters {
		out = append(out, cluster.Name)
	}
	slices.Sort(out)
	return out
}

func (j *journey) clusterStatus(name string) *v1alpha1.ClusterStatus {
	for i := range j.next.Clusters {
		if j.next.Clusters[i].Name == name {
			return &j.next.Clusters[i]
		}
	}
	return nil
}

// workload is the application's main object.
func (j *journey) workload() Ref {
	return Ref{APIVersion: j.Spec.APIVersion, Kind: j.Spec.Kind, Name: j.Spec.Name}
}

// live is an object as a member holds it; nil when it does not.
func (j *journey) live(cluster string, ref Ref) *unstructured.Unstructured {
	for _, object := range j.Clusters[cluster].Objects {
		if policy.RefOf(object) == ref {
			return object
		}
	}
	return nil
}

// federated resources of the record: those with a policy.
func (j *journey) federated() []v1alpha1.ResourceStatus {
	var out []v1alpha1.ResourceStatus
	for _, resource := range j.next.Resources {
		if resource.Policy != "" {
			out = append(out, resource)
		}
	}
	return out
}

// autoscaled says whether a member's autoscaler owns the replicas.
func (j *journey) autoscaled() bool {
	for _, resource := range j.next.Resources {
		if resource.Kind == "HorizontalPodAutoscaler" {
			return true
		}
	}
	return false
}

// open says whether a resource may be dispatched to a cluster: this application is open there, and so is
// every other that shares the resource and runs there. Somebody who uses it and has no Migration is static.
func (j *journey) open(users []string, cluster string) bool {
	status := j.clusterStatus(cluster)
	switch {
	case status == nil && len(users) < 2:
		// The workload has left that cluster: what stayed behind there is nobody's, and is not written again.
		return false
	case status != nil && status.State == v1alpha1.ClusterSuspended:
		return false
	}
	self := policy.User(j.workload())
	for _, user := range users {
		if user == self {
			continue
		}
		neighbour, known := j.Neighbours[user]
		if !known {
			return false
		}
		if open, runs := neighbour.Clusters[cluster]; runs && !open {
			return false
		}
	}
	return true
}
