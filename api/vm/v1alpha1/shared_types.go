package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
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

	// access is how packages and code reach the machine. Without it nothing but the machine itself can be delivered.
	// +optional
	Access *MachineAccess `json:"access,omitempty"`

	// userDataRef names the Secret whose key userData the machine is given at its first boot. It follows the VMReplicaSet to its members.
	// +optional
	UserDataRef *LocalReference `json:"userDataRef,omitempty"`

	// credentialsRef names the Secret with the driver's credentials.
	// +optional
	CredentialsRef *LocalReference `json:"credentialsRef,omitempty"`

	// params are passed to the driver as they are.
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	Params map[string]BoundedString `json:"params,omitempty"`
}

// MachineAccess is how a machine is logged into.
type MachineAccess struct {
	// user to log in as.
	// +kubebuilder:validation:Pattern=`^[a-z_][-a-z0-9_]*$`
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:default=root
	// +optional
	User string `json:"user,omitempty"`

	// port of SSH.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +kubebuilder:default=22
	// +optional
	Port int32 `json:"port,omitempty"`

	// privateKeyRef names the Secret whose key ssh-privatekey logs in (type kubernetes.io/ssh-auth). It follows the VMReplicaSet to its
	// members.
	// +required
	PrivateKeyRef LocalReference `json:"privateKeyRef"`
}

// MachineResources is a corev1.ResourceList of at most 16 resources.
// +kubebuilder:validation:MaxProperties=16
type MachineResources map[corev1.ResourceName]resource.Quantity

// BoundedString is a value of a parameter, of at most 4096 characters.
// +kubebuilder:validation:MaxLength=4096
type BoundedString string

// Built-in installers of packages.
const (
	// InstallerApt installs a Debian package.
	InstallerApt = "apt"
	// InstallerArchive unpacks an archive.
	InstallerArchive = "archive"
	// InstallerScript runs a script.
	InstallerScript = "script"
)

// Package is one piece of a machine's environment.
// +kubebuilder:validation:XValidation:rule="!has(self.source) || !(self.source.startsWith('http://') || self.source.startsWith('https://')) || has(self.checksum)",message="a source over http(s) needs a checksum"
// +kubebuilder:validation:XValidation:rule="!(self.installer in ['archive', 'script']) || has(self.source)",message="installers archive and script need a source"
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

	// installer puts the package onto the machine: apt, archive and script are built in.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:default=apt
	// +optional
	Installer string `json:"installer,omitempty"`

	// source is where the package comes from: the URL of an archive or a script, or the release of apt.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	Source string `json:"source,omitempty"`

	// checksum of what the source gives, as sha256:HEX or sha512:HEX; a machine refuses what does not match.
	// +kubebuilder:validation:Pattern=`^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$`
	// +kubebuilder:validation:MaxLength=135
	// +optional
	Checksum string `json:"checksum,omitempty"`

	// params are passed to the installer as they are.
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	Params map[string]BoundedString `json:"params,omitempty"`

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
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name"`

	// driver of the load balancer: service (EndpointSlices of a Service without selector; the default) and haproxy are built in.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:default=service
	// +optional
	Driver string `json:"driver,omitempty"`

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

	// drainSeconds a server that leaves the pool takes no new connections before it is detached.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	// +kubebuilder:default=30
	// +optional
	DrainSeconds *int32 `json:"drainSeconds,omitempty"`
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

	// port metrics are read at.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	Port int32 `json:"port,omitempty"`

	// path metrics are read at.
	// +kubebuilder:validation:Pattern=`^/`
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:default="/metrics"
	// +optional
	Path string `json:"path,omitempty"`

	// labels of the target.
	// +kubebuilder:validation:MaxProperties=32
	// +optional
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// alertQuery is the PromQL that must give nothing while the server is well.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	AlertQuery string `json:"alertQuery,omitempty"`
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

// GRPCCheck asks the gRPC health service; SERVING is healthy.
type GRPCCheck struct {
	// port to connect to.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +required
	Port int32 `json:"port"`

	// service to ask about; empty asks about the server as a whole.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Service string `json:"service,omitempty"`
}

// HealthCheck says how the server's service is probed.
// +kubebuilder:validation:XValidation:rule="[has(self.httpGet), has(self.tcpSocket), has(self.grpc)].filter(set, set).size() == 1",message="set exactly one of httpGet, tcpSocket and grpc"
// +kubebuilder:validation:XValidation:rule="self.timeoutSeconds <= self.periodSeconds",message="timeoutSeconds must not be longer than periodSeconds"
type HealthCheck struct {
	// httpGet probes over HTTP.
	// +optional
	HTTPGet *HTTPGetCheck `json:"httpGet,omitempty"`

	// tcpSocket probes by connecting.
	// +optional
	TCPSocket *TCPSocketCheck `json:"tcpSocket,omitempty"`

	// grpc probes by the gRPC health protocol.
	// +optional
	GRPC *GRPCCheck `json:"grpc,omitempty"`

	// startupSeconds a service may take to come up: failures before that do not count against a release.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	// +kubebuilder:default=60
	// +optional
	StartupSeconds *int32 `json:"startupSeconds,omitempty"`

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

// Bounds of the lists a member reports and the federation unites; gatev1alpha1.MaxPendingApprovals is another. A union beyond its bound
// is cut, and a condition says how many are not shown; the alternative is an apiserver that refuses the whole status.
const (
	// MaxFailedServers bounds status.failedServers.
	MaxFailedServers = 256
	// MaxAbandoned bounds status.abandoned.
	MaxAbandoned = 256
)
