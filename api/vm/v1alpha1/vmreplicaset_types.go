package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
)

// TemplateMeta is the metadata each server gets.
type TemplateMeta struct {
	// labels of each server; the selector must match them.
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// annotations of each server.
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
}

// ServerTemplate describes each server of the set.
type ServerTemplate struct {
	// metadata of each server.
	// +optional
	Metadata TemplateMeta `json:"metadata,omitempty"`

	// spec of each server.
	// +required
	Spec ServerTemplateSpec `json:"spec"`
}

// ServerTemplateSpec is the environment of a server: everything but its code.
type ServerTemplateSpec struct {
	// machine to make.
	// +required
	Machine Machine `json:"machine"`

	// packages to install, lowest order first.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Packages []Package `json:"packages,omitempty"`

	// loadBalancers the server is attached to while it serves.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	// +optional
	LoadBalancers []LoadBalancer `json:"loadBalancers,omitempty"`

	// monitors applied to the server while it serves.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	// +optional
	Monitors []Monitor `json:"monitors,omitempty"`

	// healthCheck of the service. Without one a server is healthy when its tasks succeeded.
	// +optional
	HealthCheck *HealthCheck `json:"healthCheck,omitempty"`
}

// UpdateStrategyType says when a running server is changed.
// +kubebuilder:validation:Enum=RollingUpdate;OnDelete
type UpdateStrategyType string

const (
	// RollingUpdate changes running servers at the safe frequency.
	RollingUpdate UpdateStrategyType = "RollingUpdate"
	// OnDelete changes a server only when a person removes it.
	OnDelete UpdateStrategyType = "OnDelete"
)

// OnMachineChange says what a changed template.spec.machine does to servers that have theirs: a machine cannot be changed in place.
// +kubebuilder:validation:Enum=Hold;Replace
type OnMachineChange string

const (
	// MachineChangeHold keeps old machines; only new servers get the changed one.
	MachineChangeHold OnMachineChange = "Hold"
	// MachineChangeReplace replaces servers at the safe frequency.
	MachineChangeReplace OnMachineChange = "Replace"
)

