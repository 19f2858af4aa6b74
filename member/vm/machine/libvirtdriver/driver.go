package libvirtdriver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"sync"

	"github.com/digitalocean/go-libvirt"
	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/machine"
)

// Name of the driver in spec.machine.driver.
const Name = "libvirt"

// Options of the driver.
type Options struct {
	// Address of libvirt: unix:/path, or tls:host:port with the certificates of Certificates.
	Address, Certificates string
	// URI of libvirt's own driver, as qemu:///system.
	URI string
	// Type of the domains, as kvm or qemu.
	Type string
	// Images is the storage pool whose volumes spec.machine.image names; Pool is that of the machines' disks.
	Images, Pool string
	// Network of machines that name none.
	Network string
}

// Driver makes domains.
type Driver struct {
	Options
	session *session
	// busy keeps calls of one process for one key apart.
	busy [64]sync.Mutex
}

var (
	_ machine.Driver = &Driver{}
	_ machine.Lister = &Driver{}
)

// New driver. libvirt is connected to when it is first asked.
func New(o Options) (*Driver, error) {
	for field, text := range map[string]string{"uri": o.URI, "type": o.Type, "images": o.Images, "pool": o.Pool, "network": o.Network} {
		if text == "" {
			return nil, fmt.Errorf("%s is empty", field)
		}
	}
	dialer, err := dialerOf(o.Address, o.Certificates)
	if err != nil {
		return nil, err
	}
	return &Driver{Options: o, session: &session{dialer: dialer, uri: libvirt.ConnectURI(o.URI)}}, nil
}

func (d *Driver) network(spec machine.Spec) string { return cmp.Or(spec.Network, d.Network) }

// ask libvirt about one key.
func ask[T any](
	ctx context.Context, d *Driver, what string, call machine.Call, do func(*libvirt.Libvirt) (T, error),
) (T, error) {
	var none T
	if !keys.MatchString(call.Key) {
		return none, fmt.Errorf("%s machine %q: that is no key of a domain: %w", what, call.Key, machine.ErrInvalid)
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(call.Key)) // a hash takes everything
	lock := &d.busy[hash.Sum32()%uint32(len(d.busy))]
	out, err := over(ctx, d.session, func(l *libvirt.Libvirt) (T, error) {
		lock.Lock()
		defer lock.Unlock()
		return do(l)
	})
	if err != nil {
		return none, fmt.Errorf("%s machine %s: %w", what, call.Key, err)
	}
	return out, nil
}

// change something of one key.
func (d *Driver) change(ctx context.Context, what string, call machine.Call, do func(*libvirt.Libvirt) error) error {
	_, err := ask(ctx, d, what, call, func(l *libvirt.Libvirt) (struct{}, error) { return struct{}{}, do(l) })
	return err
}

// found is a domain with what is written in it.
type found struct {
	domain libvirt.Domain
	mark   mark
}

// find the machine of a key; ErrGone where there is none.
func find(l *libvirt.Libvirt, key string) (found, error) {
	domain, err := l.DomainLookupByUUID(idOf(key))
	if libvirt.IsNotFound(err) {
		return found{}, machine.ErrGone
	}
	if err != nil {
		return found{}, err
	}
	m, err := markOf(l, domain)
	if err != nil {
		return found{}, err
	}
	if m.Key != key {
		return found{}, fmt.Errorf("domain %s is of key %q", domain.Name, m.Key)
	}
	return found{domain: domain, mark: m}, nil
}

func markOf(l *libvirt.Libvirt, domain libvirt.Domain) (mark, error) {
	text, err := l.DomainGetMetadata(domain, int32(libvirt.DomainMetadataElement), libvirt.OptString{space}, libvirt.DomainAffectConfig)
	if err != nil {
		return mark{}, fmt.Errorf("domain %s bears no mark of this driver: %w", domain.Name, err)
	}
	return parseMark(text)
}

// write the mark into the domain as it is stored.
func (f *found) write(l *libvirt.Libvirt) error {
	return l.DomainSetMetadata(f.domain, int32(libvirt.DomainMetadataElement), libvirt.OptString{f.mark.element(false)},
		libvirt.OptString{prefix}, libvirt.OptString{space}, libvirt.DomainAffectConfig)
}

// admit work of a sequence: a lower one than the domain has seen is another, earlier holder's.
func (f *found) admit(l *libvirt.Libvirt, sequence int64) error {
	switch {
	case sequence < f.mark.Sequence:
		return fmt.Errorf("sequence %d after %d: %w", sequence, f.mark.Sequence, machine.ErrFenced)
	case sequence == f.mark.Sequence:
		return nil
	}
	f.mark.Sequence = sequence
	return f.write(l)
}

