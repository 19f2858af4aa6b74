package balance

import (
	"context"
	"errors"
)

// What a driver surely knows. Every other error means that it does not know: ask again later, and believe what was believed.
var (
	// ErrNoPool: the load balancer has no pool of that name.
	ErrNoPool = errors.New("there is no such pool")
	// ErrInvalid: the load balancer will never take this, however often it is asked.
	ErrInvalid = errors.New("refused for good")
)

// Pool is one pool, and whose members in it are meant: those of others are neither seen nor touched.
type Pool struct {
	// Namespace of the objects that speak of the pool.
	Namespace string
	// Name of the pool in the load balancer's own terms.
	Name string
	// Owner of the members.
	Owner string
	// Cluster whose owner that is: a load balancer outside may serve several, and one name is in each of them.
	Cluster string
}

// Member of a pool.
type Member struct {
	// ID is unique among its owner's members of the pool.
	ID string
	// Address is an IP address.
	Address string
	Port    int32
	// Weight, 0 to 100: beside a member of 100 one of 20 gets a fifth of what that gets, where the load balancer knows weights. With 0 it
	// gets nothing.
	Weight int32
	// Draining members get no new connections, and keep those they have.
	Draining bool
}

// Seen is what a pool shows of a member.
type Seen struct {
	Member
	// Mixed: the load balancer consists of several instances, and they differ in this member, or it is neither in service nor out of it.
	Mixed bool
}

// Driver of one kind of load balancer. Every call may be repeated, and may have been carried out in part although it returned an error.
type Driver interface {
	// Ensure the owner's members of the pool are these and no others. One member that cannot be taken does not keep out the others: the
	// error speaks of it, and Observe tells what came of each. A member that is not named is removed with the connections it has.
	Ensure(ctx context.Context, pool Pool, members []Member) error
	// Observe the owner's members, after a strong read. ErrNoPool means that no traffic can reach any of them through this pool.
	Observe(ctx context.Context, pool Pool) ([]Seen, error)
}
