package domains

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/digitalocean/go-libvirt"
	"github.com/digitalocean/go-libvirt/socket/dialers"
	"github.com/onsi/gomega"

	"github.com/argosy-dev/argosy/member/vm/machine/libvirtdriver"
	"github.com/argosy-dev/argosy/test/machines/daemon"
	"github.com/argosy-dev/argosy/test/machines/initrd"
)

// around runs libvirtd with the packages laid over /usr, in mounts and processes of its own: what it starts ends with it. It touches
// nothing of this host: /etc is a copy on write, and the folders that it writes are in memory. Libraries are copied to where programs look
// for them that libvirt starts without a word of where they are. What it changes in /etc is copied first: an ordinary user who is root in a
// namespace alone may not write into files of this host's root, a copy on write or not.
//
// A user of such a namespace may give up no groups. So libvirt (user and group of no number) and dnsmasq (group of no name) are told to
// change neither user nor group for what they start: it is root of the namespace as they are.
const around = `set -eu
root=$1 folder=$2
for at in /run /var/lib /var/cache /var/log; do mount -t tmpfs tmpfs "$at"; done
mkdir -p /run/etc/up/libvirt /run/etc/work /run/libvirt /run/usr/lib
for at in "$root"/lib/*-linux-gnu; do [ ! -d "$at" ] || cp -a "$at" /run/usr/lib/; done
mount -t overlay overlay -o "lowerdir=/run/usr:$root/usr:/usr" /usr
cat /etc/passwd >/run/etc/up/passwd; cat /etc/group >/run/etc/up/group
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc/up,workdir=/run/etc/work /etc
mkdir -p /var/lib/libvirt /var/cache/libvirt /var/log/libvirt
grep -q ^libvirt-qemu: /etc/passwd || echo libvirt-qemu:x:64055:64055::/nonexistent:/bin/false >>/etc/passwd
for group in libvirt-qemu:x:64055: kvm:x:64056:; do grep -q "^${group%%:*}:" /etc/group || echo "$group" >>/etc/group; done
cat >/etc/libvirt/qemu.conf <<END
user = "+4294967295"
group = "+4294967295"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
END
cat >/etc/libvirt/libvirtd.conf <<END
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_dir = "$folder"
log_outputs = "4:file:$folder/log"
END
# What nobody waits for is this shell's to bury: libvirt takes the dead for alive else.
libvirtd &
wait $!
`

const (
	uri = "qemu:///system"
	// hostAddress is this host's in libvirt's network, where machines fetch from.
	hostAddress = "192.0.2.1"

	network = `<network xmlns:dnsmasq="http://libvirt.org/schemas/network/dnsmasq/1.0"><name>shop</name><forward mode="open"/>
<bridge name="argosy0" stp="off" delay="0"/><dns enable="no"/><ip address="` + hostAddress + `" netmask="255.255.255.0">
<dhcp><range start="192.0.2.10" end="192.0.2.99"/></dhcp></ip>
<dnsmasq:options><dnsmasq:option value="user=root"/><dnsmasq:option value="group="/></dnsmasq:options></network>`
	blank = `<volume><name>blank</name><capacity unit="M">64</capacity><target><format type="qcow2"/></target></volume>`
)

// newLibvirt is a real libvirtd with its QEMU driver, a network with leases and a pool with what guests start.
func newLibvirt(t *testing.T) (*libvirt.Libvirt, *libvirtdriver.Driver) {
	t.Helper()
	root, err := host()
	if err != nil {
		t.Fatal(err)
	}
	libraries, err := root.Libraries()
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "libvirt-") // a socket's path has room for some hundred bytes
	if err != nil {
		t.Fatal(err)
	}
	images := filepath.Join(folder, "images")
	if err := os.Mkdir(images, 0o755); err != nil {
		t.Fatal(err)
	}
	kernel, first := initrd.Build(t, root)
	text, err := os.ReadFile(kernel)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"kernel": text, "initrd": first} {
		if err := os.WriteFile(filepath.Join(images, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(context.WithoutCancel(t.Context()), "unshare", "--mount", "--propagation", "private", "--pid", "--fork",
		"--kill-child=KILL", "--mount-proc", "sh", "-c", around, "sh", string(root), folder)
	command.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libraries, ":"))
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	client := libvirt.NewWithDialer(dialers.NewLocal(dialers.WithSocket(filepath.Join(folder, "libvirt-sock"))))
	daemon.Start(t, daemon.Options{
		Command: command, Answers: func() error { return client.ConnectToURI(uri) }, Patience: patience, Log: filepath.Join(folder, "log"),
		Buried: func() { os.RemoveAll(folder) },
	})
	g := gomega.NewWithT(t)
	_, err = client.NetworkCreateXML(network)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	pool, err := client.StoragePoolCreateXML(`<pool type="dir"><name>shop</name><target><path>`+images+`</path></target></pool>`, 0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	_, err = client.StorageVolCreateXML(pool, blank, 0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	driver, err := libvirtdriver.New(libvirtdriver.Options{
		Address: "unix:" + filepath.Join(folder, "libvirt-sock"), URI: uri, Type: "qemu", Images: "shop", Pool: "shop", Network: "shop",
	})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	return client, driver
}

// patience with emulated machines on a busy one.
const patience = 5 * time.Minute
