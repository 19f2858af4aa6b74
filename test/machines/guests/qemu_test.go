package guests

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/crypto/ssh"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/deploy"
	"github.com/argosy-dev/argosy/member/vm/deploy/sshdeploy"
	"github.com/argosy-dev/argosy/member/vm/environment"
	"github.com/argosy-dev/argosy/member/vm/remote"
	"github.com/argosy-dev/argosy/member/vm/remote/remotetest"
	"github.com/argosy-dev/argosy/test/lab/ports"
	"github.com/argosy-dev/argosy/test/machines/initrd"
	"github.com/argosy-dev/argosy/test/machines/tarball"
)

// machine is emulated, and worked on over SSH.
type machine struct {
	*gomega.WithT
	t       *testing.T
	command func() *exec.Cmd
	running *exec.Cmd
	// front is the port of this host that leads to its port 8080.
	front  int
	target remote.Target
	client *remote.Client
	// told is its host key, where the firmware has one for it: the console says none then.
	told string
}

// patience with an emulated machine on a busy one.
const patience = 5 * time.Minute

func newMachine(t *testing.T, shell, front int, told bool) *machine {
	t.Helper()
	root, err := emulator()
	if err != nil {
		t.Fatal(err)
	}
	kernel, image := initrd.Build(t, root)
	key, public, err := remotetest.Key()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	userData := []byte("#cloud-config\nssh_authorized_keys:\n- " + string(ssh.MarshalAuthorizedKey(public)))
	for name, text := range map[string][]byte{"initrd": image, "user-data": userData} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m := &machine{
		WithT: gomega.NewWithT(t), t: t, front: front, client: &remote.Client{},
		target: remote.Target{Address: fmt.Sprintf("127.0.0.1:%d", shell), User: "root", Key: key},
	}
	m.SetDefaultEventuallyTimeout(patience)
	var firmware []string
	if told {
		private, public, err := remotetest.Key()
		if err != nil {
			t.Fatal(err)
		}
		m.told = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
		file := filepath.Join(dir, "host-key")
		if err := os.WriteFile(file, private, 0o600); err != nil {
			t.Fatal(err)
		}
		firmware = []string{"-fw_cfg", "name=opt/dev.argosy/ssh-host-key,file=" + file}
	}
	m.command = func() *exec.Cmd {
		command, err := root.Command(context.WithoutCancel(t.Context()), "usr/bin/qemu-system-x86_64", "-accel", "tcg", "-machine", "pc",
			"-m", "160", "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
			"-L", filepath.Join(string(root), "usr/share/qemu"), "-L", filepath.Join(string(root), "usr/share/seabios"),
			"-kernel", kernel, "-initrd", filepath.Join(dir, "initrd"), "-append", "console=ttyS0 quiet panic=1",
			"-fw_cfg", "name=opt/dev.argosy/user-data,file="+filepath.Join(dir, "user-data"),
			"-netdev", fmt.Sprintf("user,id=net,hostfwd=tcp:127.0.0.1:%d-:22,hostfwd=tcp:127.0.0.1:%d-:8080", shell, front),
			"-device", "virtio-net-pci,netdev=net,romfile=")
		if err != nil {
			t.Fatal(err)
		}
		command.Args = append(command.Args, firmware...)
		command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		return command
	}
	t.Cleanup(m.cutPower)
	return m
}

// boot it, and hear its host key on its console.
func (m *machine) boot() {
	m.t.Helper()
	command := m.command()
	console, err := command.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	command.Stderr = m.t.Output()
	if err := command.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.running = command
	late := time.AfterFunc(patience, func() { _ = command.Process.Kill() })
	defer late.Stop()
	m.target.HostKeys = nil
	if m.told != "" {
		m.target.HostKeys = []string{m.told}
	}
	lines := bufio.NewScanner(console)
	var said []string
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		said = append(said, line)
		if m.told == "" && strings.HasPrefix(line, "ssh-ed25519 ") {
			m.target.HostKeys = []string{line}
		}
		if line == "ready" {
			go func() { _, _ = io.Copy(io.Discard, console) }() // a console that nobody reads stands still
			return
		}
	}
	m.t.Fatalf("the machine does not come up:\n%s", strings.Join(said, "\n"))
}

func (m *machine) cutPower() {
	if m.running == nil {
		return
	}
	_ = m.running.Process.Kill()
	_ = m.running.Wait() // it was killed
	m.running = nil
}

func (m *machine) found() []environment.Found {
	m.t.Helper()
	var found []environment.Found
	m.Eventually(func() error {
		out, err := m.client.Read(m.t.Context(), m.target, environment.Survey)
		if err == nil {
			found, err = environment.Read(out)
		}
		return err
	}).Should(gomega.Succeed())
	return found
}

func (m *machine) status() remote.Status {
	out, err := m.client.Status(m.t.Context(), m.target)
	if err != nil {
		return remote.Status{Output: err.Error()}
	}
	return out
}

