package fleet

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/argosy-dev/argosy/estimator/mirror"
)

// Connection is how a member is reached.
type Connection struct {
	Rest *rest.Config
	// Proxy is the address behind Rest.Proxy, which is a function and cannot be compared.
	Proxy string
}

func (c Connection) equal(other Connection) bool {
	a, b := c.Rest, other.Rest
	return a.Host == b.Host && c.Proxy == other.Proxy && a.BearerToken == b.BearerToken && reflect.DeepEqual(a.TLSClientConfig, b.TLSClientConfig)
}

// Fleet holds the mirrors. It implements server.Members.
type Fleet struct {
	// configure completes a mirror's configuration but for its name and connection.
	configure func(name string) (mirror.Config, error)

	mu      sync.RWMutex
	members map[string]*running
	// refused are the members whose configuration cannot stand, and why. Their neighbours must not suffer for it.
	refused map[string]error
}

// Misconfigured is the state of a member that is not mirrored because its configuration cannot stand.
const Misconfigured mirror.State = "Misconfigured"

type running struct {
	connection Connection
	mirror     *mirror.Mirror
	before     *mirror.Mirror
	stop       context.CancelFunc
	stopBefore context.CancelFunc
}

// New makes an empty fleet.
func New(configure func(name string) (mirror.Config, error)) *Fleet {
	return &Fleet{configure: configure, members: map[string]*running{}, refused: map[string]error{}}
}

// Join mirrors a member, or mirrors it anew if its connection has changed.
func (f *Fleet) Join(ctx context.Context, name string, connection Connection) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.members[name]
	if old != nil && old.connection.equal(connection) {
		return
	}
	config, err := f.configure(name)
	if err != nil {
		if f.refused[name] == nil {
			klog.FromContext(ctx).Error(err, "Not mirroring member", "member", name, "reason", Misconfigured)
		}
		f.refused[name] = err
		return
	}
	config.Name, config.Rest = name, connection.Rest
	ctx, stop := context.WithCancel(ctx)
	next := &running{connection: connection, mirror: mirror.New(config), stop: stop}
	if old != nil {
		old.dropBefore()
		next.before, next.stopBefore = old.mirror, old.stop
	}
	f.members[name] = next
	klog.FromContext(ctx).Info("Mirroring member", "member", name, "host", connection.Rest.Host)
	go next.mirror.Run(ctx)
}

// Leave stops mirroring a member.
func (f *Fleet) Leave(ctx context.Context, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.refused, name)
	if gone, ok := f.members[name]; ok {
		gone.dropBefore()
		gone.stop()
		delete(f.members, name)
		klog.FromContext(ctx).Info("No longer mirroring member", "member", name)
	}
}

func (r *running) dropBefore() {
	if r.before != nil {
		r.stopBefore()
		r.before, r.stopBefore = nil, nil
	}
}

// Member implements server.Members.
func (f *Fleet) Member(name string) (*mirror.Member, error) {
	f.mu.RLock()
	member, ok := f.members[name]
	refused := f.refused[name]
	f.mu.RUnlock()
	if refused != nil {
		return nil, fmt.Errorf("member %s is not mirrored: %w", name, refused)
	}
	if !ok {
		return nil, fmt.Errorf("no member %q is mirrored here: is there a Cluster of that name, and has it a secret?", name)
	}
	known, err := member.mirror.Member()
	if err == nil {
		f.settle(member)
		return known, nil
	}
	f.mu.RLock()
	before := member.before
	f.mu.RUnlock()
	if before != nil {
		if known, oldErr := before.Member(); oldErr == nil {
			return known, nil
		}
	}
	return nil, fmt.Errorf("member %s: %w", name, err)
}

// settle lets the old mirror go once the new one answers.
func (f *Fleet) settle(member *running) {
	f.mu.RLock()
	done := member.before == nil
	f.mu.RUnlock()
	if !done {
		f.mu.Lock()
		member.dropBefore()
		f.mu.Unlock()
	}
}

// untried are the members that have neither been read yet nor refused to be.
func (f *Fleet) untried() []string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var out []string
	for name, member := range f.members {
		if !member.mirror.Tried() {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Status is one member's state, for health and metrics.
type Status struct {
	Name       string
	State      mirror.State
	AgeSeconds float64
}

// Statuses lists the members by name.
func (f *Fleet) Statuses() []Status {
	f.mu.RLock()
	defer f.mu.RUnlock()
	statuses := make([]Status, 0, len(f.members))
	for name, member := range f.members {
		statuses = append(statuses, Status{Name: name, State: member.mirror.State(), AgeSeconds: member.mirror.Age().Seconds()})
	}
	for name := range f.refused {
		statuses = append(statuses, Status{Name: name, State: Misconfigured})
	}
	slices.SortFunc(statuses, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return statuses
}
