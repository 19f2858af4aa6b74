package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
)

// Environment says how much an application matters. Environments are migrated in this order.
// +kubebuilder:validation:Enum=Test;PreRelease;Production
type Environment string

// The environments in their order.
const (
	EnvironmentTest       Environment = "Test"
	EnvironmentPreRelease Environment = "PreRelease"
	EnvironmentProduction Environment = "Production"
)

// Trigger says when an application is taken over.
// +kubebuilder:validation:Enum=Immediate;OnRelease
type Trigger string

const (
	// TriggerImmediate takes over as soon as the order, the approvals and the calendar allow it.
	TriggerImmediate Trigger = "Immediate"
	// TriggerOnRelease waits for the application's next static release, then takes over what it left.
	TriggerOnRelease Trigger = "OnRelease"
)

// OnFailure says what happens to an application whose take-over went wrong.
// +kubebuilder:validation:Enum=Rollback;Pause
type OnFailure string

const (
	// OnFailureRollback cuts the application off: it goes on under static management.
	OnFailureRollback OnFailure = "Rollback"
	// OnFailurePause leaves everything where it is and waits for a person.
	OnFailurePause OnFailure = "Pause"
)

// Mode runs or pauses a whole whitelist.
// +kubebuilder:validation:Enum=Run;Pause
type Mode string

const (
	// ModeRun lets applications advance.
	ModeRun Mode = "Run"
	// ModePause starts no take-over and opens no further cluster. A rollback is never paused.
	ModePause Mode = "Pause"
)

// WorkloadReference names a workload within a namespace.
type WorkloadReference struct {
	// apiVersion of the workload, such as apps/v1 or apps.kruise.io/v1alpha1.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	APIVersion string `json:"apiVersion"`
	// kind of the workload, such as Deployment or CloneSet.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// name of the workload.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// WhitelistEntry is one application that may be federated.
type WhitelistEntry struct {
	// namespace of the application, the same in every cluster.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`
	// WorkloadReference is the application's main object. Everything it needs is found from it.
	WorkloadReference `json:",inline"`
	// environment decides the order: Test, then PreRelease, then Production.
	Environment Environment `json:"environment"`
	// trigger says when the take-over starts.
	// +kubebuilder:default=Immediate
	// +optional
	Trigger Trigger `json:"trigger,omitempty"`
	// clusters the application must be found in. Empty: every joined cluster that runs it.
	// +listType=set
	// +kubebuilder:validation:MaxItems=100
	// +optional
	Clusters []string `json:"clusters,omitempty"`
}

// HealthGate is what must hold while an application soaks.
type HealthGate struct {
	// maxUnavailable pods of the workload in each cluster, a number or a percentage of its replicas.
	// +kubebuilder:default=0
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 0 : self.matches('^([0-9]|[1-9][0-9]|100)%$')",message="maxUnavailable is a number of pods of at least 0, or a percentage from 0% to 100%"
	// +optional
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`
	// prometheus is asked as well, when set.
	// +optional
	Prometheus *gatev1alpha1.PrometheusGate `json:"prometheus,omitempty"`
}

// MigrationStrategy is the care with which the entries are taken over.
type MigrationStrategy struct {
	// batchWeights divide the entries of one environment, in their order, into batches: 1:2:7 takes a
	// tenth, then two tenths, then the rest. A batch begins when the one before has soaked.
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=1000
	// +kubebuilder:default={1,2,7}
	// +optional
	BatchWeights []int32 `json:"batchWeights,omitempty"`
	// soakSeconds an application is watched after its last cluster opened, before it counts as federated.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	// +kubebuilder:default=300
	// +optional
	SoakSeconds *int32 `json:"soakSeconds,omitempty"`
	// requiredApprovals of one plan, by as many different people.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	// +kubebuilder:default=2
	// +optional
	RequiredApprovals *int32 `json:"requiredApprovals,omitempty"`
	// stepTimeoutSeconds after which a cluster that was opened and has not taken the application over
	// counts as failed.
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=86400
	// +kubebuilder:default=600
	// +optional
	StepTimeoutSeconds *int32 `json:"stepTimeoutSeconds,omitempty"`
	// health must hold from the first opened cluster to the end of the soak.
	// +kubebuilder:default={maxUnavailable: 0}
	// +optional
	Health HealthGate `json:"health,omitempty"`
	// freezeWindows in which no cluster is opened.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=50
	// +optional
	FreezeWindows []gatev1alpha1.FreezeWindow `json:"freezeWindows,omitempty"`
	// onFailure says what happens to an application whose take-over went wrong.
	// +kubebuilder:default=Rollback
	// +optional
	OnFailure OnFailure `json:"onFailure,omitempty"`
}

// MigrationWhitelistSpec is the list and the care.
type MigrationWhitelistSpec struct {
	// entries are the applications that may be federated. Taking one off brings it back under static
	// management: nothing is deleted and nothing restarts.
	// +listType=map
	// +listMapKey=namespace
	// +listMapKey=kind
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=500
	// +optional
	Entries []WhitelistEntry `json:"entries,omitempty"`
	// strategy is the care with which they are taken over.
	// +kubebuilder:default={}
	// +optional
	Strategy MigrationStrategy `json:"strategy,omitempty"`
	// order that this whitelist is part of: whitelists that name the same one are one list, in the order of their names, and its
	// environments and batches go over the entries of all of them. They have the same batchWeights. Without a name a whitelist is an order
	// by itself.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Order string `json:"order,omitempty"`
	// mode Pause starts and opens nothing. Rollbacks go on.
	// +kubebuilder:default=Run
	// +optional
	Mode Mode `json:"mode,omitempty"`
}

// EnvironmentStatus counts the applications of one environment.
type EnvironmentStatus struct {
	// name of the environment.
	Name Environment `json:"name"`
	// batch under way, from 1; one more than batches when all are done.
	Batch int32 `json:"batch"`
	// batches the environment's entries are divided into.
	Batches int32 `json:"batches"`
	// applications listed.
	Applications int32 `json:"applications"`
	// federated of them.
	Federated int32 `json:"federated"`
	// failed of them: rolled back or stopped by a failure, waiting for a person.
	Failed int32 `json:"failed"`
}

// MigrationWhitelistStatus is what became of the list.
type MigrationWhitelistStatus struct {
	// observedGeneration is the spec's generation this status answers.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// environments in their order, over all whitelists of the same spec.order.
	// +listType=map
	// +listMapKey=name
	// +optional
	Environments []EnvironmentStatus `json:"environments,omitempty"`
	// carriedKinds are kinds beside the built-in ones whose objects may be published with a federated application, as
	// argosy-controller-manager is configured: networking.k8s.io/v1/NetworkPolicy.
	// +listType=set
	// +optional
	CarriedKinds []string `json:"carriedKinds,omitempty"`
	// progress is a short sum for people, such as "Production 2/3, 7 of 20 federated".
	// +optional
	Progress string `json:"progress,omitempty"`
	// conditions: Progressing.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// MigrationWhitelist lists the applications that may be federated. Whoever may edit it decides who is.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=mwl,categories=argosy
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Progress",type=string,JSONPath=`.status.progress`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Progressing")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Progressing",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Progressing")].status`
// +kubebuilder:printcolumn:name="Why",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Progressing")].message`
type MigrationWhitelist struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec MigrationWhitelistSpec `json:"spec"`
	// +optional
	Status MigrationWhitelistStatus `json:"status,omitempty"`
}

// MigrationWhitelistList is a list of MigrationWhitelist.
// +kubebuilder:object:root=true
type MigrationWhitelistList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []MigrationWhitelist `json:"items"`
}
