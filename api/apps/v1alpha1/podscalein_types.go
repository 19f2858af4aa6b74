package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PodScaleIn removes named pods of a CloneSet from the members they run in, and lowers the replicas of exactly those
// members by exactly that number. It is a job: its spec never changes and it ends Succeeded, Refused or Failed.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=podscaleins,scope=Namespaced,shortName=psi,categories=argosy
// +kubebuilder:printcolumn:name=Target,type=string,JSONPath=`.spec.targetRef.name`
// +kubebuilder:printcolumn:name=Phase,type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name=From,type=integer,JSONPath=`.status.replicasBefore`
// +kubebuilder:printcolumn:name=To,type=integer,JSONPath=`.status.replicasAfter`
// +kubebuilder:printcolumn:name=Reason,type=string,priority=1,JSONPath=`.spec.reason`
// +kubebuilder:printcolumn:name=Message,type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Complete")].message`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type PodScaleIn struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec says which pods go.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec cannot be changed: a PodScaleIn is one order; create another"
	Spec PodScaleInSpec `json:"spec"`

	// Status says how far it is.
	// +optional
	Status PodScaleInStatus `json:"status,omitempty"`
}

// PodScaleInSpec says which pods go: by name, or by what they have in common.
//
// +kubebuilder:validation:XValidation:rule="has(self.pods) != has(self.select)",message="spec: name the pods, or select them: set either pods or select"
type PodScaleInSpec struct {
	// TargetRef names the CloneSet, in this namespace of the control plane.
	// +required
	TargetRef ScaleInTarget `json:"targetRef"`

	// Pods are those to remove, at most 500.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=500
	Pods []PodReference `json:"pods,omitempty"`

	// Select designates pods of the workload by what they have in common. It is resolved to names once, when the order is
	// accepted; status.clusters records them, and no other pod goes.
	// +optional
	Select *PodSelection `json:"select,omitempty"`

	// Reason is kept for people: who asked, which incident.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason,omitempty"`

	// TimeoutSeconds is how long the pods may take to go before the order is reported as Failed.
	// +optional
	// +kubebuilder:default=600
	// +kubebuilder:validation:Minimum=30
	// +kubebuilder:validation:Maximum=86400
	TimeoutSeconds *int32 `json:"timeoutSeconds,omitempty"`

	// TTLSecondsAfterFinished is how long after its end (status.completionTime) the order is deleted. Unset: it is kept. An
	// order that Failed and is still followed has not ended.
	// +optional
	// +kubebuilder:validation:Minimum=0
	TTLSecondsAfterFinished *int32 `json:"ttlSecondsAfterFinished,omitempty"`
}

// PodSelection designates those pods of the workload that meet all of it.
//
// +kubebuilder:validation:XValidation:rule="has(self.nodeName) || has(self.labelSelector)",message="spec.select: set nodeName, labelSelector or both"
type PodSelection struct {
	// Clusters the pods run in; unset is every member of the workload.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MaxLength=63
	Clusters []string `json:"clusters,omitempty"`

	// NodeName is the node they run on.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	NodeName string `json:"nodeName,omitempty"`

	// LabelSelector is matched with the labels of the pods.
	// +optional
	// +kubebuilder:validation:XValidation:rule="has(self.matchLabels) && size(self.matchLabels) > 0 || has(self.matchExpressions) && size(self.matchExpressions) > 0",message="spec.select.labelSelector must not be empty: it would select every pod"
	LabelSelector *metav1.LabelSelector `json:"labelSelector,omitempty"`

	// MaxPods guards against a selection that is wider than meant: when more pods meet it, the order is refused.
	// +optional
	// +kubebuilder:default=50
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=500
	MaxPods *int32 `json:"maxPods,omitempty"`
}

