package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AfterCutOff says what becomes of an application that was taken off the whitelist.
// +kubebuilder:validation:Enum=Keep;Leave
type AfterCutOff string

const (
	// AfterCutOffKeep keeps its templates and policies in the control plane, suspended: it can be
	// adopted again at any time.
	AfterCutOffKeep AfterCutOff = "Keep"
	// AfterCutOffLeave removes them for good, after an empty plan was approved. The members keep everything.
	AfterCutOffLeave AfterCutOff = "Leave"
)

// Decision of a person about a plan.
// +kubebuilder:validation:Enum=Approve;Reject
type Decision string

const (
	// DecisionApprove consents to the plan.
	DecisionApprove Decision = "Approve"
	// DecisionReject keeps the plan from being carried out, however many approve it, until whoever rejected it takes that back or
	// another plan is drawn up.
	DecisionReject Decision = "Reject"
)

// Approval is one person's decision about one plan. The person sends planHash, and decision and reason to reject it; the admission
// webhook fills in the rest from the request, so nobody can decide in another's name.
// +kubebuilder:validation:XValidation:rule="!has(self.decision) || self.decision != 'Reject' || has(self.reason) && size(self.reason) > 0",message="a rejection needs a reason"
type Approval struct {
	// planHash of the plan that was read. An approval of any other plan counts for nothing.
	// +kubebuilder:validation:Pattern=`^([0-9a-f]{16}|[0-9a-f]{64})$`
	PlanHash string `json:"planHash"`
	// decision; absent, it is Approve.
	// +optional
	Decision Decision `json:"decision,omitempty"`
	// reason of a rejection, for whoever puts it right.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Reason string `json:"reason,omitempty"`
	// user who decided.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	User string `json:"user,omitempty"`
	// time of the decision.
	// +optional
	Time *metav1.Time `json:"time,omitempty"`
}

// Rollback of an application by a person. It wins over every whitelist that lists the application.
type Rollback struct {
	// reason, for whoever finds it rolled back.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Reason string `json:"reason,omitempty"`
}

// MigrationSpec says which application this is and what people decided about it.
type MigrationSpec struct {
	// WorkloadReference is the application's main object, in the Migration's own namespace.
	WorkloadReference `json:",inline"`
	// approvals of plans, and rejections.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=40
	// +optional
	Approvals []Approval `json:"approvals,omitempty"`
	// afterCutOff says what becomes of the application once it is off the whitelist.
	// +kubebuilder:default=Keep
	// +optional
	AfterCutOff AfterCutOff `json:"afterCutOff,omitempty"`
	// rollback takes the application back under static management and keeps it there, whatever whitelists say, until it is taken away
	// again ('argosyctl migration readopt').
	// +optional
	Rollback *Rollback `json:"rollback,omitempty"`
	// ttlSecondsAfterLeft is how long this record is kept once the application left and no whitelist lists it; default 30 days. The record of
	// one that was rolled back by hand is kept until that is taken away.
	// +kubebuilder:validation:Minimum=0
	// +optional
	TTLSecondsAfterLeft *int32 `json:"ttlSecondsAfterLeft,omitempty"`
	// attempt is raised by a person to try again after a failure: a failed application stays as it is
	// until attempt is greater than status.failure.attempt.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:default=1
	// +optional
	Attempt int32 `json:"attempt,omitempty"`
	// releasedTime is set when CI/CD released the application statically. Trigger OnRelease waits for it.
	// +optional
	ReleasedTime *metav1.Time `json:"releasedTime,omitempty"`
}

// Phase of an application between static management and federation.
// +kubebuilder:validation:Enum=Pending;Preparing;AwaitingApproval;Opening;Soaking;Federated;CuttingOff;CutOff;Leaving;Left
type Phase string

const (
	// PhasePending waits for its turn, its trigger, or the end of a pause. Managed statically.
	PhasePending Phase = "Pending"
	// PhasePreparing builds templates, policies and overrides in the control plane, all suspended, and
	// proves by dry runs what each member would change. Managed statically.
	PhasePreparing Phase = "Preparing"
	// PhaseAwaitingApproval has an empty plan that people must approve. Managed statically.
	PhaseAwaitingApproval Phase = "AwaitingApproval"
	// PhaseOpening opens dispatching cluster by cluster, comparing evidence after each. Publishing waits.
	PhaseOpening Phase = "Opening"
	// PhaseSoaking watches the health gates. Publishing waits.
	PhaseSoaking Phase = "Soaking"
	// PhaseFederated is the end of the way in. Managed by the federation.
	PhaseFederated Phase = "Federated"
	// PhaseCuttingOff suspends everything. Publishing waits.
	PhaseCuttingOff Phase = "CuttingOff"
	// PhaseCutOff has every Work proved suspended. Managed statically.
	PhaseCutOff Phase = "CutOff"
	// PhaseLeaving removes the control plane's objects, the members keeping theirs: managed statically until
	// the plan for it is approved, then publishing waits.
	PhaseLeaving Phase = "Leaving"
	// PhaseLeft is the end of the way out. Managed statically.
	PhaseLeft Phase = "Left"
)

