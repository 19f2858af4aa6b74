package iaas

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"github.com/argosy-dev/argosy/member/vm/remote/remotetest"
	"github.com/argosy-dev/argosy/test/lab/process"
)

// yards there can be on one host, each with four subnets of 250 machines.
const yards = 32

// Yard is where guests have namespaces of their own: network, processes, files and a name. This program itself, started once more, is the
// first process of each (see BeMachine), and all of a guest ends with it. Addresses are of 198.18.0.0/15, which RFC 2544 keeps for tests of
// networks. It needs the right to change this host's network.
type Yard struct {
	dir    string
	number int
	claim  net.Listener
	// host is this host's address as machines see it.
	host netip.Addr
}

// NewYard claims subnets that no other yard of this host's has; the error says which right is missing. The files of machines are in dir.
func NewYard(dir string) (*Yard, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("machines that can be logged into need root, and this is user %d", os.Geteuid())
	}
	// An earlier yard's machines ended with it.
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return nil, fmt.Errorf("making a folder for machines: %w", err)
	}
	var taken error
	for number := range yards {
		// An abstract socket is a network's own, and gone with its process.
		claim, err := net.Listen("unix", fmt.Sprintf("@argosy-lab-yard-%d", number))
		if err != nil {
			taken = err
			continue
		}
		y := &Yard{dir: dir, number: number, claim: claim, host: netip.AddrFrom4([4]byte{198, 18, byte(4 * number), 254})}
		if err := y.hostAddress(netlink.AddrAdd); err != nil && !errors.Is(err, syscall.EEXIST) {
			_ = claim.Close()
			return nil, fmt.Errorf("giving this host an address beside its machines: %w", err)
		}
		if err := netlink.RouteReplace(y.nowhere()); err != nil {
			return nil, errors.Join(fmt.Errorf("keeping addresses without machines apart: %w", err), y.Close())
		}
		return y, nil
	}
	return nil, fmt.Errorf("all %d ranges of addresses for machines are taken on this host: %w", yards, taken)
}

func single(address netip.Addr) *net.IPNet {
	return &net.IPNet{IP: address.AsSlice(), Mask: net.CIDRMask(32, 32)}
}

// nowhere is where addresses of the yard lead that no machine has, or has any more. Without it they would lead to this host's own way out,
// where some answer in everybody's place.
func (y *Yard) nowhere() *netlink.Route {
	subnets := &net.IPNet{IP: net.IPv4(198, 18, byte(4*y.number), 0), Mask: net.CIDRMask(22, 32)}
	return &netlink.Route{Dst: subnets, Type: unix.RTN_UNREACHABLE}
}

func (y *Yard) hostAddress(change func(netlink.Link, *netlink.Addr) error) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	return change(lo, &netlink.Addr{IPNet: single(y.host)})
}

// Host is this host's address as machines see it.
func (y *Yard) Host() string { return y.host.String() }

// Close gives the subnets back.
func (y *Yard) Close() error {
	return errors.Join(netlink.RouteDel(y.nowhere()), y.hostAddress(netlink.AddrDel), y.claim.Close())
}

// address of the machine that was made as the n-th.
func (y *Yard) address(n int) string {
	return fmt.Sprintf("198.18.%d.%d", 4*y.number+n/250%4, n%250+1)
}

// cell is a guest in namespaces.
type cell struct {
	yard          *Yard
	id, link      string
	address       netip.Addr
	authorized    ssh.PublicKey
	private       []byte
	public        string
	env           []string
	died          func()
	mu            sync.Mutex
	boots         int
	running       *exec.Cmd
	ended, wanted chan struct{}
}

// start a guest at an address, the number-th; died is called when it ends and nobody cut its power.
func (y *Yard) start(number int, o guestOptions) (guest, error) {
	private, _, err := remotetest.Key()
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("reading a host key: %w", err)
	}
	address, err := netip.ParseAddr(o.address)
	if err != nil {
		return nil, fmt.Errorf("reading a machine's address: %w", err)
	}
	c := &cell{
		yard: y, id: o.id, link: fmt.Sprintf("argosy%d-%d", y.number, number), address: address, authorized: o.authorized,
		private: private, public: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))), env: o.env, died: o.died,
	}
	return c, c.Boot()
}

