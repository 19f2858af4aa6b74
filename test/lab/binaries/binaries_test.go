package binaries

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

func TestExecutable(t *testing.T) {
	for name, tc := range map[string]struct{ pkg, want string }{
		"a command":                      {"k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver"},
		"a module of a major version":    {"go.etcd.io/etcd/server/v3", "server"},
		"a module that is a program":     {"github.com/openkruise/kruise", "kruise"},
		"a name that only begins with v": {"example.org/cmd/vet", "vet"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := executable(tc.pkg); got != tc.want {
				t.Errorf("executable(%q) = %q, want %q", tc.pkg, got, tc.want)
			}
		})
	}
}

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range Names() {
		if seen[name] {
			t.Errorf("two programs are called %q", name)
		}
		seen[name] = true
	}
	if len(seen) < 15 {
		t.Errorf("%d programs are listed, want at least 15", len(seen))
	}
}

// TestOlderKubernetes: a cluster's programs come from the version's own module, and all others from where they always come.
func TestOlderKubernetes(t *testing.T) {
	root, err := FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	if base := "v" + BaseKubernetes + "."; !strings.HasPrefix(kubernetesVersion, base) {
		t.Errorf("the base is %s, want %s...", kubernetesVersion, base)
	}
	for minor, version := range olderKubernetes {
		groups := groupsWith("", minor)
		gomod, err := os.ReadFile(filepath.Join(root, groups[0].dir, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		if want := "k8s.io/kubernetes " + version + " "; !strings.Contains(string(gomod), want) || !strings.HasPrefix(version, "v"+minor+".") {
			t.Errorf("%s/go.mod does not require %s", groups[0].dir, want)
		}
		for _, name := range ClusterPrograms() {
			if len(groups[0].pick([]string{name})) != 1 {
				t.Errorf("Kubernetes %s has no %s", minor, name)
			}
		}
		if len(groups[0].pick(Names())) != len(ClusterPrograms()) {
			t.Errorf("Kubernetes %s gives more than a cluster's programs: %v", minor, groups[0].programs)
		}
	}
}

// TestOlderKarmada: its programs come from its own module, whose go.mod names that version, and all others from where they always come.
func TestOlderKarmada(t *testing.T) {
	root, err := FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	for _, karmada := range Karmadas() {
		gomod, err := os.ReadFile(filepath.Join(root, KarmadaFolder(karmada), "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		if want := KarmadaModule + " v" + karmada + "."; !strings.Contains(string(gomod), want) {
			t.Errorf("%s/go.mod does not require %s", KarmadaFolder(karmada), want)
		}
		from := map[string]string{}
		for _, g := range groupsWith(karmada, "") {
			for _, p := range g.programs {
				if from[p.name] == "" {
					from[p.name] = g.dir
				}
			}
		}
		for _, name := range Names() {
			want := "."
			for _, g := range groups() {
				if slices.Contains(g.packages(), pkgOf(g, name)) {
					want = g.dir
				}
			}
			if strings.HasPrefix(name, "karmada") {
				want = KarmadaFolder(karmada)
			}
			if from[name] != want {
				t.Errorf("Karmada %s: %s is built in %s, want %s", karmada, name, from[name], want)
			}
		}
	}
}

func pkgOf(g group, name string) string {
	for _, p := range g.programs {
		if p.name == name {
			return p.pkg
		}
	}
	return ""
}

func TestExplain(t *testing.T) {
	failed := errors.New("exit status 1")
	for name, tc := range map[string]struct {
		err    error
		stderr string
		want   string
	}{
		"no go at all": {
			err: &exec.Error{Name: "go", Err: exec.ErrNotFound}, want: "go is not on the PATH: install the Go release that go.mod names",
		},
		"disk full while linking": {
			err: failed, stderr: "go: downloading example.org/a v1.0.0\n/usr/lib/go/link: writing output: write /cache/x: no space left on device\n",
			want: "the disk is full: building the federation's programs needs about 6 GB in the Go caches and 1 GB in the user's cache folder " +
				"(/usr/lib/go/link: writing output: write /cache/x: no space left on device)",
		},
		"a name that does not resolve": {
			err: failed, stderr: "go: example.org/a@v1.0.0: Get \"https://example.org\": dial tcp: lookup example.org: no such host\n",
			want: "downloading Go modules failed: the first build needs a network or a filled module cache (go: example.org/a@v1.0.0: Get " +
				"\"https://example.org\": dial tcp: lookup example.org: no such host)",
		},
		"a compile error": {
			err: failed, stderr: "# example.org/a\na.go:3:1: syntax error\n", want: "running go: a.go:3:1: syntax error",
		},
		"silence": {err: failed, want: "running go: exit status 1"},
	} {
		t.Run(name, func(t *testing.T) {
			got := explain(tc.err, tc.stderr).Error()
			if got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if strings.Contains(got, "\n") {
				t.Error("the message is longer than one line")
			}
		})
	}
}

// TestNoNetwork asks the real go command, with empty caches and nowhere to download from.
func TestNoNetwork(t *testing.T) {
	root, err := FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOMODCACHE", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("GOCACHE", t.TempDir())
	_, err = Ensure(t.Context(), Options{Root: root}, "kwok")
	if err == nil || !strings.Contains(err.Error(), "needs a network or a filled module cache") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one line that says what is missing", err)
	}
}

// TestOldGo asks the real go command to build a module for a Go release to come.
func TestOldGo(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module example.org/a\n\ngo 1.999\n")
	t.Setenv("GOTOOLCHAIN", "local")
	_, err := goTool{dir: dir}.output(t.Context(), "list", "./...")
	if err == nil || !strings.Contains(err.Error(), "this Go release is too old") {
		t.Errorf("got %v, want that the Go release is too old", err)
	}
}

func TestCompilersCollectLess(t *testing.T) {
	for name, tc := range map[string]struct{ set, want string }{
		"by itself":       {"", "GOGC=400"},
		"the user's word": {"80", "GOGC=80"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOGC", tc.set)
			var last string
			for _, pair := range (goTool{dir: t.TempDir()}).command(t.Context(), "version").Environ() {
				if strings.HasPrefix(pair, "GOGC=") {
					last = pair
				}
			}
			if last != tc.want {
				t.Errorf("got %q, want %q", last, tc.want)
			}
		})
	}
}

func TestUnknownProgram(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if _, err := Ensure(t.Context(), Options{Root: t.TempDir()}, "hal9000"); err == nil || !strings.Contains(err.Error(), `"hal9000"`) {
		t.Errorf("got %v, want the unknown name", err)
	}
}

func TestLink(t *testing.T) {
	dir, bin := t.TempDir(), filepath.Join(t.TempDir(), "bin")
	old, current := filepath.Join(dir, "old"), filepath.Join(dir, "current")
	write(t, old, "old")
	write(t, current, "current")
	for _, file := range []string{old, current, current} {
		if err := (Set{"kubectl": file}).Link(bin, "kubectl"); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(bin, "kubectl"))
		if err != nil {
			t.Fatal(err)
		}
		if want := filepath.Base(file); string(content) != want {
			t.Errorf("bin/kubectl is %q, want %q", content, want)
		}
	}
}

func TestLockExcludes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), path, func() { t.Error("waited for a free lock") })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	told := 0
	if _, err := lock(ctx, path, func() { told++ }); err == nil {
		t.Error("two hold one lock")
	}
	if told != 1 {
		t.Errorf("said %d times that it waits, want once", told)
	}
	unlock()
	unlock, err = lock(t.Context(), path, func() {})
	if err != nil {
		t.Fatalf("the lock is not free after unlock: %v", err)
	}
	unlock()
}

func TestBuildProgress(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(time.Unix(0, 0))
	var out strings.Builder
	p := newBuildProgress(&out, clock)
	p.line("go: downloading example.org/a v1.0.0")
	p.line("example.org/a")
	if out.Len() != 0 {
		t.Errorf("said %q before anybody could be impatient", out.String())
	}
	clock.SetTime(time.Unix(12, 0))
	p.line("example.org/a/b")
	p.line("example.org/a/c")
	if want := "     12 s: 1 modules downloaded, 2 packages compiled; at example.org/a/b\n"; out.String() != want {
		t.Errorf("said %q, want %q", out.String(), want)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