// Management answers isKarmada: who may write the application's objects now.
// +kubebuilder:validation:Enum=Static;Federated;Changing
type Management string

const (
	// ManagementStatic publishes straight to the members, as before.
	ManagementStatic Management = "Static"
	// ManagementFederated publishes to the control plane.
	ManagementFederated Management = "Federated"
	// ManagementChanging publishes nowhere: ask again shortly.
	ManagementChanging Management = "Changing"
)

// ResourceReference names one object of the application.
type ResourceReference struct {
	// apiVersion of the object.
	APIVersion string `json:"apiVersion"`
	// kind of the object.
	Kind string `json:"kind"`
	// name of the object, in the Migration's namespace.
	Name string `json:"name"`
}

// ResourceStatus is one object of the application and how it reaches the members.
type ResourceStatus struct {
	ResourceReference `json:",inline"`
	// clusters it is propagated to. Where a record would be too large otherwise, "*" stands for every cluster of the application, and a name
	// with a minus before it for one of them that it is not propagated to.
	// +listType=set
	// +optional
	Clusters []string `json:"clusters,omitempty"`
	// policy that propagates it. Empty: it stays under static management, for the reason in note.
	// +optional
	Policy string `json:"policy,omitempty"`
	// users are the workloads that share it, when there is more than one.
	// +listType=set
	// +optional
	Users []string `json:"users,omitempty"`
	// note says why it stays local, or what is special about it.
	// +optional
	Note string `json:"note,omitempty"`
}

// ChangeKind sorts what a plan found.
// +kubebuilder:validation:Enum=Bookkeeping;Override;Harmful
type ChangeKind string

const (
	// ChangeBookkeeping is metadata Karmada adds to what it manages; it reaches no pod.
	ChangeBookkeeping ChangeKind = "Bookkeeping"
	// ChangeOverride is a difference between clusters that an OverridePolicy keeps.
	ChangeOverride ChangeKind = "Override"
	// ChangeHarmful would change the object. It blocks the plan.
	ChangeHarmful ChangeKind = "Harmful"
)

// FieldChange is one field of one object in one cluster.
type FieldChange struct {
	// path of the field, such as spec.template.spec.containers[0].image.
	Path string `json:"path"`
	// kind of the change.
	Kind ChangeKind `json:"kind"`
	// live value in the member, shortened; absent when the field is not there. Values of Secrets are never shown.
	// +optional
	Live string `json:"live,omitempty"`
	// planned value after the take-over, shortened; absent when the field would go.
	// +optional
	Planned string `json:"planned,omitempty"`
}

// ResourcePlan is what the take-over would do to one object in one cluster, proved by a dry run there.
type ResourcePlan struct {
	ResourceReference `json:",inline"`
	// cluster it is in.
	Cluster string `json:"cluster"`
	// changes, harmful ones first, at most 50.
	// +listType=atomic
	// +optional
	Changes []FieldChange `json:"changes,omitempty"`
	// omitted counts changes beyond those listed.
	// +optional
	Omitted int32 `json:"omitted,omitempty"`
	// error the member answered to the dry run: it refused it.
	// +optional
	Error string `json:"error,omitempty"`
}

// PlanPurpose is what a plan is for.
// +kubebuilder:validation:Enum=TakeOver;Leave
type PlanPurpose string

const (
	// PlanTakeOver brings the application under federation, for the first time or again.
	PlanTakeOver PlanPurpose = "TakeOver"
	// PlanLeave removes it from the control plane.
	PlanLeave PlanPurpose = "Leave"
)

// Plan is everything a person approves.
type Plan struct {
	// hash (SHA-256) of purpose, clusters, templates, overrides, changes, and the strategy's soak, gates, freeze windows and
	// requiredApprovals: approvals are bound to it.
	Hash string `json:"hash"`
	// purpose of the plan.
	Purpose PlanPurpose `json:"purpose"`
	// time at which this plan was first drawn up.
	Time metav1.Time `json:"time"`
	// resources, by cluster.
	// +listType=atomic
	// +optional
	Resources []ResourcePlan `json:"resources,omitempty"`
	// omittedResources counts the objects beyond those listed, which are left out of a plan too large to be recorded: of none of them a
	// field would change but Karmada's own metadata and what an OverridePolicy holds, unless harmful says so.
	// +optional
	OmittedResources int32 `json:"omittedResources,omitempty"`
	// harmful changes in all; above 0 the plan cannot be approved.
	Harmful int32 `json:"harmful"`
}