func (c *cell) HostKey() string { return c.public }

func (c *cell) BootID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bootID()
}

func (c *cell) bootID() string {
	return fmt.Sprintf("%s-%d", ssh.FingerprintSHA256(c.authorizedHost())[7:11], c.boots)
}

func (c *cell) authorizedHost() ssh.PublicKey {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(c.public))
	if err != nil {
		panic(err) // it was written a moment ago
	}
	return key
}

// Boot it. It is up when this returns.
func (c *cell) Boot() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.boots++
	answer, said, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("starting a machine: %w", err)
	}
	defer answer.Close()
	command := exec.Command("/proc/self/exe")
	command.Env = []string{beMachine + "=1"}
	command.ExtraFiles = []*os.File{said}
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS, Pdeathsig: syscall.SIGKILL,
	}
	input, err := command.StdinPipe()
	if err == nil {
		err = process.StartKept(command)
	}
	_ = said.Close()
	if err != nil {
		return fmt.Errorf("starting a machine in namespaces of its own: %w", err)
	}
	c.running, c.ended, c.wanted = command, make(chan struct{}), make(chan struct{})
	go c.watch(command, c.ended, c.wanted)
	if err := c.wire(command.Process.Pid); err != nil {
		c.kill()
		return err
	}
	return c.greet(input, answer)
}

// greet tells the guest who it is, and waits until it is up.
func (c *cell) greet(input io.WriteCloser, answer io.Reader) error {
	err := json.NewEncoder(input).Encode(identity{
		Name: c.id, Dir: filepath.Join(c.yard.dir, c.id), Address: c.address.String(), Host: c.yard.Host(), HostKey: c.private,
		Authorized: string(ssh.MarshalAuthorizedKey(c.authorized)), Env: append([]string{"ARGOSY_BOOT_ID=" + c.bootID()}, c.env...),
	})
	err = errors.Join(err, input.Close())
	line, err2 := bufio.NewReader(answer).ReadString('\n')
	if said := strings.TrimSpace(line); said != up {
		c.kill()
		return fmt.Errorf("starting a machine: %s: %w", said, errors.Join(err, err2))
	}
	return nil
}

// wire lays a cable from this host to the guest.
func (c *cell) wire(pid int) error {
	if old, err := netlink.LinkByName(c.link); err == nil {
		_ = netlink.LinkDel(old) // it goes by itself otherwise, a moment after its machine
	}
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: c.link}, PeerName: card, PeerNamespace: netlink.NsPid(pid)}
	if err := netlink.LinkAdd(link); err != nil {
		return fmt.Errorf("laying a cable to a machine: %w", err)
	}
	return c.plugIn()
}

func (c *cell) plugIn() error {
	link, err := netlink.LinkByName(c.link)
	if err == nil {
		err = netlink.LinkSetUp(link)
	}
	if err == nil {
		err = netlink.RouteReplace(&netlink.Route{
			LinkIndex: link.Attrs().Index, Dst: single(c.address), Scope: netlink.SCOPE_LINK, Src: c.yard.host.AsSlice(),
		})
	}
	if err != nil {
		return fmt.Errorf("plugging a machine's cable in: %w", err)
	}
	return nil
}

// Plug its cable in or out; its processes go on.
func (c *cell) Plug(in bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if in {
		return c.plugIn()
	}
	link, err := netlink.LinkByName(c.link)
	if err == nil {
		err = netlink.LinkSetDown(link)
	}
	if err != nil {
		return fmt.Errorf("plugging a machine's cable out: %w", err)
	}
	return nil
}

func (c *cell) watch(command *exec.Cmd, ended, wanted chan struct{}) {
	_ = command.Wait() // however it ended
	close(ended)
	select {
	case <-wanted:
	default:
		c.died()
	}
}

func (c *cell) kill() {
	if c.running == nil {
		return
	}
	close(c.wanted)
	_ = c.running.Process.Kill()
	<-c.ended
	c.running = nil
}

// CutPower ends all its processes at once; its files stay.
func (c *cell) CutPower() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kill()
}

// PID of its first process, as this host counts; 0 while it is down.
func (c *cell) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		return 0
	}
	return c.running.Process.Pid
}
