package lab

import (
	"context"
	"strings"
	"time"

	"github.com/argosy-dev/argosy/test/lab/process"
)

// A unit is one thing a lab starts: a process, or a step with no process of its own, such as
// joining a member. The lab is its list of units; everything whose After is ready starts at once.
type unit struct {
	// Name is what `argosy-lab stop` takes: "<plane>/<component>".
	Name string
	// After names units that must be ready first.
	After []string
	// Prepare runs once in the lab's life, before the first start.
	Prepare func(context.Context) error
	// Process is nil for a step.
	Process *process.Spec
	// Deaths are forgiven until the process serves: it is started again, as a cluster would.
	Deaths int
	// Check is polled until it returns nil, at every start. A process with a Ready of its own needs none.
	Check func(context.Context) error
	// CheckWithin bounds the wait for Check; zero means ten minutes.
	CheckWithin time.Duration
	// Finish runs once in the lab's life, after the first start.
	Finish func(context.Context) error
}

// State of a unit.
type State string

// The states of a unit, as `argosy-lab status` prints them.
const (
	Waiting  State = "waiting"
	Starting State = "starting"
	Ready    State = "ready"
	Stopped  State = "stopped"
	Failed   State = "failed"
)

// matches tells whether name selects the unit: its own name, or its plane's.
func (u unit) matches(name string) bool {
	return u.Name == name || strings.HasPrefix(u.Name, name+"/")
}
