package fleet

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
	"k8s.io/klog/v2"

	"github.com/argosy-dev/argosy/estimator/mirror"
)

// Connection is how a member is reached.
type Connection struct {
	// Rest reaches the member; its BearerToken is empty where Token is not.
	Rest *rest.Config
	// Proxy stands for Rest.Proxy and what is sent to it, which are functions and cannot be compared.
	Proxy string
	// Token is the member's, which may be renewed while the mirror goes on.
	Token string
}

// equal: the way is the same, whatever the token.
func (c Connection) equal(other Connection) bool {
	a, b := c.Rest, other.Rest
	return a.Host == b.Host && c.Proxy == other.Proxy && a.BearerToken == b.BearerToken &&
		reflect.DeepEqual(a.TLSClientConfig, b.TLSClientConfig) &&
		(c.Token == "") == (other.Token == "")
}

// bearer holds a token that each request is sent with; open watches go on with the one they began with.
type bearer struct{ token atomic.Pointer[string] }

// carry makes a configuration whose requests bear the token.
func (b *bearer) carry(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &bearing{bearer: b, next: next} })
	return config
}

type bearing struct {
	*bearer
	next http.RoundTripper
}

func (b *bearing) RoundTrip(request *http.Request) (*http.Response, error) {
	return transport.NewBearerAuthRoundTripper(*b.token.Load(), b.next).RoundTrip(request)
}

// Fleet holds the mirrors. It implements server.Members.
type Fleet struct {
	// PodBudget is how many pods this process is meant for, 0 where nobody says. It is told beside how many there are; nobody is turned away.
	PodBudget int

	// configure completes a mirror's configuration but for its name and connection.
	configure func(name string) (mirror.Config, error)

	mu      sync.RWMutex
	members map[string]*running
	// refused are the members whose configuration cannot stand, and why. Their neighbours must not suffer for it.
	refused map[string]error
	// unreached are the members that were never mirrored since nothing says how to reach them, and why.
	unreached map[string]error
	// unauthorized holds a word while a member has refused its token.
	unauthorized chan struct{}
}

// Misconfigured is the state of a member that is not mirrored because its configuration cannot stand.
const Misconfigured mirror.State = "Misconfigured"

type running struct {
	connection Connection
	bearer     *bearer
	mirror     *mirror.Mirror
	before     *mirror.Mirror
	stop       context.CancelFunc
	stopBefore context.CancelFunc
}

// New makes an empty fleet.
func New(configure func(name string) (mirror.Config, error)) *Fleet {
	return &Fleet{
		configure: configure, members: map[string]*running{}, refused: map[string]error{}, unreached: map[string]error{},
		unauthorized: make(chan struct{}, 1),
	}
}

func (f *Fleet) refusedToken() {
	select {
	case f.unauthorized <- struct{}{}:
	default:
	}
}

// Join mirrors a member, or mirrors it anew if its connection has changed. A token that was renewed changes nothing else.
func (f *Fleet) Join(ctx context.Context, name string, connection Connection) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.unreached, name)
	old := f.members[name]
	if old != nil && old.connection.equal(connection) {
		if old.connection.Token != connection.Token {
			old.connection.Token = connection.Token
			old.bearer.token.Store(&connection.Token)
			klog.FromContext(ctx).Info("Going on with a renewed token", "member", name)
		}
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
	delete(f.refused, name)
	next := &running{connection: connection, bearer: &bearer{}}
	config.Name, config.Rest, config.Unauthorized = name, connection.Rest, f.refusedToken
	if connection.Token != "" {
		next.bearer.token.Store(&connection.Token)
		config.Rest = next.bearer.carry(connection.Rest)
	}
	ctx, stop := context.WithCancel(ctx)
	next.mirror, next.stop = mirror.New(config), stop
	if old != nil {
		old.dropBefore()
		next.before, next.stopBefore = old.mirror, old.stop
	}
	f.members[name] = next
	klog.FromContext(ctx).Info("Mirroring member", "member", name, "host", connection.Rest.Host)
	go next.mirror.Run(ctx)
}

// Unreached says why a member cannot be joined: it is Joining until it can. One that is mirrored already goes on as it was reached before.
func (f *Fleet) Unreached(name string, why error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.members[name] == nil && f.refused[name] == nil {
		f.unreached[name] = why
	}
}

// Leave stops mirroring a member.
func (f *Fleet) Leave(ctx context.Context, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.refused, name)
	delete(f.unreached, name)
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
	refused, unreached := f.refused[name], f.unreached[name]
	f.mu.RUnlock()
	if refused != nil {
		return nil, fmt.Errorf("member %s is not mirrored: %w", name, refused)
	}
	if unreached != nil {
		return nil, fmt.Errorf("member %s has not joined: %w", name, unreached)
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
	// Problem is why the state is not Fresh, or the first of the watches that the member refuses, of RefusedWatches.
	Problem        string `json:",omitempty"`
	RefusedWatches int
	// QuietSeconds is since when the most silent of its watches has said nothing.
	QuietSeconds float64
	Pods         int
}

func statusOf(name string, m *mirror.Mirror) Status {
	details := m.Details()
	status := Status{
		Name: name, State: m.State(), AgeSeconds: m.Age().Seconds(),
		RefusedWatches: details.RefusedWatches, QuietSeconds: details.QuietFor.Seconds(), Pods: details.Pods,
	}
	if details.Problem != nil {
		status.Problem = details.Problem.Error()
	}
	return status
}

// Statuses lists the members by name.
func (f *Fleet) Statuses() []Status {
	f.mu.RLock()
	defer f.mu.RUnlock()
	statuses := make([]Status, 0, len(f.members))
	for name, member := range f.members {
		statuses = append(statuses, statusOf(name, member.mirror))
	}
	for name, why := range f.refused {
		statuses = append(statuses, Status{Name: name, State: Misconfigured, Problem: why.Error()})
	}
	for name, why := range f.unreached {
		statuses = append(statuses, Status{Name: name, State: mirror.Joining, Problem: why.Error()})
	}
	slices.SortFunc(statuses, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return statuses
}
