package machines

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/digitalocean/go-libvirt"
	"github.com/digitalocean/go-libvirt/socket/dialers"
	"golang.org/x/crypto/ssh"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/machine"
	"github.com/argosy-dev/argosy/member/vm/machine/libvirtdriver"
	"github.com/argosy-dev/argosy/member/vm/machine/machinetest"
	beside "github.com/argosy-dev/argosy/test/machines/daemon"
	"github.com/argosy-dev/argosy/test/machines/debian"
)

// nobody is who the daemon runs as where the test is root: it then keeps to folders of its own, as that of any user does.
const nobody = 65534

// daemon is a real libvirtd of this test alone.
type daemon struct {
	t      *testing.T
	folder string
	// client keeps the state of libvirt's own test driver alive: it goes with its last connection.
	client *libvirt.Libvirt
}

func newDaemon(t *testing.T, uri libvirt.ConnectURI) *daemon {
	t.Helper()
	root, err := libvirtAt()
	if err != nil {
		t.Fatal(err)
	}
	// A socket's path has room for some hundred bytes, less than the test's own folder may take.
	folder, err := os.MkdirTemp("", "libvirt-")
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, folder: folder}
	d.client = libvirt.NewWithDialer(dialers.NewLocal(dialers.WithSocket(d.socket())))
	beside.Start(t, beside.Options{
		Command: d.command(root), Answers: func() error { return d.client.ConnectToURI(uri) }, Patience: time.Minute,
		Buried: func() { os.RemoveAll(folder) },
	})
	return d
}

func (d *daemon) socket() string { return filepath.Join(d.folder, "libvirt", "libvirt-sock") }

// command that runs the daemon. Where the test is root, the packages are in a folder that nobody else may read: they are mounted elsewhere
// for the daemon alone, in a mount namespace of its own.
func (d *daemon) command(root debian.Root) *exec.Cmd {
	d.t.Helper()
	libraries, err := root.Libraries()
	if err != nil {
		d.t.Fatal(err)
	}
	program, err := root.File("usr/sbin/libvirtd")
	if err != nil {
		d.t.Fatal(err)
	}
	environment := []string{
		"LD_LIBRARY_PATH=" + strings.Join(libraries, ":"), "HOME=" + d.folder, "XDG_RUNTIME_DIR=" + d.folder, "XDG_CONFIG_HOME=" + d.folder,
		"XDG_CACHE_HOME=" + d.folder, "PATH=" + os.Getenv("PATH"),
		"LIBVIRT_DRIVER_DIR=" + filepath.Join(filepath.Dir(libraries[0]), filepath.Base(libraries[0]), "libvirt", "connection-driver"),
	}
	ctx := context.WithoutCancel(d.t.Context())
	if os.Getuid() != 0 {
		command := exec.CommandContext(ctx, program)
		command.Env = environment
		return command
	}
	if err := os.Chown(d.folder, nobody, nobody); err != nil {
		d.t.Fatal(err)
	}
	const elsewhere = "/mnt"
	for i := range environment {
		environment[i] = strings.ReplaceAll(environment[i], string(root), elsewhere)
	}
	script := `mount --bind "$1" "$2" && exec setpriv --reuid "$3" --regid "$3" --clear-groups "$4"`
	command := exec.CommandContext(ctx, "unshare", "--mount", "sh", "-c", script, "sh", string(root), elsewhere, fmt.Sprint(nobody),
		strings.Replace(program, string(root), elsewhere, 1))
	command.Env = environment
	return command
}

// image in libvirt's pool of volumes.
func (d *daemon) image(pool, name string) {
	d.t.Helper()
	found, err := d.client.StoragePoolLookupByName(pool)
	if err == nil {
		text := `<volume><name>` + name + `</name><capacity unit="M">64</capacity><target><format type="qcow2"/></target></volume>`
		_, err = d.client.StorageVolCreateXML(found, text, 0)
	}
	if err != nil {
		d.t.Fatalf("making an image: %v", err)
	}
}

