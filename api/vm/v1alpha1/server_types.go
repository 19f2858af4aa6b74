package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
)

// ServerPhase is where a server is in its life.
// +kubebuilder:validation:Enum=Initializing;Deploying;Ready;Unknown;Offline
type ServerPhase string

const (
	// ServerInitializing is getting its machine or its environment.
	ServerInitializing ServerPhase = "Initializing"
	// ServerDeploying is getting its code.
	ServerDeploying ServerPhase = "Deploying"
	// ServerReady serves.
	ServerReady ServerPhase = "Ready"
	// ServerUnknown cannot be reached.
	ServerUnknown ServerPhase = "Unknown"
	// ServerOffline is out of service; it stays so until it is removed or a person overrides.
	ServerOffline ServerPhase = "Offline"
)

// DecidedBy says who put a server into its phase.
// +kubebuilder:validation:Enum=System;Human
type DecidedBy string

const (
	// DecidedBySystem follows from the facts.
	DecidedBySystem DecidedBy = "System"
	// DecidedByHuman follows from spec.override.
	DecidedByHuman DecidedBy = "Human"
)

// OverrideState is a state a person can put a server into. Unknown is none: it says what could not be seen.
// +kubebuilder:validation:Enum=Initializing;Deploying;Ready;Offline
type OverrideState string

// OverrideMode says how long a human decision holds.
// +kubebuilder:validation:Enum=Hold;Once
type OverrideMode string

const (
	// OverrideHold keeps the state until the override expires or is removed.
	OverrideHold OverrideMode = "Hold"
	// OverrideOnce puts the server into the state once; from there the system goes on by the facts.
	OverrideOnce OverrideMode = "Once"
)

// Override is a human decision. While it is live it is above every fact the system sees.
// +kubebuilder:validation:XValidation:rule="!has(self.expiresAt) || !has(self.at) || self.expiresAt > self.at",message="expiresAt must be later than the decision"
type Override struct {
	// state to put the server into.
	// +required
	State OverrideState `json:"state"`

	// mode Hold keeps the state; Once changes it one time, and automation goes on from there.
	// +kubebuilder:default=Hold
	// +optional
	Mode OverrideMode `json:"mode,omitempty"`

	// reason for those who read it later.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +required
	Reason string `json:"reason"`

	// expiresAt ends the override; without it a person must remove it.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// skipTasks of that state are not run.
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +optional
	SkipTasks []TaskType `json:"skipTasks,omitempty"`

	// by is who decided; the admission webhook writes it.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	By string `json:"by,omitempty"`

	// at is when; the admission webhook writes it.
	// +optional
	At *metav1.Time `json:"at,omitempty"`
}

// ServerSpec is what one server should be.
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.providerID) || (has(self.providerID) && self.providerID == oldSelf.providerID)",message="providerID is set once: a machine is replaced, never exchanged"
type ServerSpec struct {
	// providerID is the driver's name for the machine; set once, when the machine is made.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +optional
	ProviderID string `json:"providerID,omitempty"`

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

	// healthCheck of the service.
	// +optional
	HealthCheck *HealthCheck `json:"healthCheck,omitempty"`

	// gates stop the server before a stage until a person or a webhook opens them.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Gates []gatev1alpha1.Gate `json:"gates,omitempty"`

	// release is the code to run; VMDeployment writes it.
	// +optional
	Release *Release `json:"release,omitempty"`

	// trafficWeight is the weight in every pool while the server is under grey release; VMDeployment writes it. Without it each load
	// balancer's own weight holds.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +optional
	TrafficWeight *int32 `json:"trafficWeight,omitempty"`

	// offline takes the server out of service and then removes it.
	// +optional
	Offline bool `json:"offline,omitempty"`

	// paused starts no further task on the server.
	// +optional
	Paused bool `json:"paused,omitempty"`

	// approvals are the decisions taken at gates.
	// +listType=map
	// +listMapKey=gate
	// +listMapKey=operationID
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Approvals []gatev1alpha1.Approval `json:"approvals,omitempty"`

	// override is a human decision about the server's state.
	// +optional
	Override *Override `json:"override,omitempty"`
}

