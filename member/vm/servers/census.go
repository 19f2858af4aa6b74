package servers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/machine"
)

const (
	// fewServers of a system are asked for one by one: a list of theirs is no less work.
	fewServers = 10
	// believed is for how many periods a machine that a list showed is not asked for by itself, if no other list comes.
	believed = 3
	// byItself is how rarely a machine that lists show is asked for by itself: a list may lag behind.
	byItself = 5 * time.Minute
	// foreign is how many times as many machines as a system's Servers a list may bring: with more, asking for each is less work.
	foreign = 4
)

// system of machines, as its Servers name it: what it is asked with is in a Secret of their namespace.
type system struct{ driver, namespace, secret string }

func systemOf(server *v1alpha1.Server) system {
	out := system{driver: server.Spec.Machine.Driver}
	if ref := server.Spec.Machine.CredentialsRef; ref != nil {
		out.namespace, out.secret = server.Namespace, ref.Name
	}
	return out
}

// census asks each system once a period for a list of all its machines, in place of a question for each Server. What a list shows just as
// it is on record is not asked for by itself; of everything else, and of all when there is no list, the Servers are looked at and each asks
// for itself. So nothing is ever written, made or removed by what a list says.
type census struct {
	mu      sync.Mutex
	systems map[system]*counted
}

// counted is the last list of a system.
type counted struct {
	// busy: it is being asked.
	busy bool
	// at is when the list was asked for, and as whose machines it shows as they are on record.
	at time.Time
	as map[types.UID]bool
	// rests until then: its lists are of others' machines for the most part.
	rests time.Time
}

// shown is when a list was asked for that showed the Server's machine as it is on record; zero: none did.
func (c *census) shown(server *v1alpha1.Server) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := c.systems[systemOf(server)]; last != nil && last.as[server.UID] {
		return last.at
	}
	return time.Time{}
}

// begin to ask a system, unless it is being asked or rests.
func (c *census) begin(of system, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.systems == nil {
		c.systems = map[system]*counted{}
	}
	if c.systems[of] == nil {
		c.systems[of] = &counted{}
	}
	last := c.systems[of]
	if last.busy || now.Before(last.rests) {
		return false
	}
	last.busy = true
	return true
}

// end of asking a system at that time, and the Servers that it showed as they are on record; who was shown before and is not now is given
// back.
func (c *census) end(of system, at time.Time, as map[types.UID]bool, rests time.Time) (lost map[types.UID]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.systems[of]
	lost = map[types.UID]bool{}
	for uid := range last.as {
		if !as[uid] {
			lost[uid] = true
		}
	}
	*last = counted{at: at, as: as, rests: rests}
	return lost
}

// keep those systems alone.
func (c *census) keep(of map[system][]*v1alpha1.Server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for one, last := range c.systems {
		if of[one] == nil && !last.busy {
			delete(c.systems, one)
		}
	}
}

// due is when the machine is to be asked for by itself.
func (r *Reconciler) due(w *work) time.Time {
	if w.mind.asked.IsZero() {
		return time.Time{}
	}
	due := w.mind.asked.Add(r.Period)
	shown := r.census.shown(w.before)
	if shown.IsZero() || !w.now.Before(shown.Add(believed*r.Period)) || troubled(w.before) {
		return due
	}
	if later := w.mind.asked.Add(byItself); later.After(due) {
		return later
	}
	return due
}

// troubled says that something is known to be wrong with the server, or nothing is known of it: its driver is asked as soon as may be.
func troubled(server *v1alpha1.Server) bool {
	status := &server.Status
	if server.DeletionTimestamp != nil || status.Phase == v1alpha1.ServerUnknown || status.Machine == nil ||
		status.Machine.State != v1alpha1.MachineRunning {
		return true
	}
	return slices.ContainsFunc([]string{v1alpha1.ConditionReachable, v1alpha1.ConditionHealthy, v1alpha1.ConditionMonitoringNormal},
		func(kind string) bool { return apimeta.IsStatusConditionFalse(status.Conditions, kind) })
}

