package v1beta1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
)

// ServiceType is the type of the rendered Service.
// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer;None
type ServiceType string

// LoadBalancer is whose load balancer the component gets.
type LoadBalancer struct {
	// provider is the loadBalancerClass of a Service beside the component's own, on which no other provider acts. To change it is to switch:
	// the new load balancer is made, and the old one goes when the new one has its address.
	// +kubebuilder:validation:MaxLength=127
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:XValidation:rule="!(self in ['clusterip', 'nodeport', 'loadbalancer', 'none', 'externalname'])",message="provider is the name of a load balancer provider such as luoji-slb, and no type of a Service"
	// +required
	Provider string `json:"provider"`
}

// ServiceSpec says how the component is reached.
// +kubebuilder:validation:XValidation:rule="!has(self.loadBalancer) || self.type == 'LoadBalancer'",message="loadBalancer needs type LoadBalancer"
type ServiceSpec struct {
	// type of the Service: ClusterIP, NodePort, LoadBalancer or None.
	// +kubebuilder:default=ClusterIP
	// +optional
	Type ServiceType `json:"type,omitempty"`

	// loadBalancer names the provider; without it a Service of type LoadBalancer is for whichever the cluster has.
	// +optional
	LoadBalancer *LoadBalancer `json:"loadBalancer,omitempty"`
}

// ComponentSpec is what a developer asks. Five fields are enough: workloadType, developLanguage, runType, image, port.
// +kubebuilder:validation:XValidation:rule="!has(self.ingress) || !has(self.svc) || self.svc.type != 'None'",message="ingress needs a Service: svc.type must not be None"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.adopt) || (has(self.adopt) && self.adopt == oldSelf.adopt)",message="adopt is set once: other names would be other objects"
type ComponentSpec struct {
	// workloadType is the kind of workload to render. It cannot be changed: the kind holds the pods.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="workloadType is immutable: make another Component and move the traffic"
	// +required
	WorkloadType v1alpha1.WorkloadType `json:"workloadType"`

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
	Resources v1alpha1.Resources `json:"resources,omitempty"`

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
	Ingress *v1alpha1.IngressSpec `json:"ingress,omitempty"`

	// strategy says in which steps a change reaches the replicas.
	// +kubebuilder:default={type: Rolling}
	// +optional
	Strategy v1alpha1.Strategy `json:"strategy,omitempty"`

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
	Patches []v1alpha1.Patch `json:"patches,omitempty"`

	// adopt names the objects of a service that runs already, so that the rendered ones are those. It is set once.
	// +optional
	Adopt *v1alpha1.Adopt `json:"adopt,omitempty"`
}

// Component is a service in five fields, rendered in each member from that cluster's templates. It is stored as v1alpha1; argosyctl install
// member-manager makes a member serve this version too.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:unservedversion
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
	Status v1alpha1.ComponentStatus `json:"status,omitempty"`
}

// ComponentList is a list of Components.
// +kubebuilder:object:root=true
type ComponentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Component `json:"items"`
}
