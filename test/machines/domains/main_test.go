package domains

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"k8s.io/klog/v2/textlogger"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/binaries"
	"github.com/argosy-dev/argosy/test/lab/iaas"
	"github.com/argosy-dev/argosy/test/machines/debian"
)

// host is where libvirtd, QEMU, what libvirt's networks and disks need, and what a guest starts are; apt is asked once.
var host = sync.OnceValues(func() (debian.Root, error) {
	return debian.Unpack(context.Background(), "libvirt-daemon", "libvirt-daemon-driver-qemu", "qemu-system-x86", "qemu-utils", "dnsmasq-base",
		"busybox-static", "dropbear-bin", "linux-image-cloud-amd64")
})

// inside marks the process that is in a network of its own.
const inside = "ARGOSY_DOMAINS_NETWORK"

func TestMain(m *testing.M) {
	ctrl.SetLogger(textlogger.NewLogger(textlogger.NewConfig()))
	if os.Getenv(inside) == "" {
		_, _ = host() // while there is a network; who needs it says what is missing
		root, err := binaries.FindRoot()
		if err == nil {
			_, err = binaries.Ensure(context.Background(), binaries.Options{Root: root, Progress: os.Stderr}, "etcd", "kube-apiserver")
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "an API server is needed:", err)
			os.Exit(1)
		}
		os.Exit(again())
	}
	if err := iaas.Network(); err != nil {
		fmt.Fprintln(os.Stderr, "a network that may be changed is needed:", err)
		os.Exit(1)
	}
	os.Exit(lab.Judge(m))
}

// again is this program in a network of its own: libvirt makes a bridge, and forwards on it, and neither is to be this host's.
func again() int {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, "finding this program:", err)
		return 1
	}
	command := exec.Command(self, os.Args[1:]...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.Env = append(os.Environ(), inside+"=own")
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		command.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		command.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		command.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	var exit *exec.ExitError
	switch err := command.Run(); {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exit.ExitCode()
	default:
		fmt.Fprintln(os.Stderr, "starting once more in a network of its own:", err)
		return 1
	}
}