// UpdateStrategy is the "safe frequency" at which environments change.
// +kubebuilder:validation:XValidation:rule="self.type == 'RollingUpdate' || !has(self.partition)",message="partition needs type RollingUpdate"
type UpdateStrategy struct {
	// type of the strategy.
	// +kubebuilder:default=RollingUpdate
	// +optional
	Type UpdateStrategyType `json:"type,omitempty"`

	// partition is how many servers keep the old environment: a number or a percentage over all members, which
	// the federation divides exactly. Default 0.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^(100|[0-9]{1,2})%$`
	// +kubebuilder:validation:XValidation:rule="type(self) == string || self >= 0",message="partition must be 0 or more, or a percentage"
	// +optional
	Partition *intstr.IntOrString `json:"partition,omitempty"`

	// maxUnavailable is how many servers may be out of service at a time: a number or a percentage over all members,
	// which the federation divides, but never to 0.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^(100|[1-9][0-9]?)%$`
	// +kubebuilder:validation:XValidation:rule="type(self) == string || self >= 1",message="maxUnavailable must be 1 or more, or a percentage above 0%: nothing would ever be updated"
	// +kubebuilder:default=1
	// +optional
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`

	// intervalSeconds between the end of one server's change and the start of the next.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	// +kubebuilder:default=0
	// +optional
	IntervalSeconds int32 `json:"intervalSeconds,omitempty"`

	// onMachineChange says what a changed template.spec.machine does to servers that have theirs.
	// +kubebuilder:default=Hold
	// +optional
	OnMachineChange OnMachineChange `json:"onMachineChange,omitempty"`
}

// FailoverPolicy says who decides that an unreachable server is given up.
// +kubebuilder:validation:Enum=Auto;Manual;Disabled
type FailoverPolicy string

const (
	// FailoverAuto gives it up within the budget.
	FailoverAuto FailoverPolicy = "Auto"
	// FailoverManual asks a person.
	FailoverManual FailoverPolicy = "Manual"
	// FailoverDisabled leaves it as it is.
	FailoverDisabled FailoverPolicy = "Disabled"
)

// OnUnrepairable says what follows a server that is given up.
// +kubebuilder:validation:Enum=Replace;Abandon
type OnUnrepairable string

const (
	// Replace makes a new server.
	Replace OnUnrepairable = "Replace"
	// Abandon runs with one server fewer; status.abandoned tells the control plane, which lowers that member's share and the template by it.
	Abandon OnUnrepairable = "Abandon"
)

// Fence says how sure one must be that a server that is given up no longer runs.
// +kubebuilder:validation:Enum=Required;BestEffort;Never
type Fence string

const (
	// FenceRequired waits until the driver confirmed that the machine is stopped.
	FenceRequired Fence = "Required"
	// FenceBestEffort asks the driver to stop it, and goes on when it cannot.
	FenceBestEffort Fence = "BestEffort"
	// FenceNever leaves the machine as it is.
	FenceNever Fence = "Never"
)

// RemovalPolicy says what becomes of the machines when their set is deleted in a member. Scaling in does not ask.
// +kubebuilder:validation:Enum=Approve;Delete;Keep
type RemovalPolicy string

const (
	// RemovalApprove keeps machines and servers until a person approves at the gate removal.
	RemovalApprove RemovalPolicy = "Approve"
	// RemovalDelete removes the machines.
	RemovalDelete RemovalPolicy = "Delete"
	// RemovalKeep lets the servers go and leaves the machines.
	RemovalKeep RemovalPolicy = "Keep"
)

// Failover says what happens to servers that cannot be reached.
type Failover struct {
	// policy says who decides. The default asks a person: a human decision is above everything.
	// +kubebuilder:default=Manual
	// +optional
	Policy FailoverPolicy `json:"policy,omitempty"`

	// unknownTimeoutSeconds a server may be unreachable before its failover is considered.
	// +kubebuilder:validation:Minimum=30
	// +kubebuilder:validation:Maximum=86400
	// +kubebuilder:default=300
	// +optional
	UnknownTimeoutSeconds int32 `json:"unknownTimeoutSeconds,omitempty"`

	// maxInFlight is how many servers of one member are failed over at a time.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +kubebuilder:default=1
	// +optional
	MaxInFlight int32 `json:"maxInFlight,omitempty"`

	// maxUnhealthy is how many servers of one member, as a number or a percentage, may be unhealthy for failover to
	// go on by itself: beyond it the fault is likely elsewhere, and RemediationAllowed turns False.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^(100|[0-9]{1,2})%$`
	// +kubebuilder:validation:XValidation:rule="type(self) == string || self >= 0",message="maxUnhealthy must be 0 or more, or a percentage"
	// +kubebuilder:default="40%"
	// +optional
	MaxUnhealthy *intstr.IntOrString `json:"maxUnhealthy,omitempty"`

	// onUnrepairable says what follows a server that is given up.
	// +kubebuilder:default=Replace
	// +optional
	OnUnrepairable OnUnrepairable `json:"onUnrepairable,omitempty"`

	// fence says how sure one must be that the old machine no longer runs before another takes its place.
	// +kubebuilder:default=BestEffort
	// +optional
	Fence Fence `json:"fence,omitempty"`
}

