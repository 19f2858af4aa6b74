package v1alpha1

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FedHPA scales one workload of the control plane on metrics. Its limits are divided over the members, where a native
// HorizontalPodAutoscaler each does the scaling: reaction is local, and goes on while the control plane is down.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=fedhpas,scope=Namespaced,categories=argosy
// +kubebuilder:printcolumn:name=Kind,type=string,JSONPath=`.spec.scaleTargetRef.kind`
// +kubebuilder:printcolumn:name=Target,type=string,JSONPath=`.spec.scaleTargetRef.name`
// +kubebuilder:printcolumn:name=Min,type=integer,JSONPath=`.status.minReplicas`
// +kubebuilder:printcolumn:name=Max,type=integer,JSONPath=`.status.maxReplicas`
// +kubebuilder:printcolumn:name=Replicas,type=integer,JSONPath=`.status.currentReplicas`
// +kubebuilder:printcolumn:name=Reserve,type=integer,JSONPath=`.status.reserveReplicas`
// +kubebuilder:printcolumn:name=Phase,type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name=Ready,type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name=Scaling,type=string,JSONPath=`.status.conditions[?(@.type=="MembersScaling")].status`
// +kubebuilder:printcolumn:name=Books,type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="BooksAgree")].status`
// +kubebuilder:printcolumn:name=Limits from,type=string,priority=1,JSONPath=`.status.boundsFrom`
// +kubebuilder:printcolumn:name=Divided because,type=string,priority=1,JSONPath=`.status.lastDivision.reason`
// +kubebuilder:printcolumn:name=Message,type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type FedHPA struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what is to be scaled, on what, and between which limits.
	// +required
	Spec FedHPASpec `json:"spec"`

	// Status is what each member got and why.
	// +optional
	Status FedHPAStatus `json:"status,omitempty"`
}

// FedHPASpec is an autoscaling/v2 HorizontalPodAutoscaler's spec, plus how to divide it.
//
// +kubebuilder:validation:XValidation:rule="self.minReplicas <= self.maxReplicas",message="spec.minReplicas must not be above spec.maxReplicas"
// +kubebuilder:validation:XValidation:rule="!has(self.distribution) || !has(self.distribution.clusters) || self.distribution.clusters.all(c, !has(c.minReplicas) || c.minReplicas <= self.maxReplicas)",message="spec.distribution.clusters: a cluster's minReplicas must not be above spec.maxReplicas"
// +kubebuilder:validation:XValidation:rule="has(self.metricScope) || !has(self.metrics) || !self.metrics.exists(m, has(m.external) && has(m.external.target.averageValue) || has(m.object) && has(m.object.target.averageValue))",message="spec.metricScope is required with an averageValue of an External or Object metric: Federation if all members see the same metric, Member if each sees its own"
type FedHPASpec struct {
	// ScaleTargetRef names the workload, in this namespace of the control plane. It must have a scale subresource, be propagated with
	// replicaSchedulingType Divided, and be of a kind whose replicas a member may own (Deployment, or a kind Argosy's
	// interpreter answers for). It cannot be changed: another target is another FedHPA.
	// +required
	// +kubebuilder:validation:XValidation:rule="has(self.apiVersion) && self.apiVersion != ''",message="spec.scaleTargetRef.apiVersion is required, for example apps/v1"
	// +kubebuilder:validation:XValidation:rule="self.kind != '' && self.name != ''",message="spec.scaleTargetRef.kind and spec.scaleTargetRef.name must not be empty"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.scaleTargetRef cannot be changed: delete this FedHPA and create one for the other target"
	ScaleTargetRef autoscalingv2.CrossVersionObjectReference `json:"scaleTargetRef"`

	// MinReplicas is the lower limit over all members together.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	MinReplicas int32 `json:"minReplicas,omitempty"`

	// MaxReplicas is the upper limit over all members together.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	MaxReplicas int32 `json:"maxReplicas"`

	// Metrics are given to every member's autoscaler. Empty means 80 % of the CPU request, as for a native HPA. Those of pods (Resource,
	// ContainerResource, Pods) are each member's own. An External or Object metric with an averageValue asks for as many replicas as the
	// metric has such values, and so does every member: see metricScope.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Metrics []autoscalingv2.MetricSpec `json:"metrics,omitempty"`

	// MetricScope says whose External and Object metrics with an averageValue are. It must be said where there is one: three members that each
	// see the whole of a queue would run three times what it asks for.
	// +optional
	MetricScope MetricScope `json:"metricScope,omitempty"`

	// Behavior is given to every member's autoscaler as it is: a policy of type Pods allows that many pods in each member, one of type Percent
	// the same in each and in all.
	// +optional
	Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior,omitempty"`

	// Suspend pauses it: members' autoscalers are taken back, not a replica changes, and the workload's replicas are Karmada's and yours to
	// set, as if there was no FedHPA. Set to false again, it takes over what runs then.
	// +optional
	Suspend bool `json:"suspend,omitempty"`

	// Distribution says how the limits are divided. Unset: by the room each member has.
	// +optional
	Distribution *Distribution `json:"distribution,omitempty"`
}