func (m *machine) install(sequence int64, wanted environment.Wanted) {
	m.t.Helper()
	work := remote.Work{
		Sequence: sequence, Name: fmt.Sprint("install-", sequence),
		Script: environment.Script(environment.Plan(m.found(), []environment.Wanted{wanted})),
	}
	m.Eventually(func() error { return m.client.Start(m.t.Context(), m.target, work) }).Should(gomega.Succeed())
	m.Eventually(func() string {
		s := m.status()
		return fmt.Sprint(s.State, " ", s.Code, " ", s.Output)
	}).Should(gomega.Equal("ended 0 installing tool 1.0\ninstalled\n"))
	m.Expect(m.found()).To(gomega.Equal([]environment.Found{{Name: "tool", Version: "1.0", Hash: wanted.Hash()}}))
}

// release by deploy system ssh.
func (m *machine) release(sequence int64, release v1alpha1.Release) {
	m.t.Helper()
	system := sshdeploy.System{Client: m.client}
	job := deploy.Job{
		ID: fmt.Sprint("release-", sequence), Server: "default/web-1", Machine: "m", Sequence: sequence, Target: m.target, Release: release,
	}
	m.Expect(system.Check(release)).To(gomega.Succeed())
	m.Eventually(func() string {
		progress, err := system.Observe(m.t.Context(), job)
		if err == nil && progress.State == deploy.Absent {
			err = system.Start(m.t.Context(), job)
		}
		if err != nil {
			return err.Error()
		}
		return string(progress.State)
	}).Should(gomega.Equal(string(deploy.Succeeded)))
}

// answer of its service.
func (m *machine) answer() string {
	ctx, cancel := context.WithTimeout(m.t.Context(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/version", m.front), nil)
	if err != nil {
		return err.Error()
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// artifacts are served to the machines, which call this host 10.0.2.2.
func artifacts(t *testing.T, files map[string][]byte) (put func(name string) (source, checksum string)) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(files[r.URL.Path])
	}))
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return func(name string) (source, checksum string) {
		sum := sha256.Sum256(files[name])
		return "http://10.0.2.2:" + port + name, "sha256:" + hex.EncodeToString(sum[:])
	}
}

// TestEmulatedMachines: three machines with a kernel and firmware of their own get a package and a release, and serve it. The third is told
// its host key by the firmware, as the driver libvirt does, so that it proves itself without anybody having read its console. One whose
// power is cut in the middle of work comes back empty, as it keeps its files in memory, and gets all again under another host key.
func TestEmulatedMachines(t *testing.T) {
	pool, err := ports.NewPool()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	put := artifacts(t, map[string][]byte{
		"/tool.tar": tarball.Of(t, map[string]string{"tool/bin/tool": "#!/bin/sh\necho a tool\n"}),
		"/web.tar":  tarball.Of(t, map[string]string{"www/version": "1.0", "start": "killall httpd; httpd -p 8080 -h \"$(pwd -P)/www\""}),
	})
	tool := v1alpha1.Package{
		Name: "tool", Version: "1.0", Installer: v1alpha1.InstallerArchive, Params: map[string]v1alpha1.BoundedString{"stripComponents": "1"},
	}
	tool.Source, tool.Checksum = put("/tool.tar")
	web := v1alpha1.Release{Version: "1.0", Params: map[string]v1alpha1.BoundedString{"path": "/srv/web", "restart": ". ./start"}}
	web.Artifact, web.Checksum = put("/web.tar")
	wanted := environment.Wanted{Package: tool}
	for i := range 3 {
		shell, err := pool.Take()
		if err != nil {
			t.Fatal(err)
		}
		front, err := pool.Take()
		if err != nil {
			t.Fatal(err)
		}
		t.Run(fmt.Sprint("machine ", i+1), func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, shell, front, i == 2)
			m.boot()
			m.install(1, wanted)
			m.release(2, web)
			m.Eventually(m.answer).Should(gomega.Equal("1.0"))
			if i > 0 {
				return
			}
			endless := remote.Work{Sequence: 3, Name: "endless", Script: []byte("while :; do sleep 1; done")}
			m.Expect(m.client.Start(t.Context(), m.target, endless)).To(gomega.Succeed())
			var before remote.Status
			m.Eventually(func() remote.State {
				before = m.status()
				return before.State
			}).Should(gomega.Equal(remote.Running))
			m.cutPower()
			m.Expect(m.status().State).To(gomega.BeEmpty())
			old := m.target
			m.boot()
			m.Eventually(func() error {
				_, err := m.client.Status(t.Context(), old)
				return err
			}).Should(gomega.MatchError(remote.ErrHostKey))
			m.Eventually(func() remote.State { return m.status().State }).Should(gomega.Equal(remote.None))
			m.Expect(m.status().Boot).NotTo(gomega.Equal(before.Boot))
			m.install(4, wanted)
			m.release(5, web)
			m.Eventually(m.answer).Should(gomega.Equal("1.0"))
		})
	}
}
