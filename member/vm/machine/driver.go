package machine

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// What a driver surely knows. Every other error means that it does not know: ask again later, and believe what was believed.
var (
	// ErrGone: there is no such machine, and none will be made under its key any more if it was ever removed. A proxy's "not found", or a
	// list without it, is no such answer.
	ErrGone = errors.New("there is no such machine")
	// ErrInvalid: the system will never do this, however often it is asked.
	ErrInvalid = errors.New("refused for good")
	// ErrFenced: another, later holder of the lock has worked on this machine.
	ErrFenced = errors.New("a later holder works on this machine")
	// ErrQuota: the system has no room, or no patience, at this time.
	ErrQuota = errors.New("no room at this time")
)

// Call is whose machine is meant, and who asks.
type Call struct {
	// Key names the machine: one key never makes two.
	Key string
	// Sequence of the lock under which this is asked; what a system has seen a higher one for, it refuses (ErrFenced). Reading needs none.
	Sequence int64
	// Credentials are the data of the Secret that the machine names; nil for none.
	Credentials map[string][]byte
}

// Spec is the machine to make.
type Spec struct {
	// Owner is the member cluster's own identity: what List asks for.
	Owner string
	// Name is for people.
	Name string
	// UserData is what the machine is given at its first boot.
	UserData []byte
	v1alpha1.Machine
}

// Machine is what the system says of one.
type Machine struct {
	Key string
	// ID is the system's own name for it.
	ID string
	// State is Creating, Running, Stopped, or Unknown where the system itself does not know.
	State     v1alpha1.MachineState
	Addresses []corev1.NodeAddress
	// BootID changes with every boot; empty where the system cannot tell.
	BootID   string
	HostKeys []string
}

// Driver of one kind of system. Every call may be repeated, and may have been carried out although it returned an error.
type Driver interface {
	// Ensure there is one machine of that key, as far as it is by now. A key whose machine was removed makes none again: ErrGone.
	Ensure(ctx context.Context, call Call, spec Spec) (Machine, error)
	// Get what there is. ErrGone is said after a strong read alone.
	Get(ctx context.Context, call Call) (Machine, error)
	// Stop it from running; Get says when it does not.
	Stop(ctx context.Context, call Call) error
	// Delete it, whether or not there is one: nothing is made under this key any more. Get says when it is gone.
	Delete(ctx context.Context, call Call) error
}

// Lister is a driver that can name all machines of an owner. A list may lag behind.
type Lister interface {
	List(ctx context.Context, call Call, owner string) ([]Machine, error)
}
