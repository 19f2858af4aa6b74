package guests

import (
	"context"
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/crypto/ssh"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/environment"
	machines "github.com/argosy-dev/argosy/member/vm/machine"
	"github.com/argosy-dev/argosy/member/vm/machine/httpdriver"
	"github.com/argosy-dev/argosy/member/vm/remote"
	"github.com/argosy-dev/argosy/member/vm/remote/remotetest"
	"github.com/argosy-dev/argosy/test/lab/iaas"
)

// repository of Debian packages hello-argosy, in a folder that machines see as this host does.
func repository(t *testing.T, versions ...string) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "argosy-apt-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var index strings.Builder
	for _, version := range versions {
		control := "Package: hello-argosy\nVersion: " + version + "\nArchitecture: all\nMaintainer: nobody <nobody@example.com>\n" +
			"Description: says which it is\n"
		tree := t.TempDir()
		for name, text := range map[string]string{"DEBIAN/control": control, "usr/share/hello-argosy/version": version + "\n"} {
			if err := os.MkdirAll(filepath.Join(tree, filepath.Dir(name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(tree, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(tree, 0o755); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "hello-argosy_"+version+"_all.deb")
		build := exec.CommandContext(t.Context(), "dpkg-deb", "--root-owner-group", "-b", tree, file)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("building a package takes dpkg-deb, of Debian or Ubuntu: %v: %s", err, out)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&index, "%sFilename: ./%s\nSize: %d\nSHA256: %x\n\n", control, filepath.Base(file), len(text), sha256.Sum256(text))
	}
	if err := os.WriteFile(filepath.Join(dir, "Packages"), []byte(index.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// guest is a machine of the lab's IaaS: it has this host's programs, and what it writes is its own.
func guest(t *testing.T) remote.Target {
	t.Helper()
	yard, err := iaas.NewYard(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	guests := &iaas.Guests{Yard: yard}
	server := &iaas.Server{Store: &iaas.Store{Clock: clock.RealClock{}, Guests: guests}}
	listener := httptest.NewTLSServer(server.Handler())
	t.Cleanup(func() {
		listener.Close()
		guests.Close()
		_ = yard.Close()
	})
	driver, err := httpdriver.New(httpdriver.Options{
		URL: listener.URL, CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: listener.Certificate().Raw}),
	})
	if err != nil {
		t.Fatal(err)
	}
	key, public, err := remotetest.Key()
	if err != nil {
		t.Fatal(err)
	}
	call := machines.Call{Key: "a", Sequence: 1}
	_, err = driver.Ensure(t.Context(), call, machines.Spec{
		Owner: "o", Name: "n", Machine: v1alpha1.Machine{Image: "lab/x"},
		UserData: []byte("#cloud-config\nssh_authorized_keys:\n- " + string(ssh.MarshalAuthorizedKey(public))),
	})
	if err != nil {
		t.Fatal(err)
	}
	var out remote.Target
	gomega.NewWithT(t).Eventually(func() string {
		seen, err := driver.Get(t.Context(), call)
		if err != nil {
			return err.Error()
		}
		out = remote.Target{Address: seen.Addresses[0].Address + ":22", User: "root", Key: key, HostKeys: seen.HostKeys}
		return string(seen.State)
	}).WithTimeout(patience).Should(gomega.Equal(string(v1alpha1.MachineRunning)))
	return out
}

// TestApt: the script of installer apt, on a machine with a real apt and a repository of its own: installed, raised, taken back to an older
// version, and a version that is not there is told in apt's words. This host has none of it.
func TestApt(t *testing.T) {
	dir := repository(t, "1.0", "2.0")
	m := &machine{WithT: gomega.NewWithT(t), t: t, target: guest(t), client: &remote.Client{}}
	m.SetDefaultEventuallyTimeout(patience)
	run := func(sequence int64, script []byte) string {
		t.Helper()
		work := remote.Work{Sequence: sequence, Name: fmt.Sprint("op-", sequence), Script: script}
		m.Expect(m.client.Start(context.WithoutCancel(t.Context()), m.target, work)).To(gomega.Succeed())
		var s remote.Status
		m.Eventually(func() remote.State {
			s = m.status()
			return s.State
		}).WithPolling(100 * time.Millisecond).Should(gomega.Equal(remote.Ended))
		return fmt.Sprint(s.Code, " ", s.Output)
	}
	own := "set -e\nrm -rf /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf.d /var/lib/apt/lists\n" +
		"mkdir -p /etc/apt/sources.list.d /etc/apt/apt.conf.d\necho 'deb [trusted=yes] file:" + dir + " ./' >/etc/apt/sources.list\n" +
		"echo 'APT::Sandbox::User \"root\";' >/etc/apt/apt.conf.d/root\n"
	m.Expect(run(1, []byte(own))).To(gomega.Equal("0 "))
	wanted := func(version string) environment.Wanted {
		return environment.Wanted{Package: v1alpha1.Package{Name: "hello-argosy", Version: version, Installer: v1alpha1.InstallerApt}}
	}
	for i, version := range []string{"1.0", "2.0", "1.0"} {
		w := wanted(version)
		missing := environment.Plan(m.found(), []environment.Wanted{w})
		m.Expect(missing).To(gomega.HaveLen(1))
		m.Expect(run(int64(i+2), environment.Script(missing))).To(gomega.HavePrefix("0 "))
		m.Expect(m.found()).To(gomega.Equal([]environment.Found{{Name: "hello-argosy", Version: version, Hash: w.Hash()}}))
		out, err := m.client.Read(t.Context(), m.target, "cat /usr/share/hello-argosy/version; dpkg-query -W hello-argosy")
		m.Expect(err).NotTo(gomega.HaveOccurred())
		m.Expect(string(out)).To(gomega.Equal(version + "\nhello-argosy\t" + version + "\n"))
	}
	m.Expect(run(9, environment.Script([]environment.Wanted{wanted("3.0")}))).To(gomega.MatchRegexp(`^100 (.|\n)*3\.0`))
	m.Expect(m.found()).To(gomega.BeEmpty(), "what was asked for last is not there, and nothing claims that it is")

	// Removed behind everybody's back, it is not found.
	m.Expect(run(10, environment.Script([]environment.Wanted{wanted("2.0")}))).To(gomega.HavePrefix("0 "))
	m.Expect(m.found()).To(gomega.HaveLen(1))
	m.Expect(run(11, []byte("dpkg -r hello-argosy"))).To(gomega.HavePrefix("0 "))
	m.Expect(m.found()).To(gomega.BeEmpty())
	m.Expect("/usr/share/hello-argosy").NotTo(gomega.BeADirectory(), "this host's own files")
}
