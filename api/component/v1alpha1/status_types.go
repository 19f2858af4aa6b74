package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
)

// Endpoint is an address the component is reached at.
type Endpoint struct {
	// cluster the address belongs to. Set in the control plane only: a member does not know its own name.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Cluster string `json:"cluster,omitempty"`

	// type of the address.
	// +kubebuilder:validation:Enum=Service;Ingress;LoadBalancer;NodePort
	// +required
	Type EndpointType `json:"type"`

	// url of the address, for example http://demo.shop.svc:8080.
	// +kubebuilder:validation:MaxLength=2048
	// +required
	URL string `json:"url"`
}

// EndpointType is the kind of an address.
type EndpointType string

const (
	// EndpointService is the name of the Service inside the cluster.
	EndpointService EndpointType = "Service"
	// EndpointIngress is the host of the Ingress.
	EndpointIngress EndpointType = "Ingress"
	// EndpointLoadBalancer is the address of the load balancer.
	EndpointLoadBalancer EndpointType = "LoadBalancer"
	// EndpointNodePort is a port of the cluster's nodes.
	EndpointNodePort EndpointType = "NodePort"
)

// LoadBalancerIngress is one address of the load balancer.
type LoadBalancerIngress struct {
	// ip of the load balancer.
	// +kubebuilder:validation:MaxLength=45
	// +optional
	IP string `json:"ip,omitempty"`

	// hostname of the load balancer.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Hostname string `json:"hostname,omitempty"`
}

// LoadBalancerStatus is the load balancer of a Service of type LoadBalancer.
type LoadBalancerStatus struct {
	// ingress are its addresses; in the control plane, of all members.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=128
	// +optional
	Ingress []LoadBalancerIngress `json:"ingress,omitempty"`
}

// AppliedTemplate is a template the objects were rendered from.
type AppliedTemplate struct {
	// cluster the template belongs to. Set in the control plane only.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Cluster string `json:"cluster,omitempty"`

	// name of the template.
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`

	// generation of the template that was rendered.
	// +required
	Generation int64 `json:"generation"`
}

// TemplateRevision is a version of the templates and values of a cluster that speak of a component.
type TemplateRevision struct {
	// name of the ControllerRevision with its copy, in the member manager's namespace.
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`

	// applied is the revision of what was applied last; it follows name.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Applied string `json:"applied,omitempty"`

	// since when it has the revision, where a wave brought it and it changed what is rendered.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`

	// changed are the templates whose change the wave brought; an empty name is the renderer itself. A template that was deleted since,
	// or no longer matches, is found here alone.
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=atomic
	// +optional
	Changed []string `json:"changed,omitempty"`

	// brokenBefore is true of a component that did not serve when a wave brought the revision: it does not stop the wave.
	// +optional
	BrokenBefore bool `json:"brokenBefore,omitempty"`
}

// RenderedResource is an object that was rendered.
type RenderedResource struct {
	// cluster the object is in. Set in the control plane only.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Cluster string `json:"cluster,omitempty"`

	// apiVersion of the object.
	// +kubebuilder:validation:MaxLength=253
	// +required
	APIVersion string `json:"apiVersion"`

	// kind of the object.
	// +kubebuilder:validation:MaxLength=63
	// +required
	Kind string `json:"kind"`

	// name of the object.
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`

	// hash of what was applied last: while a change waits, or is refused, that of before.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Hash string `json:"hash,omitempty"`
}

// CanaryState is how far a canary step is.
// +kubebuilder:validation:Enum=Progressing;Paused;Completed
type CanaryState string

const (
	// CanaryProgressing is bringing the step's replicas up.
	CanaryProgressing CanaryState = "Progressing"
	// CanaryPaused waits after the step; this is healthy.
	CanaryPaused CanaryState = "Paused"
	// CanaryCompleted is done with all steps.
	CanaryCompleted CanaryState = "Completed"
)

// CanaryStatus is how far a canary change is. In the control plane it is the slowest member's.
type CanaryStatus struct {
	// step under way, from 1; 0 before the first.
	// +optional
	Step int32 `json:"step"`

	// state of that step.
	// +optional
	State CanaryState `json:"state,omitempty"`

	// change names the pods that are asked for. Another change begins at the first step.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Change string `json:"change,omitempty"`

	// since when all copies of the step serve.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`

	// before names the ControllerRevision with the pods of before, in the member manager's namespace: a workload that somebody deletes
	// while the change is under way is made again from it. Members only.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Before string `json:"before,omitempty"`
}

