package environment_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/environment"
	"github.com/argosy-dev/argosy/member/vm/remote"
	"github.com/argosy-dev/argosy/member/vm/remote/remotetest"
)

// store serves files by their path.
type store struct {
	url   string
	files map[string][]byte
}

func newStore(t *testing.T) *store {
	s := &store{files: map[string][]byte{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := s.files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(text)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// put a file, and get its address and checksum.
func (s *store) put(path string, text []byte) (source, checksum string) {
	s.files[path] = text
	sum := sha256.Sum256(text)
	return s.url + path, "sha256:" + hex.EncodeToString(sum[:])
}

func archive(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	writer := tar.NewWriter(zip)
	for name, text := range files {
		if err := writer.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := writer.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

type rig struct {
	*gomega.WithT
	t      *testing.T
	root   string
	guest  *remotetest.Guest
	client *remote.Client
	runs   int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	root := t.TempDir()
	guest, err := remotetest.Start(remotetest.Options{Root: root, Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(guest.CutPower)
	g := gomega.NewWithT(t)
	g.SetDefaultEventuallyTimeout(time.Minute)
	return &rig{WithT: g, t: t, root: root, guest: guest, client: &remote.Client{}}
}

func (r *rig) found() []environment.Found {
	r.t.Helper()
	out, err := r.client.Read(r.t.Context(), r.guest.Target(), environment.Survey)
	if err != nil {
		r.t.Fatal(err)
	}
	found, err := environment.Read(out)
	if err != nil {
		r.t.Fatal(err)
	}
	return found
}

// install what is missing: the end of the script, and what it printed.
func (r *rig) install(wanted ...environment.Wanted) remote.Status {
	r.t.Helper()
	r.runs++
	work := remote.Work{
		Sequence: int64(r.runs), Name: "op." + string(rune('a'+r.runs)), Script: environment.Script(environment.Plan(r.found(), wanted)),
	}
	if err := r.client.Start(r.t.Context(), r.guest.Target(), work); err != nil {
		r.t.Fatal(err)
	}
	var out remote.Status
	r.Eventually(func() remote.State {
		var err error
		if out, err = r.client.Status(r.t.Context(), r.guest.Target()); err != nil {
			r.t.Fatal(err)
		}
		return out.State
	}).Should(gomega.Equal(remote.Ended))
	return out
}

func (r *rig) file(path string) string {
	text, err := os.ReadFile(filepath.Join(r.root, path))
	if err != nil {
		return ""
	}
	return string(text)
}

// TestASilentStore: one that takes the connection, sends a part and then nothing is given up, with whatever program fetches; else a machine
// would be installed for ever.
func TestASilentStore(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte("a part"))
		_ = http.NewResponseController(w).Flush()
		<-over
	}))
	t.Cleanup(store.Close)
	t.Cleanup(func() { close(over) })
	for _, program := range []string{"curl", "wget"} {
		where, err := exec.LookPath(program)
		if err != nil {
			continue // a machine may have one of the two
		}
		bin := t.TempDir()
		if err := os.Symlink(where, filepath.Join(bin, program)); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "file")
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		fetch := fmt.Sprintf("%sfetch %s %s ''", environment.Fetch, environment.Quote(store.URL), environment.Quote(file))
		script := exec.CommandContext(ctx, "/bin/sh", "-c", fetch)
		script.Env = []string{"PATH=" + bin, "ARGOSY_FETCH_PATIENCE=1"}
		said, err := script.CombinedOutput()
		cancel()
		var ended *exec.ExitError
		if !errors.As(err, &ended) || ended.ExitCode() != 1 || !strings.Contains(string(said), "fetching "+store.URL+" failed") {
			t.Errorf("%s: %v, %s", program, err, said)
		}
	}
}

// TestArchive: unpacked, changed, taken back, and refused when it is not what was promised.
func TestArchive(t *testing.T) {
	r, s := newRig(t), newStore(t)
	wanted := func(version string) environment.Wanted {
		p := v1alpha1.Package{Name: "tool", Version: version, Installer: "archive"}
		p.Params = map[string]v1alpha1.BoundedString{"stripComponents": "1"}
		p.Source, p.Checksum = s.put("/tool-"+version+".tgz", archive(t, map[string]string{"tool/bin/tool": "it is " + version}))
		return environment.Wanted{Package: p, Settings: environment.Settings{
			ConfigMap: map[string][]byte{"conf": []byte("a'b\n")}, Secret: map[string][]byte{"key": {0, 255}},
		}}
	}
	one, two := wanted("1.0"), wanted("2.0")
	one.Params["configPath"] = "/etc/tool"
	r.Expect(r.install(one).Code).To(gomega.Equal(0))
	r.Expect(r.file("opt/tool/bin/tool")).To(gomega.Equal("it is 1.0"))
	r.Expect(r.file("etc/tool/conf")).To(gomega.Equal("a'b\n"))
	r.Expect(r.file("etc/tool/key")).To(gomega.Equal("\x00\xff"))
	private, err := os.Stat(filepath.Join(r.root, "etc/tool/key"))
	r.Expect(err).NotTo(gomega.HaveOccurred())
	r.Expect(private.Mode().Perm()).To(gomega.Equal(os.FileMode(0o600)))
	r.Expect(environment.Plan(r.found(), []environment.Wanted{one})).To(gomega.BeEmpty())

	r.Expect(r.install(two).Code).To(gomega.Equal(0))
	r.Expect(r.file("opt/tool/bin/tool")).To(gomega.Equal("it is 2.0"))
	r.Expect(r.found()).To(gomega.Equal([]environment.Found{{Name: "tool", Version: "2.0", Hash: two.Hash()}}))

	// What comes is not what was promised: the machine keeps what it has, and no record claims another.
	s.files["/tool-1.0.tgz"] = []byte("something else")
	broken := r.install(one)
	r.Expect(broken.Code).To(gomega.Equal(1))
	r.Expect(broken.Output).To(gomega.ContainSubstring("was asked for: refused"))
	r.Expect(r.file("opt/tool/bin/tool")).To(gomega.Equal("it is 2.0"))
	r.Expect(environment.Plan(r.found(), []environment.Wanted{one})).To(gomega.HaveLen(1))

	// Removed behind everybody's back, it is not found.
	r.Expect(r.install(two).Code).To(gomega.Equal(0))
	r.Expect(os.Remove(filepath.Join(r.root, "opt/tool"))).To(gomega.Succeed())
	r.Expect(r.found()).To(gomega.BeEmpty())
}

// TestScripts run in their order, with what they are told; what fails leaves no record, and what came before it stays.
func TestScripts(t *testing.T) {
	r, s := newRig(t), newStore(t)
	wanted := func(name, text string, order int32) environment.Wanted {
		p := v1alpha1.Package{
			Name: name, Version: "1", Installer: "script", Order: order, Params: map[string]v1alpha1.BoundedString{"heap-size": "it's 1g"},
		}
		p.Source, p.Checksum = s.put("/"+name, []byte("#!/bin/sh\n"+text))
		return environment.Wanted{Package: p}
	}
	log := `echo "$ARGOSY_PACKAGE $ARGOSY_VERSION $ARGOSY_PARAM_HEAP_SIZE" >>"$ARGOSY_ROOT/log"` + "\n"
	first, second := wanted("first", log, 1), wanted("second", "echo half >>\"$ARGOSY_ROOT/log\"\nexit 7", 2)
	failed := r.install(second, first)
	r.Expect(failed.Code).To(gomega.Equal(7))
	r.Expect(failed.Output).To(gomega.HaveSuffix("installing second 1\n"))
	r.Expect(r.found()).To(gomega.HaveLen(1))
	mended := wanted("second", log, 2)
	r.Expect(r.install(mended, first).Code).To(gomega.Equal(0))
	r.Expect(r.file("log")).To(gomega.Equal("first 1 it's 1g\nhalf\nsecond 1 it's 1g\n"), "the first is not run again")
	r.Expect(r.found()).To(gomega.HaveLen(2))

	checked := wanted("checked", "true", 0)
	checked.Params["check"] = `test -e "$ARGOSY_ROOT/log"`
	r.Expect(r.install(checked).Code).To(gomega.Equal(0))
	r.Expect(r.found()).To(gomega.HaveLen(3))
	r.Expect(os.Remove(filepath.Join(r.root, "log"))).To(gomega.Succeed())
	r.Expect(r.found()).To(gomega.HaveLen(2))
}

// TestAsMuchAsASchemaTakes: 64 packages are installed and found whole, one of them with 64 params, of which one is 4 KiB of hostile text.
func TestAsMuchAsASchemaTakes(t *testing.T) {
	r := newRig(t)
	r.SetDefaultEventuallyTimeout(5 * time.Minute)
	r.client.Patience = 5 * time.Minute // hundreds of processes on a machine that may be busy
	text := strings.Repeat(`'$(touch "$ARGOSY_ROOT/owned")'"`+"`\\\n", 1+4096/34)[:4096]
	script := filepath.Join(t.TempDir(), "script")
	line := "#!/bin/sh\n" + `printf %s "${ARGOSY_PARAM_TEXT:-}" >"$ARGOSY_ROOT/$ARGOSY_PACKAGE"` + "\n"
	r.Expect(os.WriteFile(script, []byte(line), 0o600)).To(gomega.Succeed())
	var all []environment.Wanted
	for i := range 64 {
		p := v1alpha1.Package{Name: fmt.Sprintf("p%02d", i), Version: "1", Installer: "script", Order: int32(64 - i), Source: "file://" + script}
		if i == 0 {
			p.Params = map[string]v1alpha1.BoundedString{"text": v1alpha1.BoundedString(text)}
			for n := range 63 {
				p.Params[fmt.Sprintf("n%02d", n)] = "x"
			}
		}
		r.Expect(environment.CheckAll([]v1alpha1.Package{p})).To(gomega.Succeed())
		all = append(all, environment.Wanted{Package: p})
	}
	done := r.install(all...)
	r.Expect(done.Code).To(gomega.Equal(0), done.Output)
	r.Expect(r.found()).To(gomega.HaveLen(64))
	r.Expect(r.file("p00")).To(gomega.Equal(text))
	r.Expect(r.file("owned")).To(gomega.BeEmpty())
	r.Expect(environment.Plan(r.found(), all)).To(gomega.BeEmpty())
}