// buried says whether the key was removed.
func buried(l *libvirt.Libvirt, key string) (bool, error) {
	_, err := l.DomainLookupByUUID(tombstoneOf(key))
	if libvirt.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// Ensure there is one machine of that key.
func (d *Driver) Ensure(ctx context.Context, call machine.Call, spec machine.Spec) (machine.Machine, error) {
	return ask(ctx, d, "making", call, func(l *libvirt.Libvirt) (machine.Machine, error) {
		f, err := d.made(l, call, spec)
		if err != nil {
			return machine.Machine{}, err
		}
		// A removal may have come between: whoever of the two looks last finds the other's domain.
		if gone, err := buried(l, call.Key); err != nil || gone {
			return machine.Machine{}, errors.Join(err, d.undo(l, f), goneIf(gone))
		}
		if err := f.start(l); err != nil {
			return machine.Machine{}, err
		}
		out, err := read(l, f)
		if err == nil && out.State == v1alpha1.MachineRunning && len(out.Addresses) == 0 {
			out.State = v1alpha1.MachineCreating // it has not asked for an address yet
		}
		return out, err
	})
}

// made is the domain of a key, which is defined if it is not there.
func (d *Driver) made(l *libvirt.Libvirt, call machine.Call, spec machine.Spec) (found, error) {
	if gone, err := buried(l, call.Key); err != nil || gone {
		return found{}, errors.Join(err, goneIf(gone))
	}
	f, err := find(l, call.Key)
	if errors.Is(err, machine.ErrGone) {
		f, err = d.define(l, call, spec)
	}
	if err != nil {
		return found{}, err
	}
	return f, f.admit(l, call.Sequence)
}

func goneIf(gone bool) error {
	if gone {
		return fmt.Errorf("its key was removed: %w", machine.ErrGone)
	}
	return nil
}

// define the domain, with its disk.
func (d *Driver) define(l *libvirt.Libvirt, call machine.Call, spec machine.Spec) (found, error) {
	m := mark{Key: call.Key, Owner: spec.Owner, Name: spec.Name, Sequence: call.Sequence, Stage: defined}
	if _, err := l.NetworkLookupByName(d.network(spec)); said(err, libvirt.ErrNoNetwork) {
		return found{}, fmt.Errorf("libvirt has no network %q: %w", d.network(spec), machine.ErrInvalid)
	} else if err != nil {
		return found{}, err
	}
	boot, err := d.boot(l, spec)
	if err != nil {
		return found{}, err
	}
	text, err := d.domain(call.Key, spec, &m, boot)
	if err != nil {
		return found{}, err
	}
	if err := d.disk(l, call.Key, spec); err != nil {
		return found{}, err
	}
	domain, err := l.DomainDefineXML(text)
	if said(err, invalid...) {
		err = fmt.Errorf("%w: %w", err, machine.ErrInvalid)
	}
	return found{domain: domain, mark: m}, err
}

// start the domain unless it was told to stop.
func (f *found) start(l *libvirt.Libvirt) error {
	if f.mark.Stage != defined {
		return nil
	}
	err := l.DomainCreate(f.domain)
	if said(err, libvirt.ErrOperationInvalid) { // it runs already
		err = nil
	}
	if err != nil {
		return fmt.Errorf("starting domain %s: %w", f.domain.Name, err)
	}
	f.mark.Stage = started
	if f.domain, err = l.DomainLookupByUUID(f.domain.UUID); err != nil { // its number is of this boot
		return err
	}
	return f.write(l)
}

// Get what there is.
func (d *Driver) Get(ctx context.Context, call machine.Call) (machine.Machine, error) {
	return ask(ctx, d, "looking at", call, func(l *libvirt.Libvirt) (machine.Machine, error) {
		f, err := find(l, call.Key)
		if err != nil {
			return machine.Machine{}, err
		}
		return read(l, f)
	})
}

// read what libvirt says of a domain.
func read(l *libvirt.Libvirt, f found) (machine.Machine, error) {
	out := machine.Machine{Key: f.mark.Key, ID: uuid.UUID(f.domain.UUID).String(), State: v1alpha1.MachineUnknown}
	if f.mark.HostKey != "" {
		out.HostKeys = []string{f.mark.HostKey}
	}
	state, _, err := l.DomainGetState(f.domain, 0)
	if err != nil {
		return out, err
	}
	switch libvirt.DomainState(state) {
	case libvirt.DomainRunning, libvirt.DomainBlocked:
		out.State = v1alpha1.MachineRunning
		out.BootID = fmt.Sprintf("%s:%d", out.ID, f.domain.ID)
		out.Addresses = addresses(l, f.domain)
	case libvirt.DomainShutoff, libvirt.DomainCrashed:
		out.State = v1alpha1.MachineStopped
		if f.mark.Stage == defined {
			out.State = v1alpha1.MachineCreating
		}
	}
	return out, nil
}

// sources of addresses, the surest first: leases of libvirt's own networks, the guest's agent, the host's neighbours.
var sources = []libvirt.DomainInterfaceAddressesSource{
	libvirt.DomainInterfaceAddressesSrcLease, libvirt.DomainInterfaceAddressesSrcAgent, libvirt.DomainInterfaceAddressesSrcArp,
}

// addresses of a domain; what cannot be asked names none.
func addresses(l *libvirt.Libvirt, domain libvirt.Domain) []corev1.NodeAddress {
	for _, source := range sources {
		found, err := l.DomainInterfaceAddresses(domain, uint32(source), 0)
		if err != nil {
			continue
		}
		var out []corev1.NodeAddress
		for _, one := range found {
			for _, a := range one.Addrs {
				if usable(a.Addr) {
					out = append(out, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: a.Addr})
				}
			}
		}
		if len(out) > 0 {
			return out[:min(len(out), 16)]
		}
	}
	return nil
}

