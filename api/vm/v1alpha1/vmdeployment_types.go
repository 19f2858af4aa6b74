package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
)

// TargetKind is a kind a VMDeployment can deliver to.
// +kubebuilder:validation:Enum=VMReplicaSet
type TargetKind string

// TargetVMReplicaSet is the only target today.
const TargetVMReplicaSet TargetKind = "VMReplicaSet"

// TargetReference names the servers a VMDeployment delivers to.
type TargetReference struct {
	// kind of the target.
	// +kubebuilder:default=VMReplicaSet
	// +optional
	Kind TargetKind `json:"kind,omitempty"`

	// name of the target, in this namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`
}

// PauseBetween says what stands between two batches.
// +kubebuilder:validation:Enum=None;Approval;Seconds
type PauseBetween string

const (
	// PauseNone goes on as soon as a batch is ready.
	PauseNone PauseBetween = "None"
	// PauseApproval waits for a person.
	PauseApproval PauseBetween = "Approval"
	// PauseSeconds waits for pauseSeconds.
	PauseSeconds PauseBetween = "Seconds"
)

// ReleaseStrategy says in which steps a release reaches the servers.
// +kubebuilder:validation:XValidation:rule="(self.pauseBetween == 'Seconds') == has(self.pauseSeconds)",message="pauseSeconds is set exactly when pauseBetween is Seconds"
type ReleaseStrategy struct {
	// batches are the sizes of the steps, in order; what is left after the last goes with it. Without batches
	// everything is one batch. In a federation each member goes through the batches by itself: give percentages.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:XIntOrString
	// +kubebuilder:validation:items:Pattern=`^(100|[1-9][0-9]?)%$`
	// +kubebuilder:validation:items:XValidation:rule="type(self) == string || self >= 1",message="a batch must be at least 1 server, or a percentage above 0%"
	// +optional
	Batches []intstr.IntOrString `json:"batches,omitempty"`

	// maxUnavailable is how many servers of one member may be out of service at a time, as a number or a percentage.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^(100|[1-9][0-9]?)%$`
	// +kubebuilder:validation:XValidation:rule="type(self) == string || self >= 1",message="maxUnavailable must be 1 or more, or a percentage above 0%: nothing would ever be deployed"
	// +kubebuilder:default=1
	// +optional
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`

	// pauseBetween says what stands between two batches.
	// +kubebuilder:default=None
	// +optional
	PauseBetween PauseBetween `json:"pauseBetween,omitempty"`

	// pauseSeconds to watch a batch before the next, with pauseBetween Seconds.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	// +optional
	PauseSeconds *int32 `json:"pauseSeconds,omitempty"`

	// trafficWeight is the weight, 0 to 100, of a server that has the new code while its batch is watched.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +kubebuilder:default=100
	// +optional
	TrafficWeight *int32 `json:"trafficWeight,omitempty"`

	// maxFailed is how many servers of one member may fail before the release stops there: beyond it, Stalled.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	// +kubebuilder:default=0
	// +optional
	MaxFailed int32 `json:"maxFailed,omitempty"`
}

// RollbackTarget names what to go back to.
type RollbackTarget struct {
	// revision of status.currentRevision, or of the history.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Revision string `json:"revision"`
}

// VMDeploymentSpec is the code a person wants on servers, and how it gets there.
type VMDeploymentSpec struct {
	// targetRef names the servers. It cannot be changed.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="targetRef is immutable: make another VMDeployment"
	// +required
	TargetRef TargetReference `json:"targetRef"`

	// paused holds the release where it is.
	// +optional
	Paused bool `json:"paused,omitempty"`

	// release is the code to run.
	// +required
	Release Release `json:"release"`

	// strategy says in which steps the release reaches the servers.
	// +kubebuilder:default={pauseBetween: None}
	// +optional
	Strategy ReleaseStrategy `json:"strategy,omitempty"`

	// gates stop a batch before a stage until a person or a webhook opens them.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Gates []gatev1alpha1.Gate `json:"gates,omitempty"`

	// approvals are the decisions taken at gates and between batches.
	// +listType=map
	// +listMapKey=gate
	// +listMapKey=operationID
	// +kubebuilder:validation:MaxItems=256
	// +optional
	Approvals []gatev1alpha1.Approval `json:"approvals,omitempty"`

	// progressDeadlineSeconds without progress make the release Stalled; waiting for a person does not count.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	// +kubebuilder:default=600
	// +optional
	ProgressDeadlineSeconds *int32 `json:"progressDeadlineSeconds,omitempty"`

	// revisionHistoryLimit is how many old releases are kept for a rollback.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +kubebuilder:default=10
	// +optional
	RevisionHistoryLimit *int32 `json:"revisionHistoryLimit,omitempty"`

	// rollbackTo is the earlier release that servers run while it is set; without it they go on to spec.release. No
	// controller removes it: Karmada would write it back and the rollback begin anew.
	// +optional
	RollbackTo *RollbackTarget `json:"rollbackTo,omitempty"`
}

// FailedServer is a server that a release could not be brought to.
type FailedServer struct {
	// name of the server.
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`

	// cluster it runs in. Set in the control plane only.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Cluster string `json:"cluster,omitempty"`

	// reason, in CamelCase.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Reason string `json:"reason,omitempty"`

	// message for a person.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
}