// ServerStatus is what was found on the machine and what is being done.
type ServerStatus struct {
	// observedGeneration is the generation this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// phase of the server's life.
	// +optional
	Phase ServerPhase `json:"phase,omitempty"`

	// decidedBy says whether facts or a person put it there.
	// +optional
	DecidedBy DecidedBy `json:"decidedBy,omitempty"`

	// machine is what the driver last said of it.
	// +optional
	Machine *MachineStatus `json:"machine,omitempty"`

	// creation records the making of the machine.
	// +optional
	Creation *Creation `json:"creation,omitempty"`

	// operation under way, or the last one.
	// +optional
	Operation *Operation `json:"operation,omitempty"`

	// overrideApplied is the time of the override of mode Once that was carried out.
	// +optional
	OverrideApplied *metav1.Time `json:"overrideApplied,omitempty"`

	// addresses of the machine.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Addresses []corev1.NodeAddress `json:"addresses,omitempty"`

	// packages found on the machine.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	// +optional
	Packages []InstalledPackage `json:"packages,omitempty"`

	// environmentHash is the hash of the environment found, compared with that of the spec.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	EnvironmentHash string `json:"environmentHash,omitempty"`

	// release found on the machine.
	// +optional
	Release *DeployedRelease `json:"release,omitempty"`

	// loadBalancers are the pools the server is in, was in or should come into, as they were last seen.
	// +listType=map
	// +listMapKey=driver
	// +listMapKey=pool
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	// +optional
	LoadBalancers []Attachment `json:"loadBalancers,omitempty"`

	// lastHeartbeatTime is when the machine was last heard of, written when that changes something and at most every 300 seconds.
	// +optional
	LastHeartbeatTime *metav1.Time `json:"lastHeartbeatTime,omitempty"`

	// tasks of the current phase, in order.
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Tasks []Task `json:"tasks,omitempty"`

	// pendingApprovals are the operations of this server that wait for a person.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +optional
	PendingApprovals []gatev1alpha1.PendingApproval `json:"pendingApprovals,omitempty"`

	// lock held on the machine.
	// +optional
	Lock *Lock `json:"lock,omitempty"`

	// conditions: Ready, Reachable, Healthy, Monitored, MonitoringNormal, AwaitingApproval, TaskBlocked, FailoverDue, Paused.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Server is one machine with its tasks, its lock and the human decisions about it. It exists in members only.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=srv,categories=argosy
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`,description="where it is in its life"
// +kubebuilder:printcolumn:name="DecidedBy",type=string,JSONPath=`.status.decidedBy`,description="facts, or a person"
// +kubebuilder:printcolumn:name="Release",type=string,JSONPath=`.status.release.version`,description="the code it runs"
// +kubebuilder:printcolumn:name="Machine",type=string,JSONPath=`.status.machine.state`,description="what the driver says of the machine"
// +kubebuilder:printcolumn:name="Waiting",type=string,JSONPath=`.status.conditions[?(@.type=="AwaitingApproval")].status`,description="whether a gate waits for a person"
// +kubebuilder:printcolumn:name="Blocked",type=string,JSONPath=`.status.conditions[?(@.type=="TaskBlocked")].status`,description="whether a task failed for good"
// +kubebuilder:printcolumn:name="Operation",type=string,JSONPath=`.status.operation.kind`,priority=1
// +kubebuilder:printcolumn:name="Heartbeat",type=date,JSONPath=`.status.lastHeartbeatTime`,description="when it was last heard of"
// +kubebuilder:printcolumn:name="ProviderID",type=string,JSONPath=`.spec.providerID`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Server struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the server should be.
	// +required
	Spec ServerSpec `json:"spec"`

	// status is what was found.
	// +optional
	Status ServerStatus `json:"status,omitempty"`
}

// ServerList is a list of Servers.
// +kubebuilder:object:root=true
type ServerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Server `json:"items"`
}
