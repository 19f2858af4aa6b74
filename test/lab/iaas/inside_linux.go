package iaas

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"github.com/argosy-dev/argosy/member/vm/remote/remotetest"
)

const (
	// beMachine has this program be the first process of a guest.
	beMachine = "ARGOSY_LAB_GUEST"
	// card is the guest's network card.
	card = "eth0"
	// up is what a guest says when it is.
	up = "up"
)

// identity is what a guest is told when its cable is there.
type identity struct {
	Name, Dir, Address, Host, Authorized string
	HostKey                              []byte
	Env                                  []string
}

// BeMachine has this program be a part of a guest, where it was started as one, and does not return then: main calls it first.
func BeMachine() {
	if at := os.Getenv(beService); at != "" {
		fmt.Fprintln(os.Stderr, serveShop(at))
		os.Exit(1)
	}
	if os.Getenv(beMachine) == "" {
		return
	}
	parent := os.NewFile(3, "parent")
	err := live(func() { fmt.Fprintln(parent, up) })
	fmt.Fprintln(parent, err)
	os.Exit(1)
}

// live as a machine, and say when it is up. It returns with an error only.
func live(ready func()) error {
	unix.CloseOnExec(3)
	var who identity
	if err := json.NewDecoder(os.Stdin).Decode(&who); err != nil {
		return fmt.Errorf("hearing who this machine is: %w", err)
	}
	if err := join(who); err != nil {
		return fmt.Errorf("joining the network: %w", err)
	}
	root, err := settle(who)
	if err != nil {
		return err
	}
	authorized, _, _, _, err := ssh.ParseAuthorizedKey([]byte(who.Authorized))
	if err != nil {
		return fmt.Errorf("reading whose machine it is: %w", err)
	}
	env := append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}, who.Env...)
	if root != "/" {
		env = who.Env
		_ = os.Setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	}
	init := &reaper{children: map[int]chan struct{}{}, born: make(chan struct{}, 1)}
	_, err = remotetest.Start(remotetest.Options{
		Root: root, Address: net.JoinHostPort(who.Address, "22"), Authorized: authorized, HostKey: who.HostKey, Env: env, Run: init.run,
	})
	if err != nil {
		return err
	}
	ready()
	return init.reap()
}

// join the network: this host is the machine's only neighbour, and its way to all others.
func join(who identity) error {
	address, err := netip.ParseAddr(who.Address)
	if err != nil {
		return err
	}
	host, err := netip.ParseAddr(who.Host)
	if err != nil {
		return err
	}
	for name, its := range map[string]netip.Addr{"lo": {}, card: address} {
		link, err := netlink.LinkByName(name)
		if err == nil && its.IsValid() {
			err = netlink.AddrAdd(link, &netlink.Addr{IPNet: single(its)})
		}
		if err == nil {
			err = netlink.LinkSetUp(link)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	link, err := netlink.LinkByName(card)
	if err != nil {
		return err
	}
	if err := netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: single(host), Scope: netlink.SCOPE_LINK}); err != nil {
		return err
	}
	everywhere := &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}
	return netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: everywhere, Gw: host.AsSlice()})
}

// settle gives the machine files of its own: this host's, on which it writes without changing them, or, where the kernel has no overlays
// here, a folder. It returns its root.
func settle(who identity) (string, error) {
	written, work, at := filepath.Join(who.Dir, "written"), filepath.Join(who.Dir, "work"), filepath.Join(who.Dir, "root")
	for _, dir := range []string{written, work, at} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", fmt.Errorf("making a machine's files: %w", err)
		}
	}
	if err := errors.Join(unix.Sethostname([]byte(who.Name)), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")); err != nil {
		return "", fmt.Errorf("leaving this host's namespaces: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return "", fmt.Errorf("mounting the machine's processes: %w", err)
	}
	layers := "lowerdir=/,upperdir=" + written + ",workdir=" + work
	err := unix.Mount("overlay", at, "overlay", 0, layers)
	if err != nil {
		err = unix.Mount("overlay", at, "overlay", 0, layers+",userxattr")
	}
	if err == nil {
		if _, err = os.Stat(filepath.Join(at, "bin/sh")); err != nil {
			_ = unix.Unmount(at, unix.MNT_DETACH) // the shell is on another file system
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "machine %s has a folder for its files: %v\n", who.Name, err)
		return at, nil
	}
	return "/", enter(at, who)
}

func enter(at string, who identity) error {
	for name, mount := range map[string]func(string) error{
		"proc": func(to string) error { return unix.Mount("proc", to, "proc", 0, "") },
		"dev":  func(to string) error { return unix.Mount("/dev", to, "", unix.MS_BIND|unix.MS_REC, "") },
		"tmp":  func(to string) error { return unix.Mount("tmp", to, "tmpfs", 0, "mode=1777") },
		"run":  func(to string) error { return unix.Mount("run", to, "tmpfs", 0, "mode=755") },
	} {
		to := filepath.Join(at, name)
		if err := os.MkdirAll(to, 0o755); err != nil {
			return fmt.Errorf("making the machine's /%s: %w", name, err)
		}
		if err := mount(to); err != nil {
			return fmt.Errorf("mounting the machine's /%s: %w", name, err)
		}
	}
	if err := errors.Join(unix.Chroot(at), os.Chdir("/")); err != nil {
		return fmt.Errorf("entering the machine's files: %w", err)
	}
	// A link to a file of this host's run time would lead nowhere.
	if err := os.Remove("/etc/hosts"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("naming the machine's neighbours: %w", err)
	}
	hosts := fmt.Sprintf("127.0.0.1 localhost\n%s %s\n%s %s\n", who.Address, who.Name, who.Host, StoreName)
	if err := os.WriteFile("/etc/hosts", []byte(hosts), 0o644); err != nil {
		return fmt.Errorf("naming the machine's neighbours: %w", err)
	}
	return nil
}

// reaper is the part of a first process that buries orphans.
type reaper struct {
	mu       sync.Mutex
	children map[int]chan struct{}
	born     chan struct{}
}

// run a command of ours to its end.
func (r *reaper) run(command *exec.Cmd) error {
	r.mu.Lock()
	err := command.Start()
	buried := make(chan struct{})
	if err == nil {
		r.children[command.Process.Pid] = buried
	}
	r.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case r.born <- struct{}{}:
	default:
	}
	err = command.Wait()
	r.mu.Lock()
	delete(r.children, command.Process.Pid)
	r.mu.Unlock()
	close(buried)
	return err
}

// reap whoever ends and is nobody's. Who has no children gets no orphans either: then it waits for one to be born.
func (r *reaper) reap() error {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOWAIT, nil)
		switch {
		case errors.Is(err, unix.ECHILD):
			<-r.born
			continue
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("waiting for processes: %w", err)
		}
		r.bury(ended(&info))
	}
}

func (r *reaper) bury(pid int) {
	r.mu.Lock()
	ours := r.children[pid]
	r.mu.Unlock()
	if ours != nil {
		<-ours
		return
	}
	_, _ = unix.Wait4(pid, nil, 0, nil) // it has ended
}

// ended is who the kernel speaks of: the first word after the three of every siginfo and their padding, on all 64-bit systems.
func ended(info *unix.Siginfo) int {
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(info), 16)))
}
