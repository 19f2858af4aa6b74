package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
)

// WorkloadType is the kind of workload that is rendered.
// +kubebuilder:validation:Enum=Deployment;StatefulSet
type WorkloadType string

const (
	// WorkloadDeployment renders a Deployment: replicas are alike.
	WorkloadDeployment WorkloadType = "Deployment"
	// WorkloadStatefulSet renders a StatefulSet: each replica has a name and storage of its own.
	WorkloadStatefulSet WorkloadType = "StatefulSet"
)

// ServiceType is the type of the rendered Service, or the name of a load balancer provider.
// +kubebuilder:validation:MaxLength=127
// +kubebuilder:validation:XValidation:rule="self in ['ClusterIP', 'NodePort', 'LoadBalancer', 'None'] || (self.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && !(self in ['clusterip', 'nodeport', 'loadbalancer', 'none', 'externalname']))",message="svc.type must be ClusterIP, NodePort, LoadBalancer, None, or the name of a load balancer provider such as aliyun-slb"
type ServiceType string

const (
	// ServiceClusterIP is reachable inside the cluster.
	ServiceClusterIP ServiceType = "ClusterIP"
	// ServiceNodePort is reachable on a port of each node; each cluster allocates its own.
	ServiceNodePort ServiceType = "NodePort"
	// ServiceLoadBalancer is reachable by an address of its own, from the cluster's own provider.
	ServiceLoadBalancer ServiceType = "LoadBalancer"
	// ServiceNone renders no Service.
	ServiceNone ServiceType = "None"
)

// ServiceSpec says how the component is reached.
type ServiceSpec struct {
	// type of the Service: ClusterIP, NodePort, LoadBalancer or None. Any other value, such as aliyun-slb, is the load
	// balancer provider: the Service is of type LoadBalancer with that loadBalancerClass, and no other provider acts on it.
	// +kubebuilder:default=ClusterIP
	// +optional
	Type ServiceType `json:"type,omitempty"`
}

// IngressSpec says under which name the component is reached from outside.
type IngressSpec struct {
	// host of the Ingress.
	// +kubebuilder:validation:Pattern=`^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +kubebuilder:validation:MaxLength=253
	// +required
	Host string `json:"host"`

	// path prefix of the Ingress.
	// +kubebuilder:validation:Pattern=`^/`
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:default="/"
	// +optional
	Path string `json:"path,omitempty"`
}

