package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// TemplateLevel is how special a template is. Templates are laid over each other in this order; the later has the last word.
// +kubebuilder:validation:Enum=Cluster;WorkloadType;Language;RunType
type TemplateLevel string

// The levels in their order.
const (
	// LevelCluster is what every component of the cluster gets.
	LevelCluster TemplateLevel = "Cluster"
	// LevelWorkloadType is what a Deployment or a StatefulSet gets.
	LevelWorkloadType TemplateLevel = "WorkloadType"
	// LevelLanguage is what a development language gets.
	LevelLanguage TemplateLevel = "Language"
	// LevelRunType is what a run type gets.
	LevelRunType TemplateLevel = "RunType"
)

// TemplateMatch selects components. What is empty matches all; what is not must all match.
type TemplateMatch struct {
	// workloadTypes the template is for.
	// +listType=set
	// +kubebuilder:validation:MaxItems=2
	// +optional
	WorkloadTypes []WorkloadType `json:"workloadTypes,omitempty"`

	// languages the template is for: values of developLanguage.
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +optional
	Languages []string `json:"languages,omitempty"`

	// runTypes the template is for: values of runType.
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +optional
	RunTypes []string `json:"runTypes,omitempty"`

	// componentSelector selects components by their labels.
	// +optional
	ComponentSelector *metav1.LabelSelector `json:"componentSelector,omitempty"`
}

// TemplateObjectKind is a kind a template may speak of. All are namespaced, and none gives rights.
// +kubebuilder:validation:Enum=Deployment;StatefulSet;Service;Ingress;ConfigMap;HorizontalPodAutoscaler;PodDisruptionBudget;ServiceAccount
type TemplateObjectKind string

// TemplateObject is what a template says of one object.
// +kubebuilder:validation:XValidation:rule="!has(self.name) || !(self.kind in ['Deployment', 'StatefulSet'])",message="name cannot be given for a Deployment or StatefulSet: a component has one workload"
type TemplateObject struct {
	// kind of the object. A Deployment or StatefulSet is the component's workload and speaks to components of that
	// workload type alone; a Service or Ingress without a name is the component's own, where it has one.
	// +required
	Kind TemplateObjectKind `json:"kind"`

	// name of the object, with variables; by default the component's.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Name string `json:"name,omitempty"`

	// object is a part of it, merged as a strategic merge patch: apiVersion, kind, name and namespace are known. In its
	// strings $(component.name), namespace, image, port, language, runType and replicas, and $(cluster.KEY) are filled in.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	// +required
	Object runtime.RawExtension `json:"object"`
}

// Wave is the pace at which a changed template reaches the components whose objects it changes.
type Wave struct {
	// canarySelector selects the components that come first, by their labels.
	// +optional
	CanarySelector *metav1.LabelSelector `json:"canarySelector,omitempty"`

	// batchPercents are the shares of the components that have the change after each batch, rising to 100.
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=100
	// +kubebuilder:validation:XValidation:rule="self.isSorted() && self[self.size() - 1] == 100",message="batchPercents must rise and end at 100"
	// +kubebuilder:default={1,10,50,100}
	// +optional
	BatchPercents []int32 `json:"batchPercents,omitempty"`

	// intervalSeconds between two batches.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	// +kubebuilder:default=60
	// +optional
	IntervalSeconds *int32 `json:"intervalSeconds,omitempty"`

	// maxDegraded is how many components with the change may be Degraded before the wave stops.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:default=0
	// +optional
	MaxDegraded *int32 `json:"maxDegraded,omitempty"`
}