// count the machines that libvirt has, beside what the driver says.
func (d *daemon) count() int {
	d.t.Helper()
	all, _, err := d.client.ConnectListAllDomains(1, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	n := 0
	for _, domain := range all {
		if strings.HasPrefix(domain.Name, "argosy-") && !strings.HasPrefix(domain.Name, "argosy-removed-") {
			n++
		}
	}
	return n
}

// volumes that libvirt's pool has.
func (d *daemon) volumes() []string {
	d.t.Helper()
	pool, err := d.client.StoragePoolLookupByName("default-pool")
	if err != nil {
		d.t.Fatal(err)
	}
	all, _, err := d.client.StoragePoolListAllVolumes(pool, 1, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	var out []string
	for _, volume := range all {
		out = append(out, volume.Name)
	}
	slices.Sort(out)
	return out
}

// wire between a driver and the daemon, that can be cut.
type wire struct {
	t        *testing.T
	to, path string
	mu       sync.Mutex
	listener net.Listener
	open     []net.Conn
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	folder, err := os.MkdirTemp("", "wire-")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, to: to, path: filepath.Join(folder, "s")}
	w.mend()
	t.Cleanup(func() {
		w.cut()
		os.RemoveAll(folder)
	})
	return w
}

func (w *wire) mend() {
	listener, err := net.Listen("unix", w.path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.listener = listener
	w.mu.Unlock()
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("unix", w.to)
			if err != nil {
				near.Close()
				continue
			}
			w.mu.Lock()
			w.open = append(w.open, near, far)
			w.mu.Unlock()
			go func() { _, _ = io.Copy(near, far); near.Close() }()
			go func() { _, _ = io.Copy(far, near); far.Close() }()
		}
	}()
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listener.Close()
	for _, one := range w.open {
		one.Close()
	}
	w.open = nil
}

func newLibvirt(t *testing.T) (*daemon, *libvirtdriver.Driver, *wire) {
	t.Helper()
	d := newDaemon(t, libvirt.TestDefault)
	d.image("default-pool", "debian-12")
	w := newWire(t, d.socket())
	driver, err := libvirtdriver.New(libvirtdriver.Options{
		Address: "unix:" + w.path, URI: string(libvirt.TestDefault), Type: "test",
		Images: "default-pool", Pool: "default-pool", Network: "default",
	})
	if err != nil {
		t.Fatal(err)
	}
	return d, driver, w
}

// TestLibvirt holds the driver against a real libvirtd, with libvirt's own test driver behind it.
func TestLibvirt(t *testing.T) {
	machinetest.Run(t, func(t *testing.T) machinetest.Rig {
		d, driver, w := newLibvirt(t)
		return machinetest.Rig{
			Driver: driver, Image: "debian-12", Settle: func() {}, Count: d.count,
			Break: func() func() {
				w.cut()
				return w.mend
			},
		}
	})
}

