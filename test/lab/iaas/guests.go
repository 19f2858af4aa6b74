package iaas

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/argosy-dev/argosy/member/vm/remote/remotetest"
)

// Guests are machines that do something: each an SSH server at an address of its own. In a Yard each has namespaces of its own; without one
// it has a folder for its files, and its address must be one of this host: see Network.
type Guests struct {
	// Dir holds the machines' files, where there is no Yard.
	Dir string
	// Yard has the machines; nil: this process.
	Yard *Yard
	// Env is added to what their processes see; "$ADDRESS" in it is the machine's address.
	Env []string

	mu    sync.Mutex
	guest map[string]guest
}

// guest is one machine.
type guest interface {
	HostKey() string
	BootID() string
	Boot() error
	CutPower()
}

// guestOptions of a new one.
type guestOptions struct {
	id, address string
	authorized  ssh.PublicKey
	env         []string
	died        func()
}

// errNoKey: nobody can log into the machine.
var errNoKey = errors.New("the user data name no SSH key")

// authorized is the first SSH key in a machine's user data, as cloud-init's ssh_authorized_keys has it.
func authorized(userData []byte) (ssh.PublicKey, error) {
	for line := range strings.Lines(string(userData)) {
		if at := strings.Index(line, "ssh-"); at >= 0 {
			if key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line[at:])); err == nil {
				return key, nil
			}
		}
	}
	return nil, errNoKey
}

// address of the machine that was made as the n-th.
func (g *Guests) address(subnet, n int) string {
	if g != nil && g.Yard != nil {
		return g.Yard.address(n)
	}
	return fmt.Sprintf("%s%d.%d", Addresses, subnet+n/250, n%250+1)
}

// boot the machine of a key, the number-th, the first time or again; died is called when it ends by itself. It returns the machine's host
// keys and boot id. A machine whose user data name no key cannot be logged into, and is none of these: it has neither.
func (g *Guests) boot(key string, number int, o guestOptions, userData []byte) ([]string, string, error) {
	g.mu.Lock()
	one := g.guest[key]
	g.mu.Unlock()
	if one != nil {
		if err := one.Boot(); err != nil {
			return nil, "", err
		}
		return []string{one.HostKey()}, one.BootID(), nil
	}
	var err error
	if o.authorized, err = authorized(userData); err != nil {
		return nil, "", err
	}
	for _, line := range g.Env {
		o.env = append(o.env, strings.ReplaceAll(line, "$ADDRESS", o.address))
	}
	if one, err = g.start(number, o); err != nil {
		return nil, "", err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.guest == nil {
		g.guest = map[string]guest{}
	}
	g.guest[key] = one
	return []string{one.HostKey()}, one.BootID(), nil
}

func (g *Guests) start(number int, o guestOptions) (guest, error) {
	if g.Yard != nil {
		return g.Yard.start(number, o)
	}
	root := g.Root(o.id)
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("making a machine's files: %w", err)
	}
	return remotetest.Start(remotetest.Options{Root: root, Address: o.address + ":22", Authorized: o.authorized, Env: o.env})
}

func (g *Guests) one(key string) guest {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.guest[key]
}

// cut the power of the machine of a key; its files stay.
func (g *Guests) cut(key string) {
	if one := g.one(key); one != nil {
		one.CutPower()
	}
}

// PID of the first process of the machine of a key, as this host counts: the machine ends with it. 0: it has none of its own.
func (g *Guests) PID(key string) int {
	if one, ok := g.one(key).(interface{ PID() int }); ok {
		return one.PID()
	}
	return 0
}

// Plug the cable of the machine of a key in or out.
func (g *Guests) Plug(key string, in bool) error {
	one, ok := g.one(key).(interface{ Plug(in bool) error })
	if !ok {
		return errors.New("this machine has no cable")
	}
	return one.Plug(in)
}

// Close cuts the power of all.
func (g *Guests) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, one := range g.guest {
		one.CutPower()
	}
}

// Root is the folder of the machine with an id, where there is no Yard; it may not be there.
func (g *Guests) Root(id string) string { return filepath.Join(g.Dir, id) }
