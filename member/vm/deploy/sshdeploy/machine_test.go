package sshdeploy_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/code"
	"github.com/argosy-dev/argosy/member/vm/deploy"
	"github.com/argosy-dev/argosy/member/vm/deploy/sshdeploy"
	"github.com/argosy-dev/argosy/member/vm/remote"
	"github.com/argosy-dev/argosy/member/vm/remote/remotetest"
)

// rig is a machine, and a store of artifacts.
type rig struct {
	*gomega.WithT
	t      *testing.T
	root   string
	guest  *remotetest.Guest
	system sshdeploy.System
	url    string
	files  map[string][]byte
	tries  int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	r := &rig{WithT: gomega.NewWithT(t), t: t, root: t.TempDir(), files: map[string][]byte{}}
	r.system = sshdeploy.System{Client: &remote.Client{}}
	r.SetDefaultEventuallyTimeout(time.Minute)
	guest, err := remotetest.Start(remotetest.Options{Root: r.root, Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(guest.CutPower)
	r.guest = guest
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		text, ok := r.files[request.URL.Path]
		if !ok {
			http.NotFound(w, request)
			return
		}
		_, _ = w.Write(text)
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// release of a version whose one file says which it is.
func (r *rig) release(version string) v1alpha1.Release {
	r.t.Helper()
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	if err := writer.WriteHeader(&tar.Header{Name: "which", Mode: 0o644, Size: int64(len(version))}); err != nil {
		r.t.Fatal(err)
	}
	if _, err := writer.Write([]byte(version)); err != nil {
		r.t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		r.t.Fatal(err)
	}
	path := "/app-" + version + ".tar"
	r.files[path] = out.Bytes()
	sum := sha256.Sum256(out.Bytes())
	return v1alpha1.Release{
		Version: version, Artifact: r.url + path, Checksum: "sha256:" + hex.EncodeToString(sum[:]),
		Params: map[string]v1alpha1.BoundedString{"path": "/srv/app", "restart": `cp which "$ARGOSY_ROOT/serves"`},
	}
}

func (r *rig) job(release v1alpha1.Release) deploy.Job {
	return deploy.Job{ID: fmt.Sprintf("op.deploy-code.%d", r.tries), Sequence: int64(r.tries), Target: r.guest.Target(), Release: release}
}

// deploy to the end.
func (r *rig) deploy(release v1alpha1.Release) deploy.Progress {
	r.t.Helper()
	r.tries++
	job := r.job(release)
	r.Expect(r.observe(job)).To(gomega.Equal(deploy.Progress{State: deploy.Absent}))
	r.Expect(r.system.Start(r.t.Context(), job)).To(gomega.Succeed())
	r.Eventually(func() deploy.State { return r.observe(job).State }).
		Should(gomega.Or(gomega.Equal(deploy.Succeeded), gomega.Equal(deploy.Failed)))
	return r.observe(job)
}

func (r *rig) observe(job deploy.Job) deploy.Progress {
	r.t.Helper()
	out, err := r.system.Observe(r.t.Context(), job)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func (r *rig) file(path string) string {
	text, err := os.ReadFile(filepath.Join(r.root, path))
	if err != nil {
		return ""
	}
	return string(text)
}

func (r *rig) found(release v1alpha1.Release) string {
	r.t.Helper()
	found := r.record(release)
	if found == nil {
		return ""
	}
	return found.Version
}

func (r *rig) record(release v1alpha1.Release) *v1alpha1.DeployedRelease {
	r.t.Helper()
	output, err := r.system.Client.Read(r.t.Context(), r.guest.Target(), sshdeploy.Survey(release))
	if err != nil {
		r.t.Fatal(err)
	}
	found, err := sshdeploy.Read(output)
	if err != nil {
		r.t.Fatal(err)
	}
	return found
}

// TestReleases come, go back without being fetched again, and those that are long over leave.
func TestReleases(t *testing.T) {
	r := newRig(t)
	first := r.release("1.0")
	r.Expect(r.found(first)).To(gomega.BeEmpty())
	for _, version := range []string{"1.0", "1.1", "1.2", "1.3"} {
		r.Expect(r.deploy(r.release(version)).State).To(gomega.Equal(deploy.Succeeded))
		have := []string{r.file("srv/app/current/which"), r.file("serves"), r.found(first)}
		r.Expect(have).To(gomega.Equal([]string{version, version, version}))
	}
	kept, err := filepath.Glob(filepath.Join(r.root, "srv/app/releases/*"))
	r.Expect(err).NotTo(gomega.HaveOccurred())
	r.Expect(kept).To(gomega.HaveLen(3), "releases on the machine")

	back := r.release("1.1")
	clear(r.files)
	r.Expect(r.deploy(back).State).To(gomega.Equal(deploy.Succeeded))
	r.Expect(r.file("serves")).To(gomega.Equal("1.1"))
}

// TestOtherParams of one release: its files are there, it is started anew, and its record says of which release it is only once it was.
func TestOtherParams(t *testing.T) {
	r := newRig(t)
	first, other := r.release("1.0"), r.release("1.0")
	r.Expect(r.deploy(first).State).To(gomega.Equal(deploy.Succeeded))
	r.Expect(r.record(first)).To(gomega.Equal(code.Deployed(first)))
	clear(r.files)
	set(&other, "restart", `echo other >"$ARGOSY_ROOT/serves"; [ -e "$ARGOSY_ROOT/may" ]`)
	r.Expect(r.deploy(other).State).To(gomega.Equal(deploy.Failed))
	cut := code.Deployed(other)
	cut.Hash = code.Unfinished
	r.Expect(r.record(other)).To(gomega.Equal(cut))
	r.Expect(os.WriteFile(filepath.Join(r.root, "may"), nil, 0o600)).To(gomega.Succeed())
	r.Expect(r.deploy(other).State).To(gomega.Equal(deploy.Succeeded))
	r.Expect(r.record(other)).To(gomega.Equal(code.Deployed(other)))
	r.Expect(r.file("serves")).To(gomega.Equal("other\n"))
}

// TestAFileAsItIs: whether an artifact is unpacked makes other files of it.
func TestAFileAsItIs(t *testing.T) {
	r := newRig(t)
	release := r.release("1.0")
	r.Expect(r.deploy(release).State).To(gomega.Equal(deploy.Succeeded))
	set(&release, "unpack", "false")
	set(&release, "restart", `ls >"$ARGOSY_ROOT/serves"`)
	r.Expect(r.deploy(release).State).To(gomega.Equal(deploy.Succeeded))
	r.Expect(r.file("serves")).To(gomega.Equal("app-1.0.tar\n"))
}

// TestRecords of a machine: those of before hashes were written are read, and those that no status could take are refused.
func TestRecords(t *testing.T) {
	found, err := sshdeploy.Read([]byte(`{"version":"1.0","checksum":"sha256:a"}`))
	if diff := cmp.Diff(&v1alpha1.DeployedRelease{Version: "1.0", Checksum: "sha256:a"}, found); diff != "" || err != nil {
		t.Errorf("%v (-want +have)\n%s", err, diff)
	}
	for _, record := range []string{
		`{`, `{"version":"` + strings.Repeat("1", 129) + `"}`, `{"version":"1","hash":"` + strings.Repeat("a", 65) + `"}`,
	} {
		if found, err := sshdeploy.Read([]byte(record)); err == nil {
			t.Errorf("%s: %+v", record, found)
		}
	}
}

// TestWhatGoesWrong leaves the machine with what it had.
func TestWhatGoesWrong(t *testing.T) {
	r := newRig(t)
	r.Expect(r.deploy(r.release("1.0")).State).To(gomega.Equal(deploy.Succeeded))

	forged := r.release("2.0")
	r.files["/app-2.0.tar"] = []byte("something else")
	failed := r.deploy(forged)
	r.Expect(failed.Message).To(gomega.ContainSubstring("was asked for: refused"))
	r.Expect([]string{r.found(forged), r.file("serves")}).To(gomega.Equal([]string{"1.0", "1.0"}))

	gone := r.release("2.1")
	clear(r.files)
	r.Expect(r.deploy(gone).Message).To(gomega.ContainSubstring("the script ended with 1: "))
	r.Expect(r.found(gone)).To(gomega.Equal("1.0"))

	refused := r.release("2.2")
	refused.Params["restart"] = "echo the port is taken; exit 9"
	last := r.deploy(refused)
	r.Expect(last.State).To(gomega.Equal(deploy.Failed))
	r.Expect(last.Message).To(gomega.And(gomega.HavePrefix("the script ended with 9: "), gomega.HaveSuffix("the port is taken")))
}

// TestPowerCut in the middle of a deployment: the job is lost, and started again it comes to the same end.
func TestPowerCut(t *testing.T) {
	r := newRig(t)
	release := r.release("1.0")
	release.Params["restart"] = `[ -e "$ARGOSY_ROOT/booted" ] || { touch "$ARGOSY_ROOT/hangs"; sleep 600; }; cp which "$ARGOSY_ROOT/serves"`
	r.tries++
	r.Expect(r.system.Start(t.Context(), r.job(release))).To(gomega.Succeed())
	r.Eventually(func() error { _, err := os.Stat(filepath.Join(r.root, "hangs")); return err }).Should(gomega.Succeed())
	r.Expect(r.observe(r.job(release)).State).To(gomega.Equal(deploy.Running))
	r.guest.CutPower()
	r.Expect(os.WriteFile(filepath.Join(r.root, "booted"), nil, 0o600)).To(gomega.Succeed())
	r.Expect(r.guest.Boot()).To(gomega.Succeed())
	r.Expect(r.observe(r.job(release)).State).To(gomega.Equal(deploy.Absent))
	r.Expect(r.system.Start(t.Context(), r.job(release))).To(gomega.Succeed())
	r.Eventually(func() deploy.State { return r.observe(r.job(release)).State }).Should(gomega.Equal(deploy.Succeeded))
	r.Expect(r.file("serves")).To(gomega.Equal("1.0"))

	late := r.job(release)
	late.ID, late.Sequence = "op.late.0", 0
	r.Expect(errors.Is(r.system.Start(t.Context(), late), deploy.ErrFenced)).To(gomega.BeTrue())
}

func TestCheck(t *testing.T) {
	good := v1alpha1.Release{Version: "1.0", Artifact: "https://x/app.tgz", Checksum: "sha256:" + strings.Repeat("0", 64)}
	for name, tc := range map[string]struct {
		edit func(*v1alpha1.Release)
		want string
	}{
		"as it should":       {func(*v1alpha1.Release) {}, ""},
		"a file of its own":  {func(r *v1alpha1.Release) { r.Artifact, r.Checksum = "file:///srv/app.tgz", "" }, ""},
		"no checksum":        {func(r *v1alpha1.Release) { r.Checksum = "" }, "an artifact over http(s) needs a checksum"},
		"no artifact":        {func(r *v1alpha1.Release) { r.Artifact = "" }, "is no https://, http:// or file:/// address"},
		"a version of paths": {func(r *v1alpha1.Release) { r.Version = "../1" }, "is no name of a folder"},
		"unknown":            {func(r *v1alpha1.Release) { set(r, "service", "x") }, "system ssh knows no params.service"},
		"the root":           {func(r *v1alpha1.Release) { set(r, "path", "/") }, "is no absolute path below /"},
		"a unit of options":  {func(r *v1alpha1.Release) { set(r, "unit", "--now") }, "is no name of a unit"},
		"both":               {func(r *v1alpha1.Release) { set(r, "unit", "x.service"); set(r, "restart", "true") }, "are one or the other"},
		"maybe":              {func(r *v1alpha1.Release) { set(r, "unpack", "maybe") }, "is neither true nor false"},
	} {
		release := *good.DeepCopy()
		tc.edit(&release)
		err := sshdeploy.Check(release)
		if tc.want == "" && err != nil || tc.want != "" && (!errors.Is(err, deploy.ErrInvalid) || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

func set(r *v1alpha1.Release, key, value string) {
	if r.Params == nil {
		r.Params = map[string]v1alpha1.BoundedString{}
	}
	r.Params[key] = v1alpha1.BoundedString(value)
}