// TestLibvirtBadInput: what will never do is refused for good, in words that name it, and leaves nothing behind.
func TestLibvirtBadInput(t *testing.T) {
	d, driver, _ := newLibvirt(t)
	for name, tc := range map[string]struct {
		key  string
		edit func(*machine.Spec)
		says string
	}{
		"an image that is not there": {edit: func(s *machine.Spec) { s.Image = "windows" }, says: `no image "windows"`},
		"a path for an image":        {edit: func(s *machine.Spec) { s.Image = "/etc/shadow" }, says: `no image "/etc/shadow"`},
		"a path for a kernel": {
			edit: func(s *machine.Spec) { s.Params = map[string]v1alpha1.BoundedString{"kernel": "/etc/shadow"} }, says: `no image "/etc/shadow"`,
		},
		"a param that is none": {
			edit: func(s *machine.Spec) { s.Params = map[string]v1alpha1.BoundedString{"emulator": "/bin/sh"} },
			says: `"emulator" is none of kernel, initrd, cmdline`,
		},
		"a network that is not there": {edit: func(s *machine.Spec) { s.Network = "nowhere" }, says: `no network "nowhere"`},
		"user data that are no text":  {edit: func(s *machine.Spec) { s.UserData = []byte{0xff, 0xfe} }, says: "no text"},
		"a key that ends a name":      {key: "a/../b", says: "no key of a domain"},
		"a key with an element":       {key: "<domain/>", says: "no key of a domain"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := machine.Spec{Owner: "o", Name: "shop/web-1 <&\">", Machine: v1alpha1.Machine{Image: "debian-12"}}
			if tc.edit != nil {
				tc.edit(&spec)
			}
			if tc.key == "" {
				tc.key = "a"
			}
			_, err := driver.Ensure(t.Context(), machine.Call{Key: tc.key, Sequence: 1}, spec)
			if !errors.Is(err, machine.ErrInvalid) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v, want %q", err, tc.says)
			}
			if n := d.count(); n != 0 {
				t.Errorf("%d domains are left", n)
			}
		})
	}
	spec := machine.Spec{Owner: `o"<&`, Name: "shop/web-1 <&\">", Machine: v1alpha1.Machine{Image: "debian-12"}}
	if _, err := driver.Ensure(t.Context(), machine.Call{Key: "a", Sequence: 1}, spec); err != nil {
		t.Fatalf("a name with signs of XML: %v", err)
	}
	if list, err := driver.List(t.Context(), machine.Call{}, `o"<&`); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestLibvirtHalfMade: whoever was killed between the disk and the domain left a disk. Who goes on makes one machine over it; who removes
// it leaves neither disk nor domain; and no machine that was removed leaves a disk behind.
func TestLibvirtHalfMade(t *testing.T) {
	d, driver, _ := newLibvirt(t)
	d.image("default-pool", "argosy-goes-on.qcow2")
	d.image("default-pool", "argosy-given-up.qcow2")
	spec := machine.Spec{Owner: "o", Name: "shop/web", Machine: v1alpha1.Machine{Image: "debian-12"}}
	if _, err := driver.Ensure(t.Context(), machine.Call{Key: "goes-on", Sequence: 2}, spec); err != nil {
		t.Fatal(err)
	}
	if want := []string{"argosy-given-up.qcow2", "argosy-goes-on.qcow2", "debian-12"}; !slices.Equal(d.volumes(), want) || d.count() != 1 {
		t.Errorf("%d machines, volumes %q, want one and %q", d.count(), d.volumes(), want)
	}
	for _, key := range []string{"given-up", "goes-on"} {
		call := machine.Call{Key: key, Sequence: 3}
		for range 2 {
			if err := driver.Delete(t.Context(), call); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := driver.Get(t.Context(), call); !errors.Is(err, machine.ErrGone) {
			t.Errorf("%s: %v, want that it is gone", key, err)
		}
		if _, err := driver.Ensure(t.Context(), call, spec); !errors.Is(err, machine.ErrGone) {
			t.Errorf("%s is made again: %v", key, err)
		}
	}
	if want := []string{"debian-12"}; !slices.Equal(d.volumes(), want) || d.count() != 0 {
		t.Errorf("%d machines, volumes %q, want none and %q", d.count(), d.volumes(), want)
	}
}

// TestLibvirtHostKeys: each machine is told a host key of its own, which the driver names whoever asks, and which stays its own however
// often it is made, also by a process that knows nothing of the first; a machine that is half made has it as well.
func TestLibvirtHostKeys(t *testing.T) {
	d, driver, w := newLibvirt(t)
	other, err := libvirtdriver.New(libvirtdriver.Options{
		Address: "unix:" + w.path, URI: string(libvirt.TestDefault), Type: "test",
		Images: "default-pool", Pool: "default-pool", Network: "default",
	})
	if err != nil {
		t.Fatal(err)
	}
	spec := machine.Spec{Owner: "o", Name: "shop/web", Machine: v1alpha1.Machine{Image: "debian-12"}}
	named := map[string]bool{}
	for _, key := range []string{"a", "b"} {
		var keys []string
		for _, driver := range []*libvirtdriver.Driver{driver, other, driver} {
			made, err := driver.Ensure(t.Context(), machine.Call{Key: key, Sequence: 1}, spec)
			if err != nil {
				t.Fatal(err)
			}
			seen, err := other.Get(t.Context(), machine.Call{Key: key})
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, append(made.HostKeys, seen.HostKeys...)...)
		}
		if len(keys) != 6 || len(slices.Compact(slices.Clone(keys))) != 1 || named[keys[0]] {
			t.Errorf("machine %s has the host keys %q, others %v", key, keys, named)
		}
		public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(keys[0]))
		if err != nil {
			t.Fatal(err)
		}
		named[keys[0]] = true
		domain, err := d.client.DomainLookupByName("argosy-" + key)
		if err != nil {
			t.Fatal(err)
		}
		text, err := d.client.DomainGetXMLDesc(domain, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, private, ok := strings.Cut(text, `name="opt/dev.argosy/ssh-host-key">`)
		if !ok {
			_, private, ok = strings.Cut(text, `name='opt/dev.argosy/ssh-host-key'>`)
		}
		private, _, _ = strings.Cut(private, "</entry>")
		signer, err := ssh.ParsePrivateKey([]byte(private))
		if !ok || err != nil || !bytes.Equal(signer.PublicKey().Marshal(), public.Marshal()) {
			t.Errorf("machine %s is told another key than the driver names: %v", key, err)
		}
	}
}

