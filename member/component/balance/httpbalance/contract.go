package httpbalance

// What goes over the wire, as docs/reference/loadbalancers.openapi.yaml says; a server may use it too.

// Spec is the body of PUT.
type Spec struct {
	Owner           string            `json:"owner"`
	Name            string            `json:"name"`
	Ports           []Port            `json:"ports"`
	Targets         []string          `json:"targets"`
	HealthCheckPort int32             `json:"healthCheckPort,omitempty"`
	SourceRanges    []string          `json:"sourceRanges,omitempty"`
	AffinitySeconds int32             `json:"affinitySeconds,omitempty"`
	Params          map[string]string `json:"params,omitempty"`
}

// Port of a load balancer.
type Port struct {
	Name     string `json:"name,omitempty"`
	Protocol string `json:"protocol"`
	Port     int32  `json:"port"`
	NodePort int32  `json:"nodePort"`
}

// LoadBalancer is the body of an answer.
type LoadBalancer struct {
	Key       string    `json:"key"`
	ID        string    `json:"id"`
	State     State     `json:"state"`
	Addresses []Address `json:"addresses,omitempty"`
	// HealthyTargets is absent where the system does not know.
	HealthyTargets *int32 `json:"healthyTargets,omitempty"`
	Message        string `json:"message,omitempty"`
}

// Address is one of the two.
type Address struct {
	IP       string `json:"ip,omitempty"`
	Hostname string `json:"hostname,omitempty"`
}

// State of a load balancer.
type State string

// The states that are known.
const (
	Creating State = "creating"
	Active   State = "active"
	Failed   State = "failed"
	Deleting State = "deleting"
)

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
	NotFound Code = "LoadBalancerNotFound"
	Invalid  Code = "Invalid"
	Busy     Code = "Busy"
)
