package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LocalReference names an object of this namespace.
type LocalReference struct {
	// name of the object.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`
}

// MachineHosting says on whose capacity a machine runs.
// +kubebuilder:validation:Enum=External;Pod
type MachineHosting string

const (
	// HostedExternally is a machine of a cloud or of a bare-metal pool: it takes nothing from the member's nodes.
	HostedExternally MachineHosting = "External"
	// HostedInPod is a machine that runs in a pod (KubeVirt and the like): the federation's scheduler must
	// find room for it on the member's nodes.
	HostedInPod MachineHosting = "Pod"
)

// DriverKubeVirt is the machine driver whose machines always run in pods.
const DriverKubeVirt = "kubevirt"

// Machine describes the virtual machine itself.
// +kubebuilder:validation:XValidation:rule="self.driver != 'kubevirt' || self.hosting == 'Pod'",message="a kubevirt machine runs in a pod: set hosting: Pod"
// +kubebuilder:validation:XValidation:rule="self.hosting != 'Pod' || (has(self.resources) && 'cpu' in self.resources && 'memory' in self.resources)",message="hosting Pod needs resources.cpu and resources.memory, or the scheduler would take the machine for free"
type Machine struct {
	// driver makes and removes the machine, for example kubevirt, openstack or a company's own.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	// +required
	Driver string `json:"driver"`

	// hosting says whether the machine takes capacity of the member's own nodes.
	// +kubebuilder:default=External
	// +optional
	Hosting MachineHosting `json:"hosting,omitempty"`

	// class is the driver's size or flavour of machine, for example c6.xlarge.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Class string `json:"class,omitempty"`

	// image is what the machine boots from, in the driver's terms.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +required
	Image string `json:"image"`

	// zone is the failure domain of the machine. With hosting Pod it is the node label topology.kubernetes.io/zone.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Zone string `json:"zone,omitempty"`

	// network is the driver's network the machine is attached to.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Network string `json:"network,omitempty"`

	// resources is the size of the machine: cpu in cores, memory and ephemeral-storage in bytes, and extended
	// resources such as GPUs. It is what one machine takes from a node with hosting Pod.
	// +optional
	Resources MachineResources `json:"resources,omitempty"`

	// credentialsRef names the Secret with the driver's credentials.
	// +optional
	CredentialsRef *LocalReference `json:"credentialsRef,omitempty"`

	// params are passed to the driver as they are.
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	Params map[string]BoundedString `json:"params,omitempty"`
}

// MachineResources is a corev1.ResourceList of at most 16 resources.
// +kubebuilder:validation:MaxProperties=16
type MachineResources map[corev1.ResourceName]resource.Quantity

// BoundedString is a value of a parameter, of at most 4096 characters.
// +kubebuilder:validation:MaxLength=4096
type BoundedString string

// Package is one piece of a machine's environment.
type Package struct {
	// name of the package.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`

	// version to install; a change is delivered to running servers at the safe frequency.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +required
	Version string `json:"version"`

	// order of installation, lowest first; packages of equal order have no order among themselves.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	// +kubebuilder:default=0
	// +optional
	Order int32 `json:"order,omitempty"`

	// configMapRef names the ConfigMap with the package's settings. It follows the VMReplicaSet to its members.
	// +optional
	ConfigMapRef *LocalReference `json:"configMapRef,omitempty"`

	// secretRef names the Secret with the package's private settings. It follows the VMReplicaSet to its members.
	// +optional
	SecretRef *LocalReference `json:"secretRef,omitempty"`
}

// LoadBalancer is a pool the server is attached to while it serves.
type LoadBalancer struct {
	// name of this attachment, unique in the list.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name"`

	// pool of the load balancer, in its own terms.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Pool string `json:"pool"`

	// port the server listens on.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +required
	Port int32 `json:"port"`

	// weight of a fully attached server, 0 to 100. A server under grey release begins with less.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +kubebuilder:default=100
	// +optional
	Weight *int32 `json:"weight,omitempty"`
}