// TestLibvirtForeignDomains: what others made in the same libvirt is neither listed nor taken for ours.
func TestLibvirtForeignDomains(t *testing.T) {
	d, driver, _ := newLibvirt(t)
	for _, text := range []string{
		`<domain type="test"><name>argosy-of-a-person</name><memory>1024</memory><os><type>hvm</type></os></domain>`,
		`<domain type="test"><name>mine</name><uuid>6b0b6f3e-3b1f-4c59-9d0f-3b1f4c599d0f</uuid><memory>1024</memory>` +
			`<os><type>hvm</type></os></domain>`,
	} {
		if _, err := d.client.DomainDefineXML(text); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := driver.List(t.Context(), machine.Call{}, ""); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	// A domain with the UUID of a key, made by somebody else: nothing is known of it, and nothing is done to it.
	call := machine.Call{Key: "6b0b6f3e-3b1f-4c59-9d0f-3b1f4c599d0f", Sequence: 1}
	_, err := driver.Get(t.Context(), call)
	for what, err := range map[string]error{"Get": err, "Stop": driver.Stop(t.Context(), call), "Delete": driver.Delete(t.Context(), call)} {
		if err == nil || errors.Is(err, machine.ErrGone) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := d.client.DomainLookupByName("mine"); err != nil {
		t.Errorf("it is gone: %v", err)
	}
}

// TestAThousandDomains are made once each, though each is asked for twice, and removed.
func TestAThousandDomains(t *testing.T) {
	d, driver, _ := newLibvirt(t)
	const all = 1000
	spec := machine.Spec{Owner: "o", Name: "shop/web", Machine: v1alpha1.Machine{Image: "debian-12"}}
	each := func(do func(call machine.Call) error) {
		t.Helper()
		var wait sync.WaitGroup
		slots := make(chan struct{}, 16)
		for i := range all {
			slots <- struct{}{}
			wait.Go(func() {
				defer func() { <-slots }()
				if err := do(machine.Call{Key: fmt.Sprintf("k%04d", i), Sequence: 1}); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
	}
	for range 2 {
		each(func(call machine.Call) error {
			_, err := driver.Ensure(t.Context(), call, spec)
			return err
		})
	}
	if n := d.count(); n != all {
		t.Errorf("%d domains", n)
	}
	if list, err := driver.List(t.Context(), machine.Call{}, "o"); err != nil || len(list) != all {
		t.Errorf("%d listed, %v", len(list), err)
	}
	each(func(call machine.Call) error { return driver.Delete(t.Context(), call) })
	if n := d.count(); n != 0 {
		t.Errorf("%d domains are left", n)
	}
}
