package httpdriver

import corev1 "k8s.io/api/core/v1"

// What goes over the wire, as docs/reference/machines.openapi.yaml says; a server may use it too.

// SequenceHeader bears the sequence of the caller's lock.
const SequenceHeader = "Argosy-Sequence"

// Spec is the body of PUT.
type Spec struct {
	Owner     string            `json:"owner"`
	Name      string            `json:"name"`
	Class     string            `json:"class,omitempty"`
	Image     string            `json:"image"`
	Zone      string            `json:"zone,omitempty"`
	Network   string            `json:"network,omitempty"`
	Resources map[string]string `json:"resources,omitempty"`
	Params    map[string]string `json:"params,omitempty"`
	UserData  []byte            `json:"userData,omitempty"`
}

// Machine is the body of an answer.
type Machine struct {
	Key       string               `json:"key"`
	ID        string               `json:"id"`
	Owner     string               `json:"owner,omitempty"`
	Name      string               `json:"name,omitempty"`
	State     State                `json:"state"`
	BootID    string               `json:"bootID,omitempty"`
	Addresses []corev1.NodeAddress `json:"addresses,omitempty"`
	HostKeys  []string             `json:"hostKeys,omitempty"`
}

// State of a machine.
type State string

// The states that are known.
const (
	Creating State = "creating"
	Running  State = "running"
	Stopped  State = "stopped"
	Failed   State = "failed"
	Deleting State = "deleting"
)

// Page of a list.
type Page struct {
	Machines []Machine `json:"machines"`
	Next     string    `json:"next,omitempty"`
}

// Problem is the body of a refusal.
type Problem struct {
	Code    Code   `json:"code"`
	Key     string `json:"key,omitempty"`
	Message string `json:"message"`
}

// Code of a refusal.
type Code string

// The codes that are known.
const (
	NotFound Code = "MachineNotFound"
	Fenced   Code = "Fenced"
	Invalid  Code = "Invalid"
	Busy     Code = "Busy"
)
