package plan

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/text"
)

// record is what a pass over the steps makes: the status to store, and what is to be done and said. It begins as the status that was read;
// steps write nothing else.
type record struct {
	now      time.Time
	next     v1alpha1.MigrationStatus
	decision Decision
}

// managements by phase: who may write the application's objects.
var managements = map[v1alpha1.Phase]v1alpha1.Management{
	v1alpha1.PhaseOpening:    v1alpha1.ManagementChanging,
	v1alpha1.PhaseSoaking:    v1alpha1.ManagementChanging,
	v1alpha1.PhaseFederated:  v1alpha1.ManagementFederated,
	v1alpha1.PhaseCuttingOff: v1alpha1.ManagementChanging,
}

// enter a phase, with an entry in the history and an event when it is a new one.
func (r *record) enter(phase v1alpha1.Phase, reason, message string) {
	if r.next.Phase != phase {
		r.next.Phase = phase
		r.history(reason, message)
		r.event(false, reason, message)
	}
	management, ok := managements[phase]
	if !ok {
		management = v1alpha1.ManagementStatic
	}
	r.next.Management = management
}

// maxHistory entries are kept.
const maxHistory = 30

func (r *record) history(reason, message string) {
	r.next.History = append(r.next.History, v1alpha1.HistoryEntry{
		Time: metav1.NewTime(r.now), Phase: r.next.Phase, Reason: reason, Message: short(message),
	})
	if extra := len(r.next.History) - maxHistory; extra > 0 {
		r.next.History = r.next.History[extra:]
	}
}

func (r *record) event(warning bool, reason, message string) {
	r.decision.Events = append(r.decision.Events, Event{Warning: warning, Reason: reason, Message: message})
}

func (r *record) act(actions ...Action) { r.decision.Actions = append(r.decision.Actions, actions...) }

func (r *record) condition(kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&r.next.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: short(message),
		ObservedGeneration: r.next.ObservedGeneration, LastTransitionTime: metav1.NewTime(r.now),
	})
}

// short enough a message to be read and recorded: people read the first few hundred characters, and a record has room for so many.
func short(message string) string {
	return text.Cut(message, 1000)
}

// shut notes the intent to close every cluster. Recorded first, it outlives any crash.
func (r *record) shut(reason, message string) {
	r.enter(v1alpha1.PhaseCuttingOff, reason, message)
	for i := range r.next.Clusters {
		r.next.Clusters[i].State = v1alpha1.ClusterSuspended
	}
	r.next.SoakStartTime = nil
	r.forget()
}

// forget a plan that is past, with its approvals: nobody shall read it for the next.
func (r *record) forget() {
	r.next.Plan, r.next.ApprovalsDone, r.next.Approvers, r.next.RejectedBy = nil, "", nil, nil
	meta.RemoveStatusCondition(&r.next.Conditions, v1alpha1.ConditionPlanned)
	meta.RemoveStatusCondition(&r.next.Conditions, v1alpha1.ConditionApproved)
}

// plannedFor says whether the plan on record, if any, is for this purpose.
func (r *record) plannedFor(purpose v1alpha1.PlanPurpose) bool {
	return r.next.Plan == nil || r.next.Plan.Purpose == purpose
}

// opened says whether any cluster was opened in this attempt: from then on the templates are the truth.
func (r *record) opened() bool {
	for _, cluster := range r.next.Clusters {
		if cluster.State != v1alpha1.ClusterSuspended {
			return true
		}
	}
	return false
}

// names of the application's clusters, sorted.
func (r *record) names() []string {
	out := make([]string, 0, len(r.next.Clusters))
	for _, cluster := range r.next.Clusters {
		out = append(out, cluster.Name)
	}
	slices.Sort(out)
	return out
}

func (r *record) clusterStatus(name string) *v1alpha1.ClusterStatus {
	for i := range r.next.Clusters {
		if r.next.Clusters[i].Name == name {
			return &r.next.Clusters[i]
		}
	}
	return nil
}

// federated resources of the record: those with a policy.
func (r *record) federated() []v1alpha1.ResourceStatus {
	var out []v1alpha1.ResourceStatus
	for _, resource := range r.next.Resources {
		if resource.Policy != "" {
			out = append(out, resource)
		}
	}
	return out
}

// autoscaled says whether a member's autoscaler owns the replicas.
func (r *record) autoscaled() bool {
	for _, resource := range r.next.Resources {
		if resource.Kind == "HorizontalPodAutoscaler" {
			return true
		}
	}
	return false
}
