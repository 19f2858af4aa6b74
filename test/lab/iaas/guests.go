package iaas

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/argosy-dev/argosy/member/vm/remote/remotetest"
)

// Guests are machines that do something: each an SSH server at an address of its own, with a folder as its files. The address must be one
// of this host: see Network.
type Guests struct {
	// Dir holds the machines' files.
	Dir string
	// Env is added to what their processes see; "$ADDRESS" in it is the machine's address.
	Env []string

	mu    sync.Mutex
	guest map[string]*remotetest.Guest
}

// authorized is the first SSH key in a machine's user data, as cloud-init's ssh_authorized_keys has it.
func authorized(userData []byte) (ssh.PublicKey, error) {
	for line := range strings.Lines(string(userData)) {
		if at := strings.Index(line, "ssh-"); at >= 0 {
			if key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line[at:])); err == nil {
				return key, nil
			}
		}
	}
	return nil, fmt.Errorf("the user data name no SSH key")
}

// boot the machine of a key, the first time or again. A machine whose user data name no key cannot be logged into, and is none of these.
func (g *Guests) boot(e *entry) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	guest := g.guest[e.Key]
	if guest == nil {
		key, err := authorized(e.spec.UserData)
		if err != nil {
			return nil
		}
		address := e.Addresses[0].Address
		var env []string
		for _, line := range g.Env {
			env = append(env, strings.ReplaceAll(line, "$ADDRESS", address))
		}
		root := filepath.Join(g.Dir, e.ID)
		if err := os.MkdirAll(root, 0o700); err != nil {
			return fmt.Errorf("making a machine's files: %w", err)
		}
		guest, err = remotetest.Start(remotetest.Options{Root: root, Address: address + ":22", Authorized: key, Env: env})
		if err != nil {
			return err
		}
		if g.guest == nil {
			g.guest = map[string]*remotetest.Guest{}
		}
		g.guest[e.Key] = guest
	} else if err := guest.Boot(); err != nil {
		return err
	}
	e.HostKeys, e.BootID = []string{guest.HostKey()}, guest.BootID()
	return nil
}

// cut the power of the machine of a key; its files stay.
func (g *Guests) cut(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if guest := g.guest[key]; guest != nil {
		guest.CutPower()
	}
}

// Close cuts the power of all.
func (g *Guests) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, guest := range g.guest {
		guest.CutPower()
	}
}

// Root is the folder of the machine with an id; it may not be there.
func (g *Guests) Root(id string) string { return filepath.Join(g.Dir, id) }