// MetricScope says whether all members see the same metric.
// +kubebuilder:validation:Enum=Member;Federation
type MetricScope string

const (
	// MetricScopeMember: every member sees a metric of its own, such as the requests of its own gateway. It is given the target as it is.
	MetricScopeMember MetricScope = "Member"
	// MetricScopeFederation: every member sees the same metric, such as the length of one queue. Each is given the averageValue divided by its
	// share of maxReplicas, so that together they run what the metric asks for.
	MetricScopeFederation MetricScope = "Federation"
)

// CapacityMode says whether the room in a cluster bounds what it is given.
// +kubebuilder:validation:Enum=Aware;Ignore
type CapacityMode string

const (
	// CapacityAware gives a cluster no more than fits: by the estimator's answer where there is one, else by the Cluster's status.
	CapacityAware CapacityMode = "Aware"
	// CapacityIgnore divides by weights alone; for members that add nodes when pods wait.
	CapacityIgnore CapacityMode = "Ignore"
)

// Distribution says how the limits are divided.
type Distribution struct {
	// Capacity says whether the room in a cluster bounds what it is given.
	// +optional
	// +kubebuilder:default=Aware
	Capacity CapacityMode `json:"capacity,omitempty"`

	// Clusters are those treated differently from the others. A cluster of the placement that is not listed has weight 1 and no
	// bounds of its own.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=200
	Clusters []ClusterDistribution `json:"clusters,omitempty"`
}

// ClusterRole says when a cluster takes part.
// +kubebuilder:validation:Enum=Active;Standby
type ClusterRole string

const (
	// ClusterRoleActive takes part whenever the scheduler chose it.
	ClusterRoleActive ClusterRole = "Active"
	// ClusterRoleStandby takes part only while the active clusters have no room left, and is emptied when it is idle again.
	ClusterRoleStandby ClusterRole = "Standby"
)

// ClusterDistribution is what one cluster is to get.
//
// +kubebuilder:validation:XValidation:rule="!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",message="a cluster's minReplicas must not be above its maxReplicas"
// +kubebuilder:validation:XValidation:rule="!has(self.role) || self.role != 'Standby' || !has(self.minReplicas)",message="a standby cluster has no minReplicas: it is empty until the others are full"
type ClusterDistribution struct {
	// Name of the member cluster.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=48
	Name string `json:"name"`

	// Weight relative to the other clusters. With any weight given, minReplicas is divided by the weights; otherwise by what each
	// cluster runs. 0 gives the cluster nothing beyond its own minReplicas and what it already runs.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Weight *int32 `json:"weight,omitempty"`

	// MinReplicas the cluster should always have.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	MinReplicas *int32 `json:"minReplicas,omitempty"`

	// MaxReplicas the cluster may ever have.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	MaxReplicas *int32 `json:"maxReplicas,omitempty"`

	// Role says when the cluster takes part.
	// +optional
	// +kubebuilder:default=Active
	Role ClusterRole `json:"role,omitempty"`
}

// FedHPAPhase is where a FedHPA stands.
// +kubebuilder:validation:Enum=Pending;TakingOver;Active;Releasing;Suspended
type FedHPAPhase string

const (
	// FedHPAPending: something must be put right first; the Ready condition says what. Nothing is changed.
	FedHPAPending FedHPAPhase = "Pending"
	// FedHPATakingOver: the members learn to own their replicas, then get their autoscalers.
	FedHPATakingOver FedHPAPhase = "TakingOver"
	// FedHPAActive: the members scale, the control plane follows.
	FedHPAActive FedHPAPhase = "Active"
	// FedHPASuspended: paused; replicas are Karmada's, or about to be.
	FedHPASuspended FedHPAPhase = "Suspended"
	// FedHPAReleasing: deleted; replicas stay as they are, then Karmada owns them again.
	FedHPAReleasing FedHPAPhase = "Releasing"
)