// Stop it from running, at once: whoever asks for that wants to be sure.
func (d *Driver) Stop(ctx context.Context, call machine.Call) error {
	return d.change(ctx, "stopping", call, func(l *libvirt.Libvirt) error {
		f, err := find(l, call.Key)
		if err != nil {
			return err
		}
		if err := f.admit(l, call.Sequence); err != nil {
			return err
		}
		f.mark.Stage = stopped
		if err := f.write(l); err != nil {
			return err
		}
		return destroy(l, f.domain)
	})
}

func destroy(l *libvirt.Libvirt, domain libvirt.Domain) error {
	err := l.DomainDestroy(domain)
	if said(err, libvirt.ErrOperationInvalid) || libvirt.IsNotFound(err) {
		return nil // it does not run
	}
	return err
}

// Delete it, its disk and its key.
func (d *Driver) Delete(ctx context.Context, call machine.Call) error {
	return d.change(ctx, "removing", call, func(l *libvirt.Libvirt) error {
		f, err := find(l, call.Key)
		if err != nil && !errors.Is(err, machine.ErrGone) {
			return err
		}
		there := err == nil
		if there {
			if err := f.admit(l, call.Sequence); err != nil {
				return err
			}
		}
		// The tombstone first: a creation that comes after finds it, and one that came before is found here.
		text, err := d.tombstone(call.Key)
		if err != nil {
			return err
		}
		if _, err := l.DomainDefineXML(text); err != nil {
			return fmt.Errorf("writing down that the key is removed: %w", err)
		}
		if f, err = find(l, call.Key); errors.Is(err, machine.ErrGone) {
			return d.removeDisk(l, call.Key)
		} else if err != nil {
			return err
		}
		return d.undo(l, f)
	})
}

// undo a machine: its domain, and then its disk.
func (d *Driver) undo(l *libvirt.Libvirt, f found) error {
	if err := destroy(l, f.domain); err != nil {
		return err
	}
	err := l.DomainUndefineFlags(f.domain, libvirt.DomainUndefineManagedSave|libvirt.DomainUndefineSnapshotsMetadata)
	if err != nil && !libvirt.IsNotFound(err) {
		return fmt.Errorf("undefining domain %s: %w", f.domain.Name, err)
	}
	return d.removeDisk(l, f.mark.Key)
}

// List the machines of an owner.
func (d *Driver) List(ctx context.Context, _ machine.Call, owner string) ([]machine.Machine, error) {
	out, err := over(ctx, d.session, func(l *libvirt.Libvirt) ([]machine.Machine, error) { return list(l, owner) })
	if err != nil {
		return nil, fmt.Errorf("listing machines: %w", err)
	}
	return out, nil
}

func list(l *libvirt.Libvirt, owner string) ([]machine.Machine, error) {
	all, _, err := l.ConnectListAllDomains(1, libvirt.ConnectListDomainsPersistent)
	if err != nil {
		return nil, err
	}
	var out []machine.Machine
	for _, domain := range all {
		if !strings.HasPrefix(domain.Name, livePrefix) || strings.HasPrefix(domain.Name, gonePrefix) {
			continue
		}
		m, err := markOf(l, domain)
		if libvirt.IsNotFound(err) || said(err, libvirt.ErrNoDomainMetadata) {
			continue // it went meanwhile, or is somebody else's
		}
		if err != nil {
			return nil, err
		}
		if m.Owner != owner {
			continue
		}
		one, err := read(l, found{domain: domain, mark: m})
		if libvirt.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}
