package pool

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/balance"
)

// Key is one pool of one load balancer, as the Servers of a namespace name it.
type Key struct{ Driver, Pool string }

// Keys are the pools a server names, and those it is or was in.
func Keys(server *v1alpha1.Server) []Key {
	var out []Key
	for _, lb := range server.Spec.LoadBalancers {
		out = append(out, Key{Driver: lb.Driver, Pool: lb.Pool})
	}
	for _, record := range server.Status.LoadBalancers {
		out = append(out, Key{Driver: record.Driver, Pool: record.Pool})
	}
	slices.SortFunc(out, func(a, b Key) int { return cmp.Or(cmp.Compare(a.Driver, b.Driver), cmp.Compare(a.Pool, b.Pool)) })
	return slices.Compact(out)
}

// Input is everything a decision needs.
type Input struct {
	Key Key
	// Servers that have the key among theirs.
	Servers []*v1alpha1.Server
	// MaxUnhealthy by the set's name; a set that is not here has DefaultMaxUnhealthy.
	MaxUnhealthy map[string]intstr.IntOrString
	Now          time.Time
}

// DefaultMaxUnhealthy is that of a server without a set.
var DefaultMaxUnhealthy = intstr.FromString("40%")

// Entry is one attachment of one server to the pool.
type Entry struct {
	Server *v1alpha1.Server
	// Record as it should become once the pool shows it: Attached, Draining or Detached.
	Record v1alpha1.Attachment
	// Dropped: the server does not name this attachment any more, and is not in it.
	Dropped bool
	// Kept in the pool although it looks sick.
	Kept bool
	// Trouble says why it is not what its server's tasks ask for; empty: it is.
	Trouble string
}

// ID of the entry's member.
func (e Entry) ID() string { return e.Server.Name + "." + e.Record.Name }

// Member is what the pool should have; ok is false for one that is out of it.
func (e Entry) Member() (member balance.Member, ok bool) {
	out := balance.Member{ID: e.ID(), Address: e.Record.Address, Port: e.Record.Port, Draining: e.Record.State == v1alpha1.Draining}
	if e.Record.Weight != nil {
		out.Weight = *e.Record.Weight
	}
	return out, e.Record.State != v1alpha1.Detached
}

// Output is what the pool should be.
type Output struct {
	// Entries by server and attachment.
	Entries []Entry
	// Wake is when time alone changes something; zero: never.
	Wake time.Time
}

// Members of the pool.
func (o Output) Members() []balance.Member {
	var out []balance.Member
	for _, e := range o.Entries {
		if member, ok := e.Member(); ok {
			out = append(out, member)
		}
	}
	return out
}

// Decide what the pool should have.
func Decide(in Input) Output {
	var out Output
	for _, server := range in.Servers {
		for _, lb := range server.Spec.LoadBalancers {
			if (Key{Driver: lb.Driver, Pool: lb.Pool}) == in.Key {
				out.Entries = append(out.Entries, named(server, lb, recordOf(server, in.Key, lb.Name)))
			}
		}
		for i := range server.Status.LoadBalancers {
			record := &server.Status.LoadBalancers[i]
			if (Key{Driver: record.Driver, Pool: record.Pool}) != in.Key || names(server, in.Key, record.Name) {
				continue
			}
			entry, wake := left(server, record, in.Now)
			out.Entries = append(out.Entries, entry)
			if !wake.IsZero() && (out.Wake.IsZero() || wake.Before(out.Wake)) {
				out.Wake = wake
			}
		}
	}
	in.keep(out.Entries)
	slices.SortFunc(out.Entries, func(a, b Entry) int { return cmp.Compare(a.ID(), b.ID()) })
	return out
}

func recordOf(server *v1alpha1.Server, key Key, name string) *v1alpha1.Attachment {
	for i := range server.Status.LoadBalancers {
		if r := &server.Status.LoadBalancers[i]; r.Driver == key.Driver && r.Pool == key.Pool && r.Name == name {
			return r
		}
	}
	return nil
}

func names(server *v1alpha1.Server, key Key, name string) bool {
	return slices.ContainsFunc(server.Spec.LoadBalancers, func(lb v1alpha1.LoadBalancer) bool {
		return lb.Driver == key.Driver && lb.Pool == key.Pool && lb.Name == name
	})
}

// named is an attachment that the server's spec asks for.
func named(server *v1alpha1.Server, lb v1alpha1.LoadBalancer, record *v1alpha1.Attachment) Entry {
	out := Entry{Server: server, Record: v1alpha1.Attachment{Name: lb.Name, Driver: lb.Driver, Pool: lb.Pool, State: v1alpha1.Detached}}
	is := v1alpha1.Detached
	if record != nil {
		out.Record, is = *record.DeepCopy(), record.State
	}
	out.Record.Message = ""
	if out.Record.State = wanted(server, is); out.Record.State == v1alpha1.Detached {
		return out
	}
	if address := Address(server); address != "" {
		out.Record.Address = address // else the one it is attached with: that a driver names none for a moment moves nobody
	}
	if out.Record.Address == "" {
		out.Record.State, out.Trouble = v1alpha1.Detached, "the machine has no address that a load balancer could reach"
		return out
	}
	weight := int32(100)
	for _, w := range []*int32{lb.Weight, server.Spec.TrafficWeight} {
		if w != nil {
			weight = *w
		}
	}
	out.Record.Port, out.Record.Weight = lb.Port, &weight
	return out
}