// Monitor is a monitoring template applied to the server while it serves.
type Monitor struct {
	// name of this monitor, unique in the list.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name"`

	// template of the monitoring system.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Template string `json:"template"`
}

// HTTPGetCheck asks the server's own HTTP endpoint; 200 to 399 is healthy.
type HTTPGetCheck struct {
	// path of the request.
	// +kubebuilder:validation:Pattern=`^/`
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:default="/"
	// +optional
	Path string `json:"path,omitempty"`

	// port of the request.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +required
	Port int32 `json:"port"`

	// scheme of the request.
	// +kubebuilder:validation:Enum=HTTP;HTTPS
	// +kubebuilder:default=HTTP
	// +optional
	Scheme corev1.URIScheme `json:"scheme,omitempty"`
}

// TCPSocketCheck opens a connection; an accepted one is healthy.
type TCPSocketCheck struct {
	// port to connect to.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +required
	Port int32 `json:"port"`
}

// HealthCheck says how the server's service is probed.
// +kubebuilder:validation:XValidation:rule="has(self.httpGet) != has(self.tcpSocket)",message="set exactly one of httpGet and tcpSocket"
// +kubebuilder:validation:XValidation:rule="self.timeoutSeconds <= self.periodSeconds",message="timeoutSeconds must not be longer than periodSeconds"
type HealthCheck struct {
	// httpGet probes over HTTP.
	// +optional
	HTTPGet *HTTPGetCheck `json:"httpGet,omitempty"`

	// tcpSocket probes by connecting.
	// +optional
	TCPSocket *TCPSocketCheck `json:"tcpSocket,omitempty"`

	// periodSeconds between two probes.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	// +kubebuilder:default=10
	// +optional
	PeriodSeconds int32 `json:"periodSeconds,omitempty"`

	// timeoutSeconds of one probe.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=600
	// +kubebuilder:default=3
	// +optional
	TimeoutSeconds int32 `json:"timeoutSeconds,omitempty"`

	// successThreshold is how many probes in a row make an unhealthy server healthy.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +kubebuilder:default=1
	// +optional
	SuccessThreshold int32 `json:"successThreshold,omitempty"`

	// failureThreshold is how many probes in a row make a healthy server unhealthy.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +kubebuilder:default=3
	// +optional
	FailureThreshold int32 `json:"failureThreshold,omitempty"`
}

// GateStage is the step a gate stands before.
// +kubebuilder:validation:Enum=Provision;Environment;Code;Online;Offline;Failover
type GateStage string

const (
	// StageProvision stands before a machine is made.
	StageProvision GateStage = "Provision"
	// StageEnvironment stands before packages of a running server change.
	StageEnvironment GateStage = "Environment"
	// StageCode stands before code is deployed.
	StageCode GateStage = "Code"
	// StageOnline stands before a server takes traffic.
	StageOnline GateStage = "Online"
	// StageOffline stands before a server is taken out for good.
	StageOffline GateStage = "Offline"
	// StageFailover stands before an unreachable server is given up.
	StageFailover GateStage = "Failover"
)

// GateMode says who opens a gate.
// +kubebuilder:validation:Enum=Manual;Webhook
type GateMode string

const (
	// GateManual is opened by an approval in the spec.
	GateManual GateMode = "Manual"
	// GateWebhook is opened by the answer of a webhook.
	GateWebhook GateMode = "Webhook"
)

// GateWebhookCall is the call that opens a gate of mode Webhook.
type GateWebhookCall struct {
	// url of the webhook; HTTPS only.
	// +kubebuilder:validation:Pattern=`^https://`
	// +kubebuilder:validation:MaxLength=2048
	// +required
	URL string `json:"url"`

	// caSecretRef names the Secret whose ca.crt verifies the webhook; the system's roots do when it is absent.
	// +optional
	CASecretRef *LocalReference `json:"caSecretRef,omitempty"`

	// timeoutSeconds of one call. A call that fails leaves the gate shut.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=30
	// +kubebuilder:default=10
	// +optional
	TimeoutSeconds int32 `json:"timeoutSeconds,omitempty"`
}

