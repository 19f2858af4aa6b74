package remotetest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/argosy-dev/argosy/member/vm/remote"
)

// Options of a Guest.
type Options struct {
	// Root is the folder of its files. It outlives the guest. "/" is for one that has all files for itself.
	Root string
	// Address to listen at; a port of 0 is any.
	Address string
	// Authorized may log in, as any user; nil: a new key, which Target has.
	Authorized ssh.PublicKey
	// Env is added to what its processes see.
	Env []string
	// HostKey is the private one, as PEM; nil: a new one.
	HostKey []byte
	// Run a command to its end; nil: as exec.Cmd does.
	Run func(*exec.Cmd) error
}

// Guest is a machine.
type Guest struct {
	options Options
	key     []byte
	host    ssh.Signer
	name    string

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
	boots    int
	accepted int
}

// Key is a private key as PEM, and its public part.
func Key() ([]byte, ssh.PublicKey, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("making a key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return nil, nil, fmt.Errorf("writing a key: %w", err)
	}
	signer, err := ssh.NewSignerFromSigner(private)
	if err != nil {
		return nil, nil, fmt.Errorf("reading a key: %w", err)
	}
	return pem.EncodeToMemory(block), signer.PublicKey(), nil
}

// Start a guest.
func Start(o Options) (*Guest, error) {
	g := &Guest{options: o, open: map[net.Conn]bool{}}
	if o.Authorized == nil {
		var err error
		if g.key, g.options.Authorized, err = Key(); err != nil {
			return nil, err
		}
	}
	if g.options.Run == nil {
		g.options.Run = (*exec.Cmd).Run
	}
	text, err := o.HostKey, error(nil)
	if text == nil {
		text, _, err = Key()
	}
	if err != nil {
		return nil, err
	}
	if g.host, err = ssh.ParsePrivateKey(text); err != nil {
		return nil, fmt.Errorf("reading a host key: %w", err)
	}
	g.name = ssh.FingerprintSHA256(g.host.PublicKey())
	return g, g.Boot()
}

// Target to log into it.
func (g *Guest) Target() remote.Target {
	g.mu.Lock()
	defer g.mu.Unlock()
	return remote.Target{Address: g.options.Address, User: "root", Key: g.key, HostKeys: []string{g.hostKey()}}
}

func (g *Guest) hostKey() string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(g.host.PublicKey())))
}

// HostKey as known_hosts has it, without the host.
func (g *Guest) HostKey() string { return g.hostKey() }

// BootID changes with every boot.
func (g *Guest) BootID() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.bootID()
}

func (g *Guest) bootID() string { return fmt.Sprintf("%x-%d", g.name[7:11], g.boots) }

// Boot it, after its power was cut. It keeps its address.
func (g *Guest) Boot() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	listener, err := net.Listen("tcp", g.options.Address)
	if err != nil {
		return fmt.Errorf("starting a guest: %w", err)
	}
	g.listener, g.options.Address = listener, listener.Addr().String()
	g.boots++
	go g.serve(listener, g.environment())
	return nil
}

func (g *Guest) environment() []string {
	env := []string{"LC_ALL=C", "ARGOSY_BOOT_ID=" + g.bootID(), g.mark()}
	if root := g.options.Root; root != "/" {
		env = append(env, "PATH="+filepath.Join(root, "bin")+":"+os.Getenv("PATH"), "HOME="+root, "ARGOSY_ROOT="+root)
	}
	return append(env, g.options.Env...)
}

// mark is in the environment of every process of the guest, and of no other.
func (g *Guest) mark() string { return "ARGOSY_GUEST=" + g.name }

// CutPower ends all its processes and connections at once.
func (g *Guest) CutPower() {
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = g.listener.Close()
	for wire := range g.open {
		_ = wire.Close()
	}
	// Those that are being born show up in the next look.
	for range 100 {
		if g.killAll() == 0 {
			return
		}
	}
}

func (g *Guest) killAll() int {
	n := 0
	for _, pid := range g.pids() {
		if syscall.Kill(pid, syscall.SIGKILL) == nil {
			n++
		}
	}
	return n
}

// pids of the guest's processes.
func (g *Guest) pids() []int {
	var out []int
	all, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range all {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || pid == os.Getpid() {
			continue
		}
		text, err := os.ReadFile(path)
		if err == nil && bytes.Contains(append([]byte{0}, text...), append([]byte{0}, append([]byte(g.mark()), 0)...)) {
			out = append(out, pid)
		}
	}
	return out
}

// Processes is how many the guest has.
func (g *Guest) Processes() int { return len(g.pids()) }

// Connections is how many it has at this time, and how many it ever took.
func (g *Guest) Connections() (open, ever int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.open), g.accepted
}