// Bounds of the lists a member reports and the federation unites; a union beyond its bound is cut.
const (
	// MaxEndpoints bounds status.endpoints.
	MaxEndpoints = 128
	// MaxLoadBalancerIngress bounds status.loadBalancer.ingress.
	MaxLoadBalancerIngress = 128
	// MaxTemplates bounds status.templates.
	MaxTemplates = 128
	// MaxRenderedResources bounds status.resources.
	MaxRenderedResources = 512
)

// ComponentStatus is what was observed: in a member by its controller, in the control plane the sum of members.
type ComponentStatus struct {
	// observedGeneration is the generation this status speaks of. In the control plane it moves when every member has
	// observed the current template.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// replicas that exist.
	// +optional
	Replicas int32 `json:"replicas"`

	// readyReplicas that answer their probe.
	// +optional
	ReadyReplicas int32 `json:"readyReplicas"`

	// updatedReplicas of the current revision.
	// +optional
	UpdatedReplicas int32 `json:"updatedReplicas"`

	// availableReplicas that have been ready long enough to serve.
	// +optional
	AvailableReplicas int32 `json:"availableReplicas"`

	// expectedUpdatedReplicas is how many should be of the current revision by now: all, or the canary step's.
	// +optional
	ExpectedUpdatedReplicas int32 `json:"expectedUpdatedReplicas"`

	// canaries is how many changes went through canary steps here, one after the other: each asks people anew, also where the same one was
	// undone before. Members only.
	// +optional
	Canaries int64 `json:"canaries,omitempty"`

	// currentRevision is the revision before the change; in the control plane, while any member still has it.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	CurrentRevision string `json:"currentRevision,omitempty"`

	// updateRevision is the revision of the change; in the control plane, as the members with the current template name it.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	UpdateRevision string `json:"updateRevision,omitempty"`

	// selector of the pods as a string, for the scale subresource.
	// +kubebuilder:validation:MaxLength=8192
	// +optional
	Selector string `json:"selector,omitempty"`

	// requests is what one replica of the rendered pod template takes from a node, summed as the scheduler sums it.
	// In the control plane it is the largest of the members: it stands in where spec.resources is silent.
	// +optional
	Requests ResourceAmounts `json:"requests,omitempty"`

	// endpoints the component is reached at.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=128
	// +optional
	Endpoints []Endpoint `json:"endpoints,omitempty"`

	// loadBalancer of a Service of type LoadBalancer.
	// +optional
	LoadBalancer LoadBalancerStatus `json:"loadBalancer,omitempty"`

	// templates the objects were rendered from.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=128
	// +optional
	Templates []AppliedTemplate `json:"templates,omitempty"`

	// controllerID of the manager that acts on the component, and no other does. Members only.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	ControllerID string `json:"controllerID,omitempty"`

	// nextControllerID of the manager that the label component.luojilab.com/controller-id names and that asks for the component: the one
	// that has it hands it over. Members only.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	NextControllerID string `json:"nextControllerID,omitempty"`

	// templateRevision is which version of the cluster's templates the objects are rendered from. Members only.
	// +optional
	TemplateRevision *TemplateRevision `json:"templateRevision,omitempty"`

	// resources that were rendered.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=512
	// +optional
	Resources []RenderedResource `json:"resources,omitempty"`

	// canary is how far a canary change is.
	// +optional
	Canary *CanaryStatus `json:"canary,omitempty"`

	// pendingApprovals are the canary steps that wait for a person.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +optional
	PendingApprovals []gatev1alpha1.PendingApproval `json:"pendingApprovals,omitempty"`

	// conditions: Rendered, Ready, Progressing, Degraded, Unmanaged, LoadBalancerReady.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