// recorded says that the machine is as it is on record of its Server.
func recorded(server *v1alpha1.Server, m machine.Machine) bool {
	status := &server.Status
	return !troubled(server) && m.State == v1alpha1.MachineRunning && status.Creation != nil &&
		status.Creation.State == v1alpha1.CreationDone && m.ID != "" && m.ID == server.Spec.ProviderID &&
		(m.BootID == "" || m.BootID == status.Machine.BootID) && slices.Equal(m.HostKeys, status.Machine.HostKeys) &&
		slices.Equal(m.Addresses, status.Addresses) && unbelievable(m) == nil
}

// takeCensus each period until the context ends, and tell of the Servers that are to be looked at. It ends when nobody is being asked.
func (r *Reconciler) takeCensus(ctx context.Context, tell func(types.NamespacedName)) error {
	var counts sync.WaitGroup
	defer counts.Wait()
	ticker := clock.RealClock{}.NewTicker(r.Period)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
		systems, err := r.systems(ctx)
		if err != nil {
			log.FromContext(ctx).Error(err, "Each machine is asked for by itself")
			continue
		}
		for of, all := range systems {
			if r.census.begin(of, r.Now()) {
				counts.Go(func() { r.count(ctx, of, all, tell) })
			}
		}
	}
}

// systems that can list their machines, and have enough Servers for that.
func (r *Reconciler) systems(ctx context.Context) (map[system][]*v1alpha1.Server, error) {
	list := &v1alpha1.ServerList{}
	if err := r.cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing Servers: %w", err)
	}
	out := map[system][]*v1alpha1.Server{}
	for i := range list.Items {
		server := &list.Items[i]
		if _, lists := r.Drivers[server.Spec.Machine.Driver].(machine.Lister); lists && server.Status.Creation != nil {
			of := systemOf(server)
			out[of] = append(out[of], server)
		}
	}
	for of, servers := range out {
		if len(servers) < fewServers {
			delete(out, of)
		}
	}
	r.census.keep(out)
	return out, nil
}

// count the machines of a system.
func (r *Reconciler) count(ctx context.Context, of system, all []*v1alpha1.Server, tell func(types.NamespacedName)) {
	at := r.Now()
	listed, err := r.list(ctx, of)
	as, rests := map[types.UID]bool{}, time.Time{}
	if err != nil {
		log.FromContext(ctx).V(1).Info("Each machine of a system is asked for by itself", "driver", of.driver, "reason", err.Error())
	}
	if len(listed) > foreign*len(all) {
		rests = at.Add(byItself)
	}
	for _, server := range all {
		if m, ok := listed[server.UID]; ok && recorded(server, m) {
			as[server.UID] = true
		}
	}
	lost := r.census.end(of, at, as, rests)
	for _, server := range all {
		if lost[server.UID] {
			tell(client.ObjectKeyFromObject(server))
		}
	}
}

// list the machines of a system, by the Servers that they are of.
func (r *Reconciler) list(ctx context.Context, of system) (map[types.UID]machine.Machine, error) {
	lister, ok := r.Drivers[of.driver].(machine.Lister)
	if !ok {
		return nil, errors.New("the driver lists no machines")
	}
	ctx, cancel := context.WithTimeout(ctx, believed*r.Period)
	defer cancel()
	owner, err := r.owner(ctx)
	if err != nil {
		return nil, err
	}
	var call machine.Call
	if of.secret != "" {
		if call.Credentials, err = r.secrets.Read(ctx, of.namespace, of.secret); err != nil {
			return nil, err
		}
	}
	listed, err := lister.List(ctx, call, owner)
	r.measures.asked(of.driver, "list", err)
	if err != nil {
		return nil, err
	}
	out := make(map[types.UID]machine.Machine, len(listed))
	for _, m := range listed {
		out[types.UID(m.Key)] = m
	}
	return out, nil
}

// beat is how often an unchanged reading is written: all Servers together write so many in a second. What comes at once all the same, as
// when this process has just begun and knows few of them, waits its turn (beats).
func (r *Reconciler) beat() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Duration(len(r.minds)) * time.Second / beatsPerSecond
}

// beatsPerSecond of all Servers together.
const beatsPerSecond = 5