// PodEvidence is one pod as it was seen.
type PodEvidence struct {
	// name of the pod.
	Name string `json:"name"`
	// uid of the pod: another one is another pod.
	UID string `json:"uid"`
	// restarts of all its containers.
	Restarts int32 `json:"restarts"`
}

// Evidence is what proves that nothing restarted: taken before a cluster is opened and compared after.
type Evidence struct {
	// time at which it was taken.
	Time metav1.Time `json:"time"`
	// uid of the workload.
	UID string `json:"uid"`
	// generation of the workload.
	Generation int64 `json:"generation"`
	// revision the workload stands at.
	// +optional
	Revision string `json:"revision,omitempty"`
	// templateHash of its pod template.
	TemplateHash string `json:"templateHash"`
	// replicas it asks for.
	Replicas int32 `json:"replicas"`
	// pods of the workload, by name, at most 300.
	// +listType=atomic
	// +optional
	Pods []PodEvidence `json:"pods,omitempty"`
	// podCount counts all pods, those beyond the list included.
	PodCount int32 `json:"podCount"`
	// podRevisions are the revisions that the pods themselves bear.
	// +listType=set
	// +optional
	PodRevisions []string `json:"podRevisions,omitempty"`
}

// ClusterState of an application in one cluster.
// +kubebuilder:validation:Enum=Suspended;Opening;Open
type ClusterState string

const (
	// ClusterSuspended receives nothing from the control plane.
	ClusterSuspended ClusterState = "Suspended"
	// ClusterOpening was opened and has not yet shown that it took everything over.
	ClusterOpening ClusterState = "Opening"
	// ClusterOpen took everything over, with the evidence unchanged.
	ClusterOpen ClusterState = "Open"
)

// HealthDoubt is one missed look at an application's health. Two of three are a failure.
type HealthDoubt struct {
	// message says what was not well.
	Message string `json:"message"`
	// lookTime of the last look.
	LookTime metav1.Time `json:"lookTime"`
	// well looks since.
	// +optional
	Well int32 `json:"well,omitempty"`
}

// ClusterStatus is the application in one member cluster.
type ClusterStatus struct {
	// name of the member cluster.
	Name string `json:"name"`
	// state of the cluster.
	State ClusterState `json:"state"`
	// replicas the binding gives it.
	// +optional
	Replicas int32 `json:"replicas,omitempty"`
	// openedTime is when dispatching was opened.
	// +optional
	OpenedTime *metav1.Time `json:"openedTime,omitempty"`
	// before is the evidence taken just before it was opened.
	// +optional
	Before *Evidence `json:"before,omitempty"`
	// after is the evidence taken when it had taken over.
	// +optional
	After *Evidence `json:"after,omitempty"`
	// replaced counts pods that went while the cluster was watched and were followed by others of the same revision: evicted or drained.
	// +optional
	Replaced int32 `json:"replaced,omitempty"`
	// spread is true of a cluster that the application came to after it was taken over, since its policy was widened: it is the application's
	// as long as Karmada has it there, though the whitelist's entry does not name it.
	// +optional
	Spread bool `json:"spread,omitempty"`
	// doubt there is while a look at the health did not find the application well, and two more are not over.
	// +optional
	Doubt *HealthDoubt `json:"doubt,omitempty"`
}

// Failure is why an application was stopped or rolled back. It stands until a person raises spec.attempt.
type Failure struct {
	// attempt that failed.
	Attempt int32 `json:"attempt"`
	// reason as in conditions.
	Reason string `json:"reason"`
	// message for people.
	Message string `json:"message"`
	// time it was found.
	Time metav1.Time `json:"time"`
	// action that was taken.
	Action OnFailure `json:"action"`
}

// HistoryEntry is one turn of the application's way.
type HistoryEntry struct {
	// time of the turn.
	Time metav1.Time `json:"time"`
	// phase it led to.
	Phase Phase `json:"phase"`
	// reason as in conditions.
	Reason string `json:"reason"`
	// message for people.
	Message string `json:"message"`
}

