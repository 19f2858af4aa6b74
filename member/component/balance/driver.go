package balance

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What a driver surely knows. Every other error means that it does not know: ask again later, and believe what was believed.
var (
	// ErrGone: there is no such load balancer, and none will be made under its key any more if it was ever removed. A proxy's "not found" is
	// no such answer.
	ErrGone = errors.New("there is no such load balancer")
	// ErrInvalid: the provider will never do this, however often it is asked.
	ErrInvalid = errors.New("refused for good")
)

// BusyError: the provider has no room, or another change is under way. It is neither a refusal nor an outage.
type BusyError struct {
	// After is when to ask again, as the provider said; 0: it did not say.
	After time.Duration
	// Said in its words.
	Said string
}

func (e *BusyError) Error() string { return fmt.Sprintf("not at this time: %s", e.Said) }

// Port that a load balancer listens at, and where nodes listen for it.
type Port struct {
	Name string
	// Protocol is TCP, UDP or SCTP.
	Protocol       string
	Port, NodePort int32
}

// Spec is what a load balancer is to be, the whole of it.
type Spec struct {
	// Owner is the member cluster's own identity.
	Owner string
	// Name is for people: namespace/name of the Service.
	Name  string
	Ports []Port
	// Targets are addresses of nodes, sorted.
	Targets []string
	// HealthCheckPort of the nodes answers GET /healthz with 200 where a copy runs; 0: whoever accepts a connection at a node port is well.
	HealthCheckPort int32
	// SourceRanges that may reach it, as CIDRs; empty: everybody.
	SourceRanges []string
	// AffinitySeconds is how long a client comes to the same target; 0: there is no such thing.
	AffinitySeconds int32
	// Params are the provider's own.
	Params map[string]string
}

// State of a load balancer.
type State string

// The states.
const (
	Creating State = "Creating"
	Active   State = "Active"
	Failed   State = "Failed"
	// Unknown is also every state that the driver does not know.
	Unknown State = "Unknown"
)

// Address is an IP or a host name, never both.
type Address struct{ IP, Hostname string }

// Balancer is what the provider says of one.
type Balancer struct {
	Key string
	// ID is the provider's own name for it.
	ID        string
	State     State
	Addresses []Address
	// Healthy is how many targets answer its health check; nil where the provider does not know.
	Healthy *int32
	// Message of the provider's, for people.
	Message string
}

// Driver of one provider. Every call may be repeated, and may have been carried out although it returned an error.
type Driver interface {
	// Ensure the load balancer of that key is as asked for, as far as it is by now. A key that was removed makes none again: ErrGone.
	Ensure(ctx context.Context, key string, spec Spec) (Balancer, error)
	// Get what there is. ErrGone is said after a strong read alone.
	Get(ctx context.Context, key string) (Balancer, error)
	// Delete it, whether or not there is one: nothing is made under this key any more. Get says when it is gone.
	Delete(ctx context.Context, key string) error
}