// ComponentSpec is what a developer asks. Five fields are enough: workloadType, developLanguage, runType, image, port.
// +kubebuilder:validation:XValidation:rule="!has(self.ingress) || !has(self.svc) || self.svc.type != 'None'",message="ingress needs a Service: svc.type must not be None"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.adopt) || (has(self.adopt) && self.adopt == oldSelf.adopt)",message="adopt is set once: other names would be other objects"
type ComponentSpec struct {
	// workloadType is the kind of workload to render. It cannot be changed: the kind holds the pods.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="workloadType is immutable: make another Component and move the traffic"
	// +required
	WorkloadType WorkloadType `json:"workloadType"`

	// developLanguage selects the templates, for example go, java or python.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	// +required
	DevelopLanguage string `json:"developLanguage"`

	// runType selects the templates within the language, for example server, worker or consumer.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	// +required
	RunType string `json:"runType"`

	// image of the main container.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +required
	Image string `json:"image"`

	// port the main container listens on.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +required
	Port int32 `json:"port"`

	// replicas over all members.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:default=1
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`

	// resources of the main container. Where it is silent the templates decide, and status.requests reports what
	// one replica then takes.
	// +optional
	Resources Resources `json:"resources,omitempty"`

	// env of the main container.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	// +optional
	Env []corev1.EnvVar `json:"env,omitempty"`

	// envFrom of the main container. The named ConfigMaps and Secrets follow the component to its members.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +optional
	EnvFrom []corev1.EnvFromSource `json:"envFrom,omitempty"`

	// svc says how the component is reached.
	// +kubebuilder:default={type: ClusterIP}
	// +optional
	Svc ServiceSpec `json:"svc,omitempty"`

	// ingress says under which name it is reached from outside. Without it there is no Ingress.
	// +optional
	Ingress *IngressSpec `json:"ingress,omitempty"`

	// strategy says in which steps a change reaches the replicas.
	// +kubebuilder:default={type: Rolling}
	// +optional
	Strategy Strategy `json:"strategy,omitempty"`

	// approvals are what people decided about canary steps: status.pendingApprovals names those that wait.
	// +listType=map
	// +listMapKey=gate
	// +listMapKey=operationID
	// +kubebuilder:validation:MaxItems=256
	// +optional
	Approvals []gatev1alpha1.Approval `json:"approvals,omitempty"`

	// patches change rendered objects where five fields do not suffice, in order. The main container's name is main, or
	// what adopt.container says.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Patches []Patch `json:"patches,omitempty"`

	// adopt names the objects of a service that runs already, so that the rendered ones are those. It is set once.
	// +optional
	Adopt *Adopt `json:"adopt,omitempty"`
}

// Adopt names the objects of a service that runs already.
type Adopt struct {
	// workload is the name of the Deployment or StatefulSet.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Workload string `json:"workload"`

	// selector is the matchLabels of its selector, which cannot be changed: the pods get these labels and no others, and
	// the Service selects by them.
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	// +required
	Selector map[string]string `json:"selector"`

	// container is the name of the main container in it.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:default=main
	// +optional
	Container string `json:"container,omitempty"`

	// service is the name of the Service; by default the component's.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Service string `json:"service,omitempty"`

	// ingress is the name of the Ingress; by default the component's.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Ingress string `json:"ingress,omitempty"`
}

// Resources of the main container.
type Resources struct {
	// requests that a node must have free.
	// +optional
	Requests ResourceAmounts `json:"requests,omitempty"`

	// limits that the container must not exceed. A resource without a request requests its limit.
	// +optional
	Limits ResourceAmounts `json:"limits,omitempty"`
}

// PatchTargetKind is a kind of rendered object.
// +kubebuilder:validation:Enum=Deployment;StatefulSet;Service;Ingress
type PatchTargetKind string

// PatchTarget names a rendered object.
type PatchTarget struct {
	// kind of the object.
	// +required
	Kind PatchTargetKind `json:"kind"`

	// name of the object; empty is the one object of that kind.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Name string `json:"name,omitempty"`
}

// Patch changes one rendered object. What a patched pod template needs (ConfigMaps, Secrets, volumes, pull secrets,
// node selectors, tolerations, resources) is seen by the federation as if it were a field.
type Patch struct {
	// target of the patch.
	// +required
	Target PatchTarget `json:"target"`

	// patch is a strategic merge patch of the target, as an object.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	// +required
	Patch runtime.RawExtension `json:"patch"`
}

// Component is a service in five fields, rendered in each member from that cluster's templates.
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:resource:shortName=cpt,categories=argosy
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.workloadType`,description="the workload rendered"
// +kubebuilder:printcolumn:name="Language",type=string,JSONPath=`.spec.developLanguage`,description="selects the templates"
// +kubebuilder:printcolumn:name="Desired",type=integer,JSONPath=`.spec.replicas`,description="replicas asked for"
// +kubebuilder:printcolumn:name="Updated",type=integer,JSONPath=`.status.updatedReplicas`,description="replicas of the current revision"
// +kubebuilder:printcolumn:name="Available",type=integer,JSONPath=`.status.availableReplicas`,description="replicas that serve"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,description="why it is ready, or what is in the way"
// +kubebuilder:printcolumn:name="Degraded",type=string,JSONPath=`.status.conditions[?(@.type=="Degraded")].status`,description="fewer serve than are asked for, or the copies of a change do not come up"
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=`.status.endpoints[0].url`,priority=1,description="where it is reached inside the cluster"
// +kubebuilder:printcolumn:name="Image",type=string,JSONPath=`.spec.image`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Component struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what a developer asks.
	// +required
	Spec ComponentSpec `json:"spec"`

	// status is what was observed.
	// +optional
	Status ComponentStatus `json:"status,omitempty"`
}

// Hub marks the version that others are converted to and from: the one that is stored.
func (*Component) Hub() {}

// ComponentList is a list of Components.
// +kubebuilder:object:root=true
type ComponentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Component `json:"items"`
}