// wanted is what the server's tasks ask for, of an attachment that is what is.
func wanted(server *v1alpha1.Server, is v1alpha1.AttachmentState) v1alpha1.AttachmentState {
	serves := is != v1alpha1.Detached
	switch {
	case begun(server, v1alpha1.TaskDetachLoadBalancer):
		return v1alpha1.Detached
	case begun(server, v1alpha1.TaskDrainLoadBalancer):
		if serves {
			return v1alpha1.Draining
		}
		return v1alpha1.Detached
	case begun(server, v1alpha1.TaskAttachLoadBalancer) && server.Status.Phase == v1alpha1.ServerReady:
		return v1alpha1.Attached
	case is == v1alpha1.Attaching: // its turn is over before it came in
		return v1alpha1.Detached
	}
	return is
}

// begun says whether the task is, or was, carried out: one whose turn has not come, or that a person put aside, changes nothing.
func begun(server *v1alpha1.Server, kind v1alpha1.TaskType) bool {
	return slices.ContainsFunc(server.Status.Tasks, func(t v1alpha1.Task) bool {
		return t.Type == kind && (t.State == v1alpha1.TaskRunning || t.State == v1alpha1.TaskSucceeded)
	})
}

// leavesAfter is how long a server drains in a pool that its spec does not name any more: how long it should is not known any more either.
const leavesAfter = 30 * time.Second

// left is an attachment that the server's spec does not name any more.
func left(server *v1alpha1.Server, record *v1alpha1.Attachment, now time.Time) (Entry, time.Time) {
	out := Entry{Server: server, Record: *record.DeepCopy()}
	out.Record.Message = ""
	switch record.State {
	case v1alpha1.Attached:
		out.Record.State = v1alpha1.Draining
		return out, time.Time{}
	case v1alpha1.Draining:
		if until := drainedAt(record, leavesAfter, now); now.Before(until) {
			return out, until
		}
	}
	out.Record.State, out.Dropped = v1alpha1.Detached, true
	return out, time.Time{}
}

// drainedAt is when the drain is over; a time that lies ahead was another clock's, and counts as now.
func drainedAt(record *v1alpha1.Attachment, drain time.Duration, now time.Time) time.Time {
	since := now
	if record.Since != nil && record.Since.Time.Before(now) {
		since = record.Since.Time
	}
	return since.Add(drain)
}

// Address of the server that a load balancer can use; empty for none.
func Address(server *v1alpha1.Server) string {
	for _, kind := range []corev1.NodeAddressType{corev1.NodeInternalIP, corev1.NodeExternalIP} {
		for _, a := range server.Status.Addresses {
			ip, err := netip.ParseAddr(a.Address)
			if err == nil && a.Type == kind && !ip.IsLoopback() && !ip.IsUnspecified() && !ip.IsLinkLocalUnicast() && !ip.IsMulticast() {
				return ip.Unmap().String()
			}
		}
	}
	return ""
}

// keep in the pool who would leave it only because it looks sick, where too many of the set do.
func (in Input) keep(entries []Entry) {
	type count struct{ all, sick int }
	counts := map[string]*count{}
	for _, e := range entries {
		set := e.Server.Labels[v1alpha1.LabelSet]
		if counts[set] == nil {
			counts[set] = &count{}
		}
		counts[set].all++
		if looksSick(e.Server) {
			counts[set].sick++
		}
	}
	for i := range entries {
		e := &entries[i]
		set := e.Server.Labels[v1alpha1.LabelSet]
		c := counts[set]
		may := in.mayBeSick(set, c.all)
		record := recordOf(e.Server, in.Key, e.Record.Name)
		if c.sick <= may || !looksSick(e.Server) || record == nil || record.State != v1alpha1.Attached || e.Record.State == v1alpha1.Attached {
			continue
		}
		e.Record, e.Dropped, e.Kept = *record.DeepCopy(), false, true
		e.Trouble = fmt.Sprintf("kept in the pool: %d of %d look sick, and %d may: the fault is likely elsewhere", c.sick, c.all, may)
		e.Record.Message = ""
	}
}

func (in Input) mayBeSick(set string, all int) int {
	limit, ok := in.MaxUnhealthy[set]
	if !ok {
		limit = DefaultMaxUnhealthy
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(&limit, all, false)
	if err != nil {
		n = 0 // the schema lets no such value in
	}
	return max(1, n)
}

// looksSick says that a server is out of service for what was only seen of it from outside. That its machine does not run, or is gone, the
// driver surely knows.
func looksSick(server *v1alpha1.Server) bool {
	if m := server.Status.Machine; m != nil && (m.State == v1alpha1.MachineStopped || m.State == v1alpha1.MachineGone) {
		return false
	}
	ready := apimeta.FindStatusCondition(server.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil {
		return false
	}
	switch ready.Reason {
	case v1alpha1.ReasonUnreachable, v1alpha1.ReasonUnhealthy, v1alpha1.ReasonMonitoringAbnormal:
		return true
	}
	return false
}
