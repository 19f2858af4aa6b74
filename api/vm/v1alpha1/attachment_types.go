package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AttachmentState is what a load balancer's pool shows of a server.
// +kubebuilder:validation:Enum=Attaching;Attached;Draining;Detached
type AttachmentState string

const (
	// Attaching is written before the pool is asked to take the server: it may be in it by now.
	Attaching AttachmentState = "Attaching"
	// Attached is in the pool, with its weight.
	Attached AttachmentState = "Attached"
	// Draining is in the pool and gets no new connections.
	Draining AttachmentState = "Draining"
	// Detached is not in the pool.
	Detached AttachmentState = "Detached"
)

// Attachment is what was last seen of a server in a pool.
type Attachment struct {
	// name of the attachment, that of the load balancer in the spec.
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name"`

	// driver of the load balancer.
	// +kubebuilder:validation:MaxLength=63
	// +required
	Driver string `json:"driver"`

	// pool of the load balancer.
	// +kubebuilder:validation:MaxLength=253
	// +required
	Pool string `json:"pool"`

	// state that the pool shows.
	// +required
	State AttachmentState `json:"state"`

	// address that is in the pool.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Address string `json:"address,omitempty"`

	// port that is in the pool.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=65535
	// +optional
	Port int32 `json:"port,omitempty"`

	// weight in the pool, 0 to 100.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +optional
	Weight *int32 `json:"weight,omitempty"`

	// since when the state is what it is.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`

	// message says what stands in the way of what the server's tasks ask for.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
}
