package iaas

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Addresses of the lab's machines begin so.
const Addresses = "10.77."

// Network makes all addresses of the lab's machines this host's own, as `ip route add local 10.77.0.0/16 dev lo` does: they are no loopback
// addresses, which Kubernetes refuses for endpoints, and lead nowhere else. It needs the right to change the network; syscall.EPERM says
// that it is missing.
func Network() error {
	if err := loopbackUp(); err != nil {
		return fmt.Errorf("bringing the loopback up: %w", err)
	}
	lo, err := loopback()
	if err != nil {
		return err
	}
	body := []byte{
		unix.AF_INET, 16, 0, 0, unix.RT_TABLE_LOCAL, unix.RTPROT_BOOT, unix.RT_SCOPE_HOST, unix.RTN_LOCAL, 0, 0, 0, 0,
		8, 0, unix.RTA_DST, 0, 10, 77, 0, 0,
		8, 0, unix.RTA_OIF, 0,
	}
	body = binary.NativeEndian.AppendUint32(body, uint32(lo))
	request := make([]byte, unix.SizeofNlMsghdr, unix.SizeofNlMsghdr+len(body))
	binary.NativeEndian.PutUint32(request[0:], uint32(unix.SizeofNlMsghdr+len(body)))
	binary.NativeEndian.PutUint16(request[4:], unix.RTM_NEWROUTE)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE)
	if err := ask(append(request, body...)); err != nil && !errors.Is(err, syscall.EEXIST) {
		return fmt.Errorf("adding the route of the lab's machines: %w", err)
	}
	return nil
}

// ask the kernel, and wait for its answer.
func ask(request []byte) error {
	socket, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	if err := unix.Sendto(socket, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(socket, answer, 0)
	if err != nil {
		return err
	}
	if n < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR {
		return errors.New("the kernel's answer is none")
	}
	if code := int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])); code != 0 {
		return syscall.Errno(-code)
	}
	return nil
}

func loopback() (int, error) {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(socket)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return 0, err
	}
	if err := unix.IoctlIfreq(socket, unix.SIOCGIFINDEX, lo); err != nil {
		return 0, err
	}
	return int(lo.Uint32()), nil
}

func loopbackUp() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(socket, unix.SIOCGIFFLAGS, lo); err != nil {
		return err
	}
	if lo.Uint16()&unix.IFF_UP != 0 {
		return nil
	}
	lo.SetUint16(lo.Uint16() | unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, lo)
}

// inside marks the process that Own started.
const inside = "ARGOSY_LAB_NETWORK"

// Own gives this program a network that has the lab's machines: this host's, where that may be changed, or else one of its own, in which it
// is started once more. Then it does not return.
func Own() error {
	err := Network()
	if err == nil || !errors.Is(err, syscall.EPERM) || os.Getenv(inside) != "" {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	again := exec.Command(self, os.Args[1:]...)
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.Env = append(os.Environ(), inside+"=own")
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	var exit *exec.ExitError
	switch err := again.Run(); {
	case err == nil:
		os.Exit(0)
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode())
	default:
		return fmt.Errorf("starting once more in a network of its own: %w", err)
	}
	return nil
}
