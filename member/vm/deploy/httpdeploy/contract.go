package httpdeploy

import corev1 "k8s.io/api/core/v1"

// What goes over the wire, as docs/reference/deployments.openapi.yaml says; a server may use it too.

// Deployment is the body of POST.
type Deployment struct {
	// Server is namespace/name; Machine is the key its IaaS knows it by.
	Server    string               `json:"server"`
	Machine   string               `json:"machine"`
	Addresses []corev1.NodeAddress `json:"addresses,omitempty"`
	// Sequence of the caller's lock: what a machine has seen a higher one for, is refused.
	Sequence int64             `json:"sequence"`
	Version  string            `json:"version"`
	Artifact string            `json:"artifact,omitempty"`
	Checksum string            `json:"checksum,omitempty"`
	Params   map[string]string `json:"params,omitempty"`
}

// Status is the body of an answer.
type Status struct {
	ID      string `json:"id"`
	State   State  `json:"state"`
	Message string `json:"message,omitempty"`
}

// State of a deployment.
type State string

// The states that are known.
const (
	Running   State = "running"
	Succeeded State = "succeeded"
	Failed    State = "failed"
)

// Problem is the body of a refusal.
type Problem struct {
	Code    Code   `json:"code"`
	ID      string `json:"id,omitempty"`
	Message string `json:"message"`
}

// Code of a refusal.
type Code string

// The codes that are known.
const (
	NotFound Code = "DeploymentNotFound"
	Fenced   Code = "Fenced"
	Invalid  Code = "Invalid"
	Busy     Code = "Busy"
)
