package haproxy

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/argosy-dev/argosy/member/vm/balance"
)

// Name of the driver in spec.loadBalancers[].driver.
const Name = "haproxy"

// Driver tells every instance the same.
type Driver struct{ instances []socket }

var _ balance.Driver = &Driver{}

// New driver of the instances whose runtime API is at these addresses, each "host:port" or "unix:/path", with level admin.
func New(addresses []string) (*Driver, error) {
	if len(addresses) == 0 {
		return nil, errors.New("HAProxy needs at least one address")
	}
	out := &Driver{}
	for _, text := range addresses {
		one, err := parseAddress(text)
		if err != nil {
			return nil, err
		}
		out.instances = append(out.instances, one)
	}
	return out, nil
}

// Ensure the owner's members of the backend are these, in every instance; one that does not answer keeps the others from nothing.
func (d *Driver) Ensure(ctx context.Context, pool balance.Pool, members []balance.Member) error {
	if err := checkPool(pool); err != nil {
		return err
	}
	var errs []error
	var good []balance.Member
	for _, m := range members {
		if err := check(m); err != nil {
			errs = append(errs, err)
			continue
		}
		m.Address = netip.MustParseAddr(m.Address).String()
		good = append(good, m)
	}
	told := d.each(func(one socket) error {
		err := one.ensure(ctx, pool, good)
		if errors.Is(err, balance.ErrNoPool) && len(good) == 0 {
			return nil
		}
		return err
	})
	if !allNoPool(told) {
		told = hideNoPool(told)
	}
	return errors.Join(append(errs, told...)...)
}

func checkPool(pool balance.Pool) error {
	if !word.MatchString(pool.Name) {
		return fmt.Errorf("pool %q is no name of a backend: %w", pool.Name, balance.ErrInvalid)
	}
	return nil
}

// each instance at once: one that hangs holds up no other.
func (d *Driver) each(do func(socket) error) []error {
	out := make([]error, len(d.instances))
	var all sync.WaitGroup
	for i, one := range d.instances {
		all.Go(func() { out[i] = do(one) })
	}
	all.Wait()
	return out
}

// allNoPool: no instance has the backend, so nothing reaches its members.
func allNoPool(errs []error) bool {
	return !slices.ContainsFunc(errs, func(err error) bool { return !errors.Is(err, balance.ErrNoPool) })
}

// hideNoPool where only some have no such backend: the others may well serve.
func hideNoPool(errs []error) []error {
	out := slices.Clone(errs)
	for i, err := range out {
		if errors.Is(err, balance.ErrNoPool) {
			out[i] = errors.New(err.Error() + ", and others have it")
		}
	}
	return out
}

// ensure the members in one instance.
func (s socket) ensure(ctx context.Context, pool balance.Pool, members []balance.Member) error {
	have, err := s.servers(ctx, pool)
	if err != nil {
		return err
	}
	var errs []error
	wanted := map[string]bool{}
	for _, m := range members {
		wanted[m.ID] = true
		is, ok := have[m.ID]
		if ok && (is.Address != m.Address || is.Port != m.Port) {
			// Its address is another: the connections it has are the old one's.
			if err := s.remove(ctx, pool, m.ID); err != nil {
				errs = append(errs, err)
				continue
			}
			ok = false
		}
		errs = append(errs, s.put(ctx, pool, m, is, ok))
	}
	for id := range have {
		if !wanted[id] {
			errs = append(errs, s.remove(ctx, pool, id))
		}
	}
	return errors.Join(errs...)
}

// put a member in, or change what it is.
func (s socket) put(ctx context.Context, pool balance.Pool, m balance.Member, is server, there bool) error {
	name := pool.Name + "/" + prefix(pool) + m.ID
	if !there {
		address := m.Address
		if netip.MustParseAddr(address).Is6() {
			address = "[" + address + "]"
		}
		command := fmt.Sprintf("add server %s %s:%d weight %d", name, address, m.Port, m.Weight)
		if err := s.change(ctx, command, "New server registered."); err != nil {
			return err
		}
		is = server{Member: m, admin: -1} // in maintenance, as every server that was just added
	}
	if is.Weight != m.Weight {
		if err := s.change(ctx, fmt.Sprintf("set server %s weight %d", name, m.Weight), ""); err != nil {
			return err
		}
	}
	switch {
	case m.Draining && is.admin != adminForcedDrain:
		return s.change(ctx, "set server "+name+" state drain", "")
	case !m.Draining && is.admin != adminReady:
		return s.change(ctx, "set server "+name+" state ready", "")
	}
	return nil
}

// remove a member: nothing new goes to it, what is open is closed, and then it goes.
func (s socket) remove(ctx context.Context, pool balance.Pool, id string) error {
	name := pool.Name + "/" + prefix(pool) + id
	if err := s.change(ctx, "set server "+name+" state maint", ""); err != nil {
		return err
	}
	if err := s.change(ctx, "shutdown sessions server "+name, ""); err != nil {
		return err
	}
	return s.change(ctx, "del server "+name, "Server deleted.", "No such server.")
}

// Observe the owner's members: what all instances show alike, and what they do not.
func (d *Driver) Observe(ctx context.Context, pool balance.Pool) ([]balance.Seen, error) {
	if err := checkPool(pool); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var all []map[string]server
	errs := d.each(func(one socket) error {
		have, err := one.servers(ctx, pool)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, have)
		return nil
	})
	if !allNoPool(errs) {
		errs = hideNoPool(errs)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	found := map[string]balance.Seen{}
	for _, have := range all {
		for id, is := range have {
			one := balance.Seen{Member: is.Member, Mixed: is.admin != adminReady && is.admin != adminForcedDrain}
			if before, ok := found[id]; ok && before.Member != one.Member {
				one.Mixed = true
			}
			found[id] = balance.Seen{Member: one.Member, Mixed: one.Mixed || found[id].Mixed}
		}
	}
	var out []balance.Seen
	for id, one := range found {
		for _, have := range all {
			if _, ok := have[id]; !ok {
				one.Mixed = true
			}
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b balance.Seen) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}