// ComponentTemplateSpec is what a cluster adds to components.
// +kubebuilder:validation:XValidation:rule="self.level != 'WorkloadType' || (has(self.match) && has(self.match.workloadTypes) && size(self.match.workloadTypes) > 0)",message="a template of level WorkloadType must name match.workloadTypes"
// +kubebuilder:validation:XValidation:rule="self.level != 'Language' || (has(self.match) && has(self.match.languages) && size(self.match.languages) > 0)",message="a template of level Language must name match.languages"
// +kubebuilder:validation:XValidation:rule="self.level != 'RunType' || (has(self.match) && has(self.match.runTypes) && size(self.match.runTypes) > 0)",message="a template of level RunType must name match.runTypes"
type ComponentTemplateSpec struct {
	// level of the template: how special it is.
	// +required
	Level TemplateLevel `json:"level"`

	// match selects the components it speaks of.
	// +optional
	Match TemplateMatch `json:"match,omitempty"`

	// priority within the level: the higher has the last word. Of equal ones it is the later by name.
	// +kubebuilder:default=0
	// +optional
	Priority int32 `json:"priority,omitempty"`

	// objects the template speaks of, in order.
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +required
	Objects []TemplateObject `json:"objects"`

	// wave is the pace of a change of this template.
	// +optional
	Wave *Wave `json:"wave,omitempty"`
}

// WaveState is how far a change of a template is.
// +kubebuilder:validation:Enum=RollingOut;Stopped;RolledOut
type WaveState string

const (
	// WaveRollingOut has components that wait for their turn, or that are not well yet.
	WaveRollingOut WaveState = "RollingOut"
	// WaveStopped goes no further: components with the change do not serve, or some cannot be rendered from it.
	WaveStopped WaveState = "Stopped"
	// WaveRolledOut has reached every component.
	WaveRolledOut WaveState = "RolledOut"
)

// WaveStatus is how far the latest change is among the components of one controller.
type WaveStatus struct {
	// controllerID of the manager whose components these are.
	// +kubebuilder:validation:MaxLength=63
	// +required
	ControllerID string `json:"controllerID"`

	// state of the change.
	// +required
	State WaveState `json:"state"`

	// components whose objects the change makes others, with those that changes of other templates brought at once tie to them.
	// +optional
	Components int32 `json:"components"`

	// updated components have the change.
	// +optional
	Updated int32 `json:"updated"`

	// restarting is how many of the others will have their pods replaced.
	// +optional
	Restarting int32 `json:"restarting"`

	// failed components have the change and do not serve since.
	// +optional
	Failed int32 `json:"failed"`

	// message says what it waits for, and names components that failed.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Message string `json:"message,omitempty"`
}

// ComponentTemplateStatus is how far a change is; in members only.
type ComponentTemplateStatus struct {
	// waves by controller: one, but while a controller is upgraded in grey.
	// +listType=map
	// +listMapKey=controllerID
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Waves []WaveStatus `json:"waves,omitempty"`
}

// ComponentTemplate is what a cluster adds to the components it runs: by cluster, workload type, language and run type.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=cptt,categories=argosy
// +kubebuilder:printcolumn:name="Level",type=string,JSONPath=`.spec.level`,description="how special the template is"
// +kubebuilder:printcolumn:name="Priority",type=integer,JSONPath=`.spec.priority`,description="within the level; the higher has the last word"
// +kubebuilder:printcolumn:name="Languages",type=string,JSONPath=`.spec.match.languages`,description="languages it is for; empty is all"
// +kubebuilder:printcolumn:name="RunTypes",type=string,JSONPath=`.spec.match.runTypes`,description="run types it is for; empty is all"
// +kubebuilder:printcolumn:name="Kinds",type=string,JSONPath=`.spec.objects[*].kind`,description="kinds of objects it speaks of"
// +kubebuilder:printcolumn:name="Wave",type=string,JSONPath=`.status.waves[*].state`,description="how far the latest change is, in a member"
// +kubebuilder:printcolumn:name="Updated",type=string,JSONPath=`.status.waves[*].updated`,description="components that have the latest change",priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ComponentTemplate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the cluster adds.
	// +required
	Spec ComponentTemplateSpec `json:"spec"`

	// status is how far the latest change is.
	// +optional
	Status ComponentTemplateStatus `json:"status,omitempty"`
}

// ComponentTemplateList is a list of ComponentTemplates.
// +kubebuilder:object:root=true
type ComponentTemplateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ComponentTemplate `json:"items"`
}