// VMReplicaSetSpec is what a person asks of a set of servers.
// +kubebuilder:validation:XValidation:rule="!has(self.selector.matchLabels) || (has(self.template.metadata) && has(self.template.metadata.labels) && self.selector.matchLabels.all(k, k in self.template.metadata.labels && self.template.metadata.labels[k] == self.selector.matchLabels[k]))",message="template.metadata.labels must match selector.matchLabels"
type VMReplicaSetSpec struct {
	// replicas is how many servers to keep, over all members.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:default=1
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`

	// selector finds the servers of this set. It cannot be changed.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="selector is immutable: make another VMReplicaSet"
	// +kubebuilder:validation:XValidation:rule="(has(self.matchLabels) && size(self.matchLabels) > 0) || (has(self.matchExpressions) && size(self.matchExpressions) > 0)",message="selector must not be empty: it would match every server"
	// +required
	Selector ServerSelector `json:"selector"`

	// minReadySeconds a server must be ready to count as available.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	// +kubebuilder:default=0
	// +optional
	MinReadySeconds int32 `json:"minReadySeconds,omitempty"`

	// paused holds every change of servers; failover goes on.
	// +optional
	Paused bool `json:"paused,omitempty"`

	// serversToDelete names servers to take out first when replicas shrink (stateful services name theirs). A name
	// leaves the list by itself when its server is gone. The list is each member's own: names are written in the member,
	// and those on the template in the control plane stay there.
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +optional
	ServersToDelete []string `json:"serversToDelete,omitempty"`

	// revisionHistoryLimit is how many old environments are kept for a rollback.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +kubebuilder:default=10
	// +optional
	RevisionHistoryLimit *int32 `json:"revisionHistoryLimit,omitempty"`

	// template of each server.
	// +required
	Template ServerTemplate `json:"template"`

	// updateStrategy is the frequency at which a changed template reaches running servers.
	// +kubebuilder:default={type: RollingUpdate}
	// +optional
	UpdateStrategy UpdateStrategy `json:"updateStrategy,omitempty"`

	// failover says what happens to servers that cannot be reached.
	// +kubebuilder:default={policy: Manual}
	// +optional
	Failover Failover `json:"failover,omitempty"`

	// removalPolicy says what becomes of the machines when this object is deleted in a member, by Karmada or by hand.
	// +kubebuilder:default=Approve
	// +optional
	RemovalPolicy RemovalPolicy `json:"removalPolicy,omitempty"`

	// gates stop every server before a stage until a person or a webhook opens them.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Gates []gatev1alpha1.Gate `json:"gates,omitempty"`

	// approvals are the decisions taken at gates.
	// +listType=map
	// +listMapKey=gate
	// +listMapKey=operationID
	// +kubebuilder:validation:MaxItems=256
	// +optional
	Approvals []gatev1alpha1.Approval `json:"approvals,omitempty"`
}

// ServerSelector finds servers by labels, as a label selector does, with bounds.
type ServerSelector struct {
	// matchLabels that a server must bear.
	// +kubebuilder:validation:MaxProperties=32
	// +optional
	MatchLabels map[string]LabelValue `json:"matchLabels,omitempty"`

	// matchExpressions that must hold for a server's labels.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +optional
	MatchExpressions []metav1.LabelSelectorRequirement `json:"matchExpressions,omitempty"`
}

// LabelValue is the value of a label.
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$`
type LabelValue string

// AbandonedServer is a server that was given up without replacement.
type AbandonedServer struct {
	// server that was given up.
	// +kubebuilder:validation:MaxLength=253
	// +required
	Server string `json:"server"`

	// cluster it ran in. Set in the control plane only: a member does not know its own name.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Cluster string `json:"cluster,omitempty"`

	// replicas is the member's spec.replicas when it was given up. With n entries of one number, replicas less n servers are kept, or
	// spec.replicas if that is lower: lowering it by n takes nothing twice. A higher spec.replicas makes the entries void.
	// +kubebuilder:validation:Minimum=0
	// +required
	Replicas int32 `json:"replicas"`

	// at is when.
	// +optional
	At *metav1.Time `json:"at,omitempty"`
}

// VMReplicaSetStatus is what was observed: in a member by its controller, in the control plane the sum of members.
type VMReplicaSetStatus struct {
	// observedGeneration is the generation this status speaks of. In the control plane it moves when every member has
	// observed the current template.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// replicas is how many servers exist and are not offline.
	// +optional
	Replicas int32 `json:"replicas"`

	// updatedReplicas is how many have the current environment.
	// +optional
	UpdatedReplicas int32 `json:"updatedReplicas"`

	// expectedUpdatedReplicas is how many should have it by now: all but the partition. A rollout that waits at its
	// partition is done when updatedReplicas reaches it.
	// +optional
	ExpectedUpdatedReplicas int32 `json:"expectedUpdatedReplicas"`

	// readyReplicas is how many serve.
	// +optional
	ReadyReplicas int32 `json:"readyReplicas"`

	// availableReplicas is how many have served for minReadySeconds.
	// +optional
	AvailableReplicas int32 `json:"availableReplicas"`

	// initializingReplicas is how many are getting their machine or environment.
	// +optional
	InitializingReplicas int32 `json:"initializingReplicas"`

	// deployingReplicas is how many are getting their code.
	// +optional
	DeployingReplicas int32 `json:"deployingReplicas"`

	// unknownReplicas is how many cannot be reached.
	// +optional
	UnknownReplicas int32 `json:"unknownReplicas"`

	// offlineReplicas is how many are out of service and about to be removed.
	// +optional
	OfflineReplicas int32 `json:"offlineReplicas"`

	// abandonedReplicas is how many were given up without replacement: the set runs with that many fewer.
	// +optional
	AbandonedReplicas int32 `json:"abandonedReplicas"`

	// abandoned are those servers, each with the replicas it was given up of.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +optional
	Abandoned []AbandonedServer `json:"abandoned,omitempty"`

	// heldReplicas is how many keep a machine of an older template, with onMachineChange Hold.
	// +optional
	HeldReplicas int32 `json:"heldReplicas"`

	// lastSlot is the highest number a server's name had, or was to have, in this member; numbers are not used again.
	// +optional
	LastSlot int64 `json:"lastSlot,omitempty"`

	// unmadeSlots are the numbers on record of servers that were not seen yet. They are made before any other, whoever leads: two that
	// make them at once make the same ones.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	// +optional
	UnmadeSlots []int64 `json:"unmadeSlots,omitempty"`

	// currentRevision is the environment that servers of the partition keep; in the control plane, while any member has it.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	CurrentRevision string `json:"currentRevision,omitempty"`

	// updateRevision is the environment servers are moved to; in the control plane, as the members with the current
	// template name it.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	UpdateRevision string `json:"updateRevision,omitempty"`

	// selector is spec.selector as a string, for the scale subresource.
	// +kubebuilder:validation:MaxLength=8192
	// +optional
	Selector string `json:"selector,omitempty"`

	// pendingApprovals are the operations that wait for a person, oldest first.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +optional
	PendingApprovals []gatev1alpha1.PendingApproval `json:"pendingApprovals,omitempty"`

	// conditions: Available, Progressing, ReplicaFailure, AwaitingApproval, RemediationAllowed, MachineChangeHeld, Paused.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// VMReplicaSet keeps a number of equal servers and delivers their environment.
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 52",message="metadata.name must be no more than 52 characters: each server's name is this one with a number, and a label holds it"
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:resource:shortName=vmrs,categories=argosy
// +kubebuilder:printcolumn:name="Desired",type=integer,JSONPath=`.spec.replicas`,description="servers asked for"
// +kubebuilder:printcolumn:name="Current",type=integer,JSONPath=`.status.replicas`,description="servers that exist"
// +kubebuilder:printcolumn:name="Updated",type=integer,JSONPath=`.status.updatedReplicas`,description="servers with the current environment"
// +kubebuilder:printcolumn:name="Ready",type=integer,JSONPath=`.status.readyReplicas`,description="servers that serve"
// +kubebuilder:printcolumn:name="Unknown",type=integer,JSONPath=`.status.unknownReplicas`,description="servers that cannot be reached"
// +kubebuilder:printcolumn:name="Waiting",type=string,JSONPath=`.status.conditions[?(@.type=="AwaitingApproval")].status`,description="whether a gate waits for a person"
// +kubebuilder:printcolumn:name="Abandoned",type=integer,JSONPath=`.status.abandonedReplicas`,priority=1,description="servers given up without replacement"
// +kubebuilder:printcolumn:name="Driver",type=string,JSONPath=`.spec.template.spec.machine.driver`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type VMReplicaSet struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what a person asks.
	// +required
	Spec VMReplicaSetSpec `json:"spec"`

	// status is what was observed.
	// +optional
	Status VMReplicaSetStatus `json:"status,omitempty"`
}

// VMReplicaSetList is a list of VMReplicaSets.
// +kubebuilder:object:root=true
type VMReplicaSetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []VMReplicaSet `json:"items"`
}
