package iaas

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/member/vm/machine/httpdriver"
)

// KnownImages begin so; another image is refused for good.
const KnownImages = "lab/"

// entry is a machine, or the memory of one.
type entry struct {
	httpdriver.Machine
	spec   httpdriver.Spec
	runsAt time.Time
	number int
	boots  int
	// booting is true while the guest is not up yet.
	booting bool
	removed bool
	highest int64
}

// Store is the system's table.
type Store struct {
	// Clock says when machines have booted.
	Clock clock.PassiveClock
	// Boot is how long a machine takes to run; none by default.
	Boot time.Duration
	// Guests run the machines; nil: they are entries of the table, and nothing else.
	Guests *Guests
	// Subnet is the third number of the machines' addresses, where more than one table has guests on a host.
	Subnet int

	mu      sync.Mutex
	entries map[string]*entry
	made    int
	// lagging is the table as lists see it, while they lag.
	lagging []httpdriver.Machine
}

// Made is how many machines were ever made.
func (s *Store) Made() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.made
}

// Machines there are, by key.
func (s *Store) Machines() []httpdriver.Machine {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machines("")
}

func (s *Store) machines(owner string) []httpdriver.Machine {
	out := []httpdriver.Machine{}
	for _, key := range slices.Sorted(maps.Keys(s.entries)) {
		e := s.entries[key]
		if !e.removed && e.ID != "" && (owner == "" || e.Owner == owner) {
			out = append(out, s.seen(e))
		}
	}
	return out
}

func (s *Store) seen(e *entry) httpdriver.Machine {
	if e.State == httpdriver.Creating && !e.booting && !s.Clock.Now().Before(e.runsAt) {
		e.State = httpdriver.Running
	}
	return e.Machine
}

func (s *Store) entry(key string) *entry {
	if s.entries == nil {
		s.entries = map[string]*entry{}
	}
	if s.entries[key] == nil {
		s.entries[key] = &entry{Machine: httpdriver.Machine{Key: key}}
	}
	return s.entries[key]
}

// admit a sequence, or say why not.
func (e *entry) admit(sequence int64) *httpdriver.Problem {
	switch {
	case sequence < 1:
		return &httpdriver.Problem{Code: httpdriver.Invalid, Key: e.Key, Message: "the header " + httpdriver.SequenceHeader + " is missing"}
	case sequence < e.highest:
		return &httpdriver.Problem{Code: httpdriver.Fenced, Key: e.Key, Message: fmt.Sprintf("sequence %d came after %d", sequence, e.highest)}
	}
	e.highest = sequence
	return nil
}

func (e *entry) notFound() *httpdriver.Problem {
	return &httpdriver.Problem{Code: httpdriver.NotFound, Key: e.Key, Message: "there is no machine of this key"}
}

func (s *Store) ensure(key string, sequence int64, spec httpdriver.Spec) (httpdriver.Machine, *httpdriver.Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entry(key)
	if problem := e.admit(sequence); problem != nil {
		return httpdriver.Machine{}, problem
	}
	switch {
	case e.removed:
		return httpdriver.Machine{}, e.notFound()
	case e.ID != "":
		return s.seen(e), nil
	case !strings.HasPrefix(spec.Image, KnownImages) || spec.Owner == "" || spec.Name == "":
		return httpdriver.Machine{}, &httpdriver.Problem{
			Code: httpdriver.Invalid, Key: key, Message: fmt.Sprintf("owner, name and an image %s... are needed, not %q", KnownImages, spec.Image),
		}
	}
	s.made++
	e.number, e.spec, e.boots, e.runsAt = s.made, spec, 1, s.Clock.Now().Add(s.Boot)
	e.ID, e.Owner, e.Name, e.State, e.BootID = "vm-"+strconv.Itoa(s.made), spec.Owner, spec.Name, httpdriver.Creating, bootID(s.made, 1)
	e.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: s.Guests.address(s.Subnet, s.made)}}
	if err := s.bring(e); err != nil {
		e.ID = ""
		return httpdriver.Machine{}, &httpdriver.Problem{Code: httpdriver.Busy, Key: key, Message: err.Error()}
	}
	return s.seen(e), nil
}