// Gate stops every server before one stage until it is opened.
// +kubebuilder:validation:XValidation:rule="(self.mode == 'Webhook') == has(self.webhook)",message="webhook is set exactly when mode is Webhook"
type Gate struct {
	// name of the gate, by which approvals speak of it.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name"`

	// stage the gate stands before.
	// +required
	Stage GateStage `json:"stage"`

	// mode says who opens it: a person's approval, or a webhook.
	// +kubebuilder:default=Manual
	// +optional
	Mode GateMode `json:"mode,omitempty"`

	// webhook is called with mode Webhook.
	// +optional
	Webhook *GateWebhookCall `json:"webhook,omitempty"`

	// notifyRef names the Secret that says whom to tell when the gate begins to wait. It follows to the members.
	// +optional
	NotifyRef *LocalReference `json:"notifyRef,omitempty"`
}

// ApprovalDecision is what a person said.
// +kubebuilder:validation:Enum=Approve;Reject
type ApprovalDecision string

const (
	// Approve opens the gate for the operation.
	Approve ApprovalDecision = "Approve"
	// Reject keeps it shut; the operation is given up.
	Reject ApprovalDecision = "Reject"
)

// Approval is a person's decision at one gate. It counts once, for one operation.
// +kubebuilder:validation:XValidation:rule="self.decision != 'Reject' || (has(self.reason) && size(self.reason) > 0)",message="a rejection needs a reason"
type Approval struct {
	// gate the decision is about.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	// +required
	Gate string `json:"gate"`

	// operationID is the waiting operation, as status.pendingApprovals shows it. It is unique in the federation,
	// so that one decision never opens the same gate of another server or of a later operation.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	OperationID string `json:"operationID"`

	// decision of the person.
	// +required
	Decision ApprovalDecision `json:"decision"`

	// reason for it, for those who read it later. A rejection needs one.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Reason string `json:"reason,omitempty"`

	// by is who decided; the admission webhook writes it and refuses another's name.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	By string `json:"by,omitempty"`

	// at is when; the admission webhook writes it.
	// +optional
	At *metav1.Time `json:"at,omitempty"`
}

// PendingApproval is an operation that waits at a gate.
type PendingApproval struct {
	// gate it waits at.
	// +kubebuilder:validation:MaxLength=63
	// +required
	Gate string `json:"gate"`

	// operationID to name in the approval.
	// +kubebuilder:validation:MaxLength=63
	// +required
	OperationID string `json:"operationID"`

	// server the operation is about.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Server string `json:"server,omitempty"`

	// cluster the server runs in. Set in the control plane only: a member does not know its own name.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Cluster string `json:"cluster,omitempty"`

	// since when it waits.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
}

// Release is the code to run.
type Release struct {
	// version of the code.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +required
	Version string `json:"version"`

	// artifact is where the code is fetched from.
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	Artifact string `json:"artifact,omitempty"`

	// checksum of the artifact, as sha256:HEX or sha512:HEX; a server refuses code that does not match.
	// +kubebuilder:validation:Pattern=`^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$`
	// +kubebuilder:validation:MaxLength=135
	// +optional
	Checksum string `json:"checksum,omitempty"`

	// system that deploys the code on a server.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	// +optional
	System string `json:"system,omitempty"`

	// params are passed to that system as they are.
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	Params map[string]BoundedString `json:"params,omitempty"`
}

// Bounds of the lists a member reports and the federation unites. A union beyond its bound is cut, and the
// condition AwaitingApproval (or Stalled) says how many are not shown; the alternative is an apiserver that refuses
// the whole status.
const (
	// MaxPendingApprovals bounds status.pendingApprovals.
	MaxPendingApprovals = 256
	// MaxFailedServers bounds status.failedServers.
	MaxFailedServers = 256
)