// FedHPAStatus is what each member got and why.
type FedHPAStatus struct {
	// ObservedGeneration is the generation of the spec this status was derived from.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Phase is where the FedHPA stands.
	// +optional
	Phase FedHPAPhase `json:"phase,omitempty"`

	// MinReplicas is the lower limit in force: the spec's, or that of a CronHPA's rule.
	// +optional
	MinReplicas int32 `json:"minReplicas,omitempty"`

	// MaxReplicas is the upper limit in force: the spec's, or that of a CronHPA's rule.
	// +optional
	MaxReplicas int32 `json:"maxReplicas,omitempty"`

	// BoundsFrom names the CronHPA and rule the limits come from; empty when they are the spec's.
	// +optional
	BoundsFrom string `json:"boundsFrom,omitempty"`

	// CurrentReplicas is the sum of what the members run; for a member that cannot be reached, what it ran last.
	// +optional
	CurrentReplicas int32 `json:"currentReplicas,omitempty"`

	// DesiredReplicas is the sum of what the members' autoscalers ask for.
	// +optional
	DesiredReplicas int32 `json:"desiredReplicas,omitempty"`

	// ReserveReplicas is the part of maxReplicas for which no member has room.
	// +optional
	ReserveReplicas int32 `json:"reserveReplicas,omitempty"`

	// Clusters is what each member got.
	// +optional
	// +listType=map
	// +listMapKey=name
	Clusters []FedHPAClusterStatus `json:"clusters,omitempty"`

	// SuspendedSince is since when it is paused.
	// +optional
	SuspendedSince *metav1.Time `json:"suspendedSince,omitempty"`

	// ReleasingSince is when the controller first saw that it is being deleted, by the clock of the controller's machine: members are given
	// a minute from then on to come to rest.
	// +optional
	ReleasingSince *metav1.Time `json:"releasingSince,omitempty"`

	// LastDivision is when the limits were last divided, and why.
	// +optional
	LastDivision *Division `json:"lastDivision,omitempty"`

	// LastRebalanceTime is when the last rebalance was asked for (by a WorkloadRebalancer) that the members have followed.
	// +optional
	LastRebalanceTime *metav1.Time `json:"lastRebalanceTime,omitempty"`

	// DriftSince is since when another division would be noticeably better; absent when the present one is good.
	// +optional
	DriftSince *metav1.Time `json:"driftSince,omitempty"`

	// Overwrites is how often the scheduling result was overwritten and put right again.
	// +optional
	Overwrites int32 `json:"overwrites,omitempty"`

	// OverwriteStreak counts the overwrites that followed each other closely; each makes the next repair wait longer.
	// +optional
	OverwriteStreak int32 `json:"overwriteStreak,omitempty"`

	// LastOverwriteTime is when it was last put right.
	// +optional
	LastOverwriteTime *metav1.Time `json:"lastOverwriteTime,omitempty"`

	// TemplateScale is what was last written to the template's scale; absent while nothing was.
	// +optional
	TemplateScale *FedHPATemplateScale `json:"templateScale,omitempty"`

	// Conditions: Ready, BooksAgree, CapacitySufficient, MembersScaling.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// FedHPATemplateScale is one write of the template's replicas. Each makes Karmada write to every member, so that there is at most one in
// fifteen seconds.
type FedHPATemplateScale struct {
	// Time of the write.
	// +required
	Time metav1.Time `json:"time"`
	// Replicas that were written.
	// +required
	Replicas int32 `json:"replicas"`
	// PushedBack counts how often in a row somebody else set another number afterwards; each makes the next write wait longer.
	// +optional
	PushedBack int32 `json:"pushedBack,omitempty"`
}

// Division is one division of the limits.
type Division struct {
	// Time of the division.
	// +required
	Time metav1.Time `json:"time"`
	// Reason it was made.
	// +required
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason"`
	// Message says in words what triggered it.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
	// ObservedGeneration is the generation of the spec that was divided.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// MinReplicas that was divided.
	// +optional
	MinReplicas int32 `json:"minReplicas,omitempty"`
	// MaxReplicas that was divided.
	// +optional
	MaxReplicas int32 `json:"maxReplicas,omitempty"`
}

// FedHPAClusterState is where one member stands.
// +kubebuilder:validation:Enum=Joining;Active;NotScaling;Standby;Unreachable;Leaving
type FedHPAClusterState string

const (
	// ClusterJoining runs the workload but has no autoscaler of ours yet.
	ClusterJoining FedHPAClusterState = "Joining"
	// ClusterActive scales by itself.
	ClusterActive FedHPAClusterState = "Active"
	// ClusterNotScaling can be reached and its autoscaler cannot scale, or is not ours; the message says why. What runs there stays.
	ClusterNotScaling FedHPAClusterState = "NotScaling"
	// ClusterStandby is empty and waits for a burst.
	ClusterStandby FedHPAClusterState = "Standby"
	// ClusterUnreachable goes on with its last limits, which stay reserved.
	ClusterUnreachable FedHPAClusterState = "Unreachable"
	// ClusterLeaving was taken out of the scheduling result; its autoscaler is being removed.
	ClusterLeaving FedHPAClusterState = "Leaving"
)

// FedHPAClusterStatus is what one member got.
type FedHPAClusterStatus struct {
	// Name of the member cluster.
	// +required
	Name string `json:"name"`
	// State of the cluster.
	// +optional
	State FedHPAClusterState `json:"state,omitempty"`
	// MinReplicas the last division gives it.
	// +optional
	MinReplicas int32 `json:"minReplicas,omitempty"`
	// MaxReplicas the last division gives it.
	// +optional
	MaxReplicas int32 `json:"maxReplicas,omitempty"`
	// CurrentReplicas it runs, as its autoscaler, or else its workload, saw last.
	// +optional
	CurrentReplicas int32 `json:"currentReplicas,omitempty"`
	// DesiredReplicas its autoscaler asks for; what it runs, where its autoscaler cannot scale.
	// +optional
	DesiredReplicas int32 `json:"desiredReplicas,omitempty"`
	// FreeReplicas is how many more fitted at the last division; absent when nobody knew.
	// +optional
	FreeReplicas *int32 `json:"freeReplicas,omitempty"`
	// Message says in words what it got and why, or what is wrong.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
	// PendingSince is since when pods wait for room.
	// +optional
	PendingSince *metav1.Time `json:"pendingSince,omitempty"`
	// LimitsDifferSince is since when the member's autoscaler obeys other limits than it was sent: they are on their way, or somebody in the
	// member writes its own.
	// +optional
	LimitsDifferSince *metav1.Time `json:"limitsDifferSince,omitempty"`
	// WithdrawnSince is since when our autoscaler is kept out of the cluster, because another one there scales the same pods. It is tried
	// again ten minutes later.
	// +optional
	WithdrawnSince *metav1.Time `json:"withdrawnSince,omitempty"`
	// IdleSince is since when the cluster runs one replica and could be emptied.
	// +optional
	IdleSince *metav1.Time `json:"idleSince,omitempty"`
}

// Condition types of a FedHPA.
const (
	// FedHPAReady: at least one member scales, nothing has to be corrected, and the control plane follows.
	FedHPAReady = "Ready"
	// FedHPABooksAgree: the scheduling result and the template say what the members run. Unknown while one of them cannot be reached.
	FedHPABooksAgree = "BooksAgree"
	// FedHPACapacitySufficient: minReplicas fits, and no pods wait for room.
	FedHPACapacitySufficient = "CapacitySufficient"
	// FedHPAMembersScaling: every member's autoscaler works.
	FedHPAMembersScaling = "MembersScaling"
)

// Reasons of conditions and events of a FedHPA: one vocabulary for both.
const (
	FedHPAReasonActive            = "Active"
	FedHPAReasonTakingOver        = "TakingOver"
	FedHPAReasonReleasing         = "Releasing"
	FedHPAReasonReleased          = "Released"
	FedHPAReasonTargetNotFound    = "TargetNotFound"
	FedHPAReasonTargetNotScalable = "TargetNotScalable"
	FedHPAReasonTargetKindUnknown = "TargetKindUnknown"
	FedHPAReasonTargetForbidden   = "TargetForbidden"
	FedHPAReasonNotPropagated     = "TargetNotPropagated"
	FedHPAReasonNotDivided        = "PlacementNotDivided"
	FedHPAReasonSecondAutoscaler  = "SecondAutoscaler"
	FedHPAReasonNotScheduled      = "TargetNotScheduled"
	FedHPAReasonInvalidBounds     = "InvalidBounds"
	FedHPAReasonUnknownClusters   = "UnknownClusters"
	FedHPAReasonBooksAgree        = "BooksAgree"
	FedHPAReasonSyncing           = "Syncing"
	FedHPAReasonPushedBack        = "TemplatePushedBack"
	FedHPAReasonSchedulerBusy     = "SchedulerBusy"
	FedHPAReasonEvicting          = "Evicting"
	FedHPAReasonAdopting          = "AdoptingScheduling"
	FedHPAReasonOverwritten       = "SchedulingOverwritten"
	FedHPAReasonSufficient        = "Sufficient"
	FedHPAReasonMinUnplaced       = "MinReplicasDoNotFit"
	FedHPAReasonPodsPending       = "PodsPending"
	FedHPAReasonAllScaling        = "AllScaling"
	FedHPAReasonMemberUnreachable = "MemberUnreachable"
	FedHPAReasonMemberNotScaling  = "MemberNotScaling"
	FedHPAReasonMemberRefuses     = "MemberRefusesAutoscaler"
	FedHPAReasonSecondInMember    = "SecondAutoscalerInMember"
	FedHPAReasonMemberRunsMore    = "MemberRunsMore"
	FedHPAReasonHeld              = "DispatchingSuspended"
	FedHPAReasonDivided           = "Divided"
	FedHPAReasonSpecChanged       = "SpecChanged"
	FedHPAReasonBoundsChanged     = "BoundsChanged"
	FedHPAReasonClustersChanged   = "ClustersChanged"
	FedHPAReasonNearMax           = "ClusterNearMax"
	FedHPAReasonClusterFull       = "ClusterFull"
	FedHPAReasonWeightsMoved      = "WeightsMoved"
	FedHPAReasonRescheduled       = "RebalanceAsked"
	FedHPAReasonStandbyWoken      = "StandbyWoken"
	FedHPAReasonClusterEmptied    = "ClusterEmptied"
	FedHPAReasonAutoscalerEdited  = "AutoscalerEdited"
	FedHPAReasonReportDisagrees   = "ReportDisagrees"
	FedHPAReasonTakenOver         = "TakenOver"
	FedHPAReasonNameTaken         = "NameTaken"
	FedHPAReasonWriteFailed       = "WriteFailed"
	FedHPAReasonQuotaExceeded     = "QuotaExceeded"
	FedHPAReasonSuspended         = "Suspended"
	FedHPAReasonReadFailed        = "ReadFailed"
	// FedHPAReasonCutOff: a migration's rollback took the target out of the federation; nothing is written for it until it is adopted again.
	FedHPAReasonCutOff = "CutOff"
)

// FedHPAMostReplicas is the highest limit a FedHPA divides: the Maximum of its fields above, and of a CronHPA's rule aimed at it.
const FedHPAMostReplicas int32 = 100000

const (
	// FederateAnnotation, set to "true" on an autoscaling/v2 HorizontalPodAutoscaler of the control plane, makes it a FedHPA.
	FederateAnnotation = "fedhpa.argosy.dev/federate"
	// MetricScopeAnnotation on such an HPA is the FedHPA's spec.metricScope.
	MetricScopeAnnotation = "fedhpa.argosy.dev/metric-scope"
	// FedHPALedgerAnnotation on a ResourceBinding is the scheduling result FedHPA wrote last: "member1=9,member2=5".
	FedHPALedgerAnnotation = "fedhpa.argosy.dev/ledger"
	// FedHPALettingGoAnnotation on a ResourceBinding is the resourceVersion of the last template that bore Karmada's retain label: what
	// Karmada makes the binding from after that is its own.
	FedHPALettingGoAnnotation = "fedhpa.argosy.dev/letting-go"
	// FedHPARetainedByAnnotation on a template names the FedHPA that set Karmada's retain-replicas label there.
	FedHPARetainedByAnnotation = "fedhpa.argosy.dev/retained-by"
	// FedHPAOwnerAnnotation on a Work of a member's autoscaler is "<namespace>/<name>" of the FedHPA.
	FedHPAOwnerAnnotation = "fedhpa.argosy.dev/owner"
	// FedHPAManagedLabel marks the Works of members' autoscalers.
	FedHPAManagedLabel = "fedhpa.argosy.dev/managed"
	// FedHPAReleaseFinalizer keeps a FedHPA until its members' replicas are safely Karmada's again.
	FedHPAReleaseFinalizer = "fedhpa.argosy.dev/release"
)

// FedHPAList is a list of FedHPA.
//
// +kubebuilder:object:root=true
type FedHPAList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []FedHPA `json:"items"`
}