// bring a machine up, the first time or again. A guest in namespaces takes its time: it is up later, and the machine is being created then.
func (s *Store) bring(e *entry) error {
	if s.Guests == nil {
		return nil
	}
	options := guestOptions{id: e.ID, address: e.Addresses[0].Address, died: func() { s.put(e.Key, httpdriver.Failed) }}
	if s.Guests.Yard == nil {
		keys, boot, err := s.Guests.boot(e.Key, e.number, options, e.spec.UserData)
		return e.came(keys, boot, err)
	}
	e.booting, e.State = true, httpdriver.Creating
	go func() {
		keys, boot, err := s.Guests.boot(e.Key, e.number, options, e.spec.UserData)
		s.mu.Lock()
		defer s.mu.Unlock()
		e.booting = false
		if err := e.came(keys, boot, err); err != nil {
			fmt.Fprintln(os.Stderr, err)
			e.State = httpdriver.Failed
		}
		if e.removed || e.State != httpdriver.Creating {
			s.cut(e.Key) // it was removed or stopped while it came up
		}
	}()
	return nil
}

// came up, or not. A machine without a guest is what it was.
func (e *entry) came(hostKeys []string, boot string, err error) error {
	if errors.Is(err, errNoKey) {
		return nil
	}
	if err == nil {
		e.HostKeys, e.BootID = hostKeys, boot
	}
	return err
}

func bootID(machine, boot int) string { return fmt.Sprintf("boot-%d-%d", machine, boot) }

func (s *Store) get(key string) (httpdriver.Machine, *httpdriver.Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[key]
	if e == nil || e.removed || e.ID == "" {
		return httpdriver.Machine{}, (&entry{Machine: httpdriver.Machine{Key: key}}).notFound()
	}
	return s.seen(e), nil
}

func (s *Store) stop(key string, sequence int64) *httpdriver.Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entry(key)
	if e.removed || e.ID == "" {
		return e.notFound()
	}
	if problem := e.admit(sequence); problem != nil {
		return problem
	}
	e.State = httpdriver.Stopped
	s.cut(key)
	return nil
}

func (s *Store) remove(key string, sequence int64) *httpdriver.Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entry(key)
	if problem := e.admit(sequence); problem != nil {
		return problem
	}
	e.removed = true
	s.cut(key)
	return nil
}

func (s *Store) cut(key string) {
	if s.Guests != nil {
		s.Guests.cut(key)
	}
}

// page of a list of at most 50.
func (s *Store) page(owner, cursor string) httpdriver.Page {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.machines(owner)
	if s.lagging != nil {
		all = slices.DeleteFunc(slices.Clone(s.lagging), func(m httpdriver.Machine) bool { return m.Owner != owner })
	}
	all = slices.DeleteFunc(all, func(m httpdriver.Machine) bool { return m.Key <= cursor })
	out := httpdriver.Page{Machines: all}
	if len(all) > 50 {
		out.Machines, out.Next = all[:50], all[49].Key
	}
	return out
}

// Lag has lists say what is there now until Catch up.
func (s *Store) Lag() (catchUp func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lagging = s.machines("")
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.lagging = nil
	}
}

// Kill a machine, as a power cut does; false: there is none.
func (s *Store) Kill(key string) bool { return s.put(key, httpdriver.Failed) }

// Reboot a machine; false: there is none.
func (s *Store) Reboot(key string) bool { return s.put(key, httpdriver.Running) }

func (s *Store) put(key string, state httpdriver.State) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[key]
	if e == nil || e.removed || e.ID == "" {
		return false
	}
	e.State = state
	s.cut(key)
	if state == httpdriver.Running {
		e.boots++
		e.BootID = bootID(s.made, e.boots)
		if s.bring(e) != nil {
			e.State = httpdriver.Failed
		}
	}
	return true
}

// Exchange the host keys that the system names of a machine, as if another stood in its place; false: there is none.
func (s *Store) Exchange(key string, hostKeys ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[key]
	if e == nil || e.removed || e.ID == "" {
		return false
	}
	e.HostKeys = hostKeys
	return true
}

// Vanish takes a machine away behind everybody's back; its key is forgotten.
func (s *Store) Vanish(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut(key)
	delete(s.entries, key)
}