// MigrationStatus is where the application stands. The controller resumes from it.
type MigrationStatus struct {
	// observedGeneration is the spec's generation this status answers.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// phase the application is in.
	// +optional
	Phase Phase `json:"phase,omitempty"`
	// management answers isKarmada.
	// +kubebuilder:default=Static
	// +optional
	Management Management `json:"management,omitempty"`
	// environment of the whitelist's entry, kept after the entry is gone.
	// +optional
	Environment Environment `json:"environment,omitempty"`
	// whitelist that lists the application.
	// +optional
	Whitelist string `json:"whitelist,omitempty"`
	// batch the application is in, such as 2/3.
	// +optional
	Batch string `json:"batch,omitempty"`
	// clustersDone of all, such as 1/2.
	// +optional
	ClustersDone string `json:"clustersDone,omitempty"`
	// blocked is the reason it does not advance, empty when it does.
	// +optional
	Blocked string `json:"blocked,omitempty"`
	// clusters of the application.
	// +listType=map
	// +listMapKey=name
	// +optional
	Clusters []ClusterStatus `json:"clusters,omitempty"`
	// resources of the application.
	// +listType=atomic
	// +optional
	Resources []ResourceStatus `json:"resources,omitempty"`
	// omittedResources counts objects under static management that are left out of a record too large otherwise.
	// +optional
	OmittedResources int32 `json:"omittedResources,omitempty"`
	// plan as last drawn up.
	// +optional
	Plan *Plan `json:"plan,omitempty"`
	// approvals that count for the plan, such as 1/2.
	// +optional
	ApprovalsDone string `json:"approvalsDone,omitempty"`
	// approvers of the plan, as they were seen last: who is missing then has withdrawn.
	// +listType=set
	// +optional
	Approvers []string `json:"approvers,omitempty"`
	// rejectedBy are those who rejected the plan, as they were seen last: who is missing then has taken that back.
	// +listType=set
	// +optional
	RejectedBy []string `json:"rejectedBy,omitempty"`
	// requiredApprovals of the plan that waits: the strategy's, or those of before it was lowered. Once that many people approved, the lower
	// number holds.
	// +optional
	RequiredApprovals int32 `json:"requiredApprovals,omitempty"`
	// soakStartTime is when the last cluster was open.
	// +optional
	SoakStartTime *metav1.Time `json:"soakStartTime,omitempty"`
	// removalStartTime is when the control plane's objects began to be removed by an approved leave plan. From
	// then on the application is on its way out, whitelist or not.
	// +optional
	RemovalStartTime *metav1.Time `json:"removalStartTime,omitempty"`
	// failure of the last attempt.
	// +optional
	Failure *Failure `json:"failure,omitempty"`
	// history of phases, the newest last, at most 30.
	// +listType=atomic
	// +optional
	History []HistoryEntry `json:"history,omitempty"`
	// conditions: Advancing, Fenced, Planned, Approved, Unchanged, Federated, Synced.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Migration is one application on its way into the federation or out of it. The controller makes it for
// each entry of a whitelist; people approve plans in it.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=mig,categories=argosy
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Batch",type=string,JSONPath=`.status.batch`
// +kubebuilder:printcolumn:name="Clusters",type=string,JSONPath=`.status.clustersDone`
// +kubebuilder:printcolumn:name="Approved",type=string,JSONPath=`.status.approvalsDone`
// +kubebuilder:printcolumn:name="Blocked",type=string,JSONPath=`.status.blocked`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Managed",type=string,priority=1,JSONPath=`.status.management`
// +kubebuilder:printcolumn:name="Environment",type=string,priority=1,JSONPath=`.status.environment`
// +kubebuilder:printcolumn:name="Whitelist",type=string,priority=1,JSONPath=`.status.whitelist`
// +kubebuilder:printcolumn:name="Kind",type=string,priority=1,JSONPath=`.spec.kind`
// +kubebuilder:printcolumn:name="Workload",type=string,priority=1,JSONPath=`.spec.name`
// +kubebuilder:printcolumn:name="Why",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Advancing")].message`
// +kubebuilder:validation:XValidation:rule="self.spec.kind == oldSelf.spec.kind && self.spec.name == oldSelf.spec.name && self.spec.apiVersion == oldSelf.spec.apiVersion",message="a Migration belongs to one workload for good; apiVersion, kind and name cannot change"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.attempt) || !has(oldSelf.spec.attempt) || self.spec.attempt >= oldSelf.spec.attempt",message="spec.attempt can only be raised"
type Migration struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec MigrationSpec `json:"spec"`
	// +optional
	Status MigrationStatus `json:"status,omitempty"`
}

// MigrationList is a list of Migration.
// +kubebuilder:object:root=true
type MigrationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Migration `json:"items"`
}