// VMDeploymentStatus is what was observed: in a member by its controller, in the control plane the slowest member's
// batch and the sum of the counts.
type VMDeploymentStatus struct {
	// observedGeneration is the generation this status speaks of. In the control plane it moves when every member has
	// observed the current template.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// currentRevision is the release all servers had before this one.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	CurrentRevision string `json:"currentRevision,omitempty"`

	// updateRevision is the release under way.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	UpdateRevision string `json:"updateRevision,omitempty"`

	// rollouts is how many releases were asked for in this member, one after the other, rollbacks too: each asks people anew, also where it
	// was asked for before. In members only.
	// +optional
	Rollouts int64 `json:"rollouts,omitempty"`

	// version of the release under way, or that all have: of spec.release, or, while spec.rollbackTo is set, of that revision.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Version string `json:"version,omitempty"`

	// batches is how many steps the release has.
	// +optional
	Batches int32 `json:"batches"`

	// currentBatch is the step under way, from 1; 0 before the first, and equal to batches when the last is under way
	// or done. In the control plane it is the slowest member's.
	// +optional
	CurrentBatch int32 `json:"currentBatch"`

	// servers is how many servers the target has.
	// +optional
	Servers int32 `json:"servers"`

	// updatedServers is how many have the release.
	// +optional
	UpdatedServers int32 `json:"updatedServers"`

	// readyServers is how many have the release and serve.
	// +optional
	ReadyServers int32 `json:"readyServers"`

	// failedServers are those the release could not be brought to.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +optional
	FailedServers []FailedServer `json:"failedServers,omitempty"`

	// pendingApprovals are the operations that wait for a person, oldest first.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +optional
	PendingApprovals []gatev1alpha1.PendingApproval `json:"pendingApprovals,omitempty"`

	// conditions: Progressing, Complete, Available, Stalled, AwaitingApproval, Paused.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// VMDeployment delivers code to the servers of a VMReplicaSet, batch by batch.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=vmdeploy,categories=argosy
// +kubebuilder:printcolumn:name="Target",type=string,JSONPath=`.spec.targetRef.name`,description="the servers it delivers to"
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`,description="the code that servers are told to run"
// +kubebuilder:printcolumn:name="Batch",type=integer,JSONPath=`.status.currentBatch`,description="the step under way"
// +kubebuilder:printcolumn:name="Batches",type=integer,JSONPath=`.status.batches`,description="how many steps there are"
// +kubebuilder:printcolumn:name="Updated",type=integer,JSONPath=`.status.updatedServers`,description="servers with the code"
// +kubebuilder:printcolumn:name="Ready",type=integer,JSONPath=`.status.readyServers`,description="servers that serve with it"
// +kubebuilder:printcolumn:name="Complete",type=string,JSONPath=`.status.conditions[?(@.type=="Complete")].status`
// +kubebuilder:printcolumn:name="Waiting",type=string,JSONPath=`.status.conditions[?(@.type=="AwaitingApproval")].status`,description="whether it waits for a person"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type VMDeployment struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what a person asks.
	// +required
	Spec VMDeploymentSpec `json:"spec"`

	// status is what was observed.
	// +optional
	Status VMDeploymentStatus `json:"status,omitempty"`
}

// VMDeploymentList is a list of VMDeployments.
// +kubebuilder:object:root=true
type VMDeploymentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []VMDeployment `json:"items"`
}