// ScaleInTarget is the workload that gives up pods.
type ScaleInTarget struct {
	// APIVersion of the workload.
	// +optional
	// +kubebuilder:default="apps.kruise.io/v1alpha1"
	// +kubebuilder:validation:Enum="apps.kruise.io/v1alpha1";"apps.kruise.io/v1beta1"
	APIVersion string `json:"apiVersion,omitempty"`

	// Kind of the workload.
	// +optional
	// +kubebuilder:default=CloneSet
	// +kubebuilder:validation:Enum=CloneSet
	Kind string `json:"kind,omitempty"`

	// Name of the workload.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// PodReference names one pod of a member.
type PodReference struct {
	// Cluster the pod runs in. Unset: the controller looks for the name in every member of the workload and refuses
	// when it is in none or in several.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Cluster string `json:"cluster,omitempty"`

	// Name of the pod.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// PodScaleInPhase is where an order stands, as its conditions say in full.
// +kubebuilder:validation:Enum=Checking;Announcing;Lowering;Settling;Following;Succeeded;Refused;Failed
type PodScaleInPhase string

const (
	// PhaseChecking: the pods are looked up in their members. Nothing is written yet.
	PhaseChecking PodScaleInPhase = "Checking"
	// PhaseAnnouncing: the names are on the template and on their way into the Works, with replicas as they were.
	PhaseAnnouncing PodScaleInPhase = "Announcing"
	// PhaseLowering: the binding holds the new replicas, the scheduler is held, the template follows.
	PhaseLowering PodScaleInPhase = "Lowering"
	// PhaseSettling: template and binding agree again; the scheduler is released.
	PhaseSettling PodScaleInPhase = "Settling"
	// PhaseFollowing: the members delete the pods.
	PhaseFollowing PodScaleInPhase = "Following"
	// PhaseSucceeded: the pods are gone and every count agrees.
	PhaseSucceeded PodScaleInPhase = "Succeeded"
	// PhaseRefused: the order could not be carried out as written. Nothing was changed.
	PhaseRefused PodScaleInPhase = "Refused"
	// PhaseFailed: the pods did not go in time. The order goes on being followed, ever more rarely: a member that comes back
	// takes it, and wakes it.
	PhaseFailed PodScaleInPhase = "Failed"
)

// PodScaleInStatus is written by the controller only.
type PodScaleInStatus struct {
	// ObservedGeneration is the generation of the spec this status was derived from.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Phase is where the order stands.
	// +optional
	Phase PodScaleInPhase `json:"phase,omitempty"`

	// RequestID is the token of this order in the members: each member takes the names of one token once.
	// +optional
	RequestID string `json:"requestID,omitempty"`

	// StartTime is when the order was accepted.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// CompletionTime is when it ended.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`

	// ReplicasBefore is the workload's total before the order.
	// +optional
	ReplicasBefore *int32 `json:"replicasBefore,omitempty"`

	// ReplicasAfter is the workload's total after it.
	// +optional
	ReplicasAfter *int32 `json:"replicasAfter,omitempty"`

	// Clusters are the members that give up pods.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=500
	Clusters []ClusterScaleIn `json:"clusters,omitempty"`

	// Conditions: Accepted, Complete.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ClusterScaleIn is one member's part of an order.
type ClusterScaleIn struct {
	// Name of the member cluster.
	// +required
	Name string `json:"name"`

	// ReplicasBefore are this member's replicas before the order.
	// +required
	ReplicasBefore int32 `json:"replicasBefore"`

	// ReplicasAfter are this member's replicas after it.
	// +required
	ReplicasAfter int32 `json:"replicasAfter"`

	// Pods that go.
	// +required
	// +listType=atomic
	Pods []string `json:"pods"`

	// Remaining are the pods still seen in the member; absent once all are gone.
	// +optional
	// +listType=atomic
	Remaining []string `json:"remaining,omitempty"`
}

// Condition types of a PodScaleIn.
const (
	// PodScaleInAccepted: the order could be carried out as written when it was checked.
	PodScaleInAccepted = "Accepted"
	// PodScaleInComplete: the pods are gone and template, binding and members agree.
	PodScaleInComplete = "Complete"
)

// Reasons of conditions and events of a PodScaleIn: one vocabulary for both.
const (
	ReasonOrderAccepted      = "OrderAccepted"
	ReasonOrderDeleted       = "OrderDeleted"
	ReasonTargetNotFound     = "TargetNotFound"
	ReasonTargetKindUnknown  = "TargetKindUnknown"
	ReasonTargetNotDivided   = "TargetNotDivided"
	ReasonTargetOwned        = "TargetOwnedByAutoscaler"
	ReasonTargetBusy         = "TargetBusy"
	ReasonPodNotFound        = "PodNotFound"
	ReasonPodAmbiguous       = "PodAmbiguous"
	ReasonPodNotOwned        = "PodNotOwned"
	ReasonPodTerminating     = "PodTerminating"
	ReasonPodDuplicate       = "PodDuplicate"
	ReasonNoPodSelected      = "NoPodSelected"
	ReasonTooManySelected    = "TooManyPodsSelected"
	ReasonDisruptionBudget   = "DisruptionBudget"
	ReasonNoReplicaLeft      = "NoReplicaLeft"
	ReasonMemberUnreachable  = "MemberUnreachable"
	ReasonBindingUnsettled   = "BindingUnsettled"
	ReasonNamesAnnounced     = "NamesAnnounced"
	ReasonReplicasLowered    = "ReplicasLowered"
	ReasonWaitingForWorks    = "WaitingForWorks"
	ReasonWaitingForBinding  = "WaitingForBinding"
	ReasonWaitingForPods     = "WaitingForPods"
	ReasonPodsGone           = "PodsGone"
	ReasonTimedOut           = "TimedOut"
	ReasonAdopted            = "MemberScaleInAdopted"
	ReasonNothingToAdopt     = "NothingToAdopt"
	ReasonAdoptionNotWritten = "MemberScaleInNotAdopted"
	// ReasonCutOff: a migration's rollback took the target out of the federation; its pods are removed in its members.
	ReasonCutOff = "CutOff"
)

// PodScaleInList is a list of PodScaleIn.
//
// +kubebuilder:object:root=true
type PodScaleInList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []PodScaleIn `json:"items"`
}
