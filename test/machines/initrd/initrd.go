package initrd

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/argosy-dev/argosy/test/machines/debian"
)

// boot is the first process of a guest: modules, a lease, the key of whoever may log in from the firmware's file of user data, and an SSH
// server that shows the host key that the firmware has, or else says one of its own on the console, as cloud images do.
const boot = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin LD_LIBRARY_PATH=/lib
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev; mkdir /dev/pts; mount -t devpts pts /dev/pts
for m in failover net_failover virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_net qemu_fw_cfg; do
  insmod /modules/$m.ko
done
ip link set lo up; ip link set eth0 up
udhcpc -i eth0 -q -n -s /etc/lease
mkdir -p /root/.ssh /etc/dropbear
echo root:x:0:0:root:/root:/bin/sh >/etc/passwd; echo /bin/sh >/etc/shells
sed -n 's/^- \(ssh-.*\)/\1/p' /sys/firmware/qemu_fw_cfg/by_name/opt/dev.argosy/user-data/raw >/root/.ssh/authorized_keys
chmod 700 /root /root/.ssh; chmod 600 /root/.ssh/authorized_keys
told=/sys/firmware/qemu_fw_cfg/by_name/opt/dev.argosy/ssh-host-key/raw
if [ -e $told ]; then cat $told >/tmp/key && dropbearconvert openssh dropbear /tmp/key /etc/dropbear/key
else dropbearkey -t ed25519 -f /etc/dropbear/key | grep '^ssh-'; fi
echo ready
exec dropbear -F -E -s -r /etc/dropbear/key
`

const lease = `#!/bin/sh
if [ "$1" = bound ]; then ip addr add "$ip/${mask:-24}" dev eth0 && ip route add default via "$router"; fi
`

// modules of the kernel that a guest needs.
var modules = []string{
	"net/core/failover.ko", "drivers/net/net_failover.ko", "drivers/virtio/virtio.ko", "drivers/virtio/virtio_ring.ko",
	"drivers/virtio/virtio_pci_modern_dev.ko", "drivers/virtio/virtio_pci_legacy_dev.ko", "drivers/virtio/virtio_pci.ko",
	"drivers/net/virtio_net.ko", "drivers/firmware/qemu_fw_cfg.ko",
}

// archive is a cpio of the form that Linux takes for its first file system.
type archive struct {
	out   *gzip.Writer
	files int
}

func (a *archive) add(name string, mode uint32, data []byte) error {
	a.files++
	header := "070701"
	for _, n := range []int{a.files, int(mode), 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0} {
		header += fmt.Sprintf("%08X", n)
	}
	text := padded(append([]byte(header+name), 0))
	_, err := a.out.Write(append(text, padded(bytes.Clone(data))...))
	return err
}

// padded to whole words.
func padded(text []byte) []byte { return append(text, make([]byte, (4-len(text)%4)%4)...) }

const (
	folder  = 0o040755
	program = 0o100755
)

// Build the first file system of a guest from packages, and find its kernel.
func Build(t testing.TB, root debian.Root) (kernel string, text []byte) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(string(root), "boot/vmlinuz-*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d kernels: %v", len(found), err)
	}
	kernel = found[0]
	its := filepath.Join("lib/modules", filepath.Base(kernel)[len("vmlinuz-"):], "kernel")
	var out bytes.Buffer
	zip, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	a := &archive{out: zip}
	for _, name := range []string{"bin", "dev", "etc", "lib", "lib64", "modules", "proc", "root", "sys", "tmp", "var"} {
		err = firstOf(err, a.add(name, folder, nil))
	}
	err = firstOf(err, a.add("init", program, []byte(boot)))
	err = firstOf(err, a.add("etc/lease", program, []byte(lease)))
	// Debian's busybox has no flock.
	files := map[string]string{
		"bin/busybox": "bin/busybox", "bin/dropbear": "usr/sbin/dropbear", "bin/dropbearkey": "usr/bin/dropbearkey",
		"bin/dropbearconvert": "usr/bin/dropbearconvert", "bin/flock": "usr/bin/flock",
	}
	for _, module := range modules {
		files["modules/"+filepath.Base(module)] = filepath.Join(its, module)
	}
	for library, path := range libraries(t, root, "usr/sbin/dropbear", "usr/bin/dropbearkey", "usr/bin/dropbearconvert", "usr/bin/flock") {
		files["lib/"+library] = path
	}
	files["lib64/ld-linux-x86-64.so.2"] = "lib64/ld-linux-x86-64.so.2"
	for name, path := range files {
		data, err2 := os.ReadFile(at(t, root, path))
		err = firstOf(err, err2)
		err = firstOf(err, a.add(name, program, data))
	}
	err = firstOf(err, a.add("TRAILER!!!", 0, nil))
	if err = firstOf(err, zip.Close()); err != nil {
		t.Fatal(err)
	}
	return kernel, out.Bytes()
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func at(t testing.TB, root debian.Root, path string) string {
	t.Helper()
	if filepath.IsAbs(path) {
		return path
	}
	file, err := root.File(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// libraries that programs link, and what these link, by name.
func libraries(t testing.TB, root debian.Root, programs ...string) map[string]string {
	t.Helper()
	own, err := root.Libraries()
	if err != nil {
		t.Fatal(err)
	}
	folders := append(own, "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu")
	out := map[string]string{}
	for len(programs) > 0 {
		var needed []string
		file, err := elf.Open(at(t, root, programs[0]))
		if err == nil {
			needed, err = file.ImportedLibraries()
			_ = file.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		programs = programs[1:]
		for _, name := range needed {
			for _, folder := range folders {
				path := filepath.Join(folder, name)
				if _, err := os.Stat(path); err == nil && out[name] == "" {
					out[name], programs = path, append(programs, path)
				}
			}
			if out[name] == "" {
				t.Fatalf("the library %s is in none of %v", name, folders)
			}
		}
	}
	return out
}
