package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/argosy-dev/argosy/test/lab/binaries"
	"github.com/argosy-dev/argosy/test/lab/process"
)

// small is a federation that starts in a few seconds.
var small = []string{"up", "--members", "1", "--nodes", "1", "--stock"}

// cli is argosy-lab with a state folder of the test's own.
type cli struct {
	program, dir string
	env          []string
}

func newCLI(t *testing.T) cli {
	t.Helper()
	root, err := binaries.FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	programs, err := binaries.BuildOwn(t.Context(), binaries.Options{Root: root}, "argosy-lab")
	if err != nil {
		t.Fatal(err)
	}
	c := cli{program: programs["argosy-lab"], dir: filepath.Join(t.TempDir(), "state")}
	t.Cleanup(func() {
		c.run(t, "down") // whatever the test left; it fails where there is nothing
		mustBeGone(t, c.dir)
	})
	return c
}

func (c cli) command(args ...string) *exec.Cmd {
	cmd := exec.Command(c.program, append(args, "--dir", c.dir)...)
	cmd.Env = append(os.Environ(), c.env...)
	return cmd
}

// run returns the exit code, and what a person reads on standard error.
func (c cli) run(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var stderr bytes.Buffer
	cmd := c.command(args...)
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("running argosy-lab %v: %v", args, err)
	}
	return cmd.ProcessState.ExitCode(), stderr.String()
}

// mustBeGone proves that no process names the lab's folder any more.
func mustBeGone(t *testing.T, dir string) {
	t.Helper()
	g := NewWithT(t)
	// A killed supervisor's children are killed by the kernel, which takes a moment.
	g.Eventually(func() ([]int, error) { return process.Using(dir) }, "5m", "100ms").Should(BeEmpty(), "processes left behind")
}

// mustSayOnce checks that the error is one line that names what a person needs.
func mustSayOnce(t *testing.T, stderr string, words ...string) {
	t.Helper()
	if n := strings.Count(strings.TrimSpace(stderr), "\n"); n != 0 {
		t.Errorf("the error has %d lines, want 1:\n%s", n+1, stderr)
	}
	mustSay(t, stderr, words...)
}

func mustSay(t *testing.T, stderr string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(stderr, word) {
			t.Errorf("the error does not name %q:\n%s", word, stderr)
		}
	}
}

func TestUpTwiceAndDownTwice(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	if code, stderr := c.run(t, small...); code != 0 {
		t.Fatalf("up: exit code %d: %s", code, stderr)
	}
	before, err := process.Using(c.dir)
	if err != nil {
		t.Fatal(err)
	}

	code, stderr := c.run(t, small...)
	if code != 3 {
		t.Errorf("up while up: exit code %d, want 3", code)
	}
	mustSayOnce(t, stderr, "already up", "argosy-lab down")
	after, err := process.Using(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("up while up changed the processes: %v, before %v", after, before)
	}

	if code, stderr := c.run(t, "down"); code != 0 {
		t.Errorf("down: exit code %d: %s", code, stderr)
	}
	mustBeGone(t, c.dir)
	code, stderr = c.run(t, "down")
	if code != 3 {
		t.Errorf("down while down: exit code %d, want 3", code)
	}
	mustSayOnce(t, stderr, "no lab is running")
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
	code, stderr := c.run(t, append(small, "--apiserver-port", port)...)
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	mustSayOnce(t, stderr, port, "is taken by another program")
	mustBeGone(t, c.dir)
}

func TestComponentDiesAtStart(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.env = brokenCache(t, "kube-scheduler", "#!/bin/sh\necho 'the flux capacitor is missing' >&2\nexit 7\n")
	code, stderr := c.run(t, small...)
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	mustSay(t, stderr, "member1/kube-scheduler died (exit status 7)", "the flux capacitor is missing", "kube-scheduler.log")
	mustBeGone(t, c.dir)
	if code, stderr := c.run(t, "status"); code != 3 {
		t.Errorf("status after a failed start: exit code %d, want 3: %s", code, stderr)
	}
	if _, err := os.Stat(filepath.Join(c.dir, "logs", "member1", "kube-scheduler.log")); err != nil {
		t.Errorf("the log that the error names is not kept: %v", err)
	}
}

// brokenCache is a cache of programs like the user's, but for one program.
func brokenCache(t *testing.T, name, script string) []string {
	t.Helper()
	root, err := binaries.FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	programs, err := binaries.Ensure(t.Context(), binaries.Options{Root: root, Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	real, err := binaries.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	goCache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	cache := filepath.Join(home, "argosy")
	if err := os.CopyFS(filepath.Join(cache, "index"), os.DirFS(filepath.Join(real, "index"))); err != nil {
		t.Fatal(err)
	}
	for program, file := range programs {
		relative, err := filepath.Rel(real, file)
		if err != nil {
			t.Fatal(err)
		}
		link := filepath.Join(cache, relative)
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			t.Fatal(err)
		}
		if program == name {
			err = os.WriteFile(link, []byte(script), 0o755)
		} else {
			err = os.Symlink(file, link)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return []string{"XDG_CACHE_HOME=" + home, "GOCACHE=" + strings.TrimSpace(string(goCache))}
}

func TestInterruptedStart(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		signal syscall.Signal
		// wantCode is what `up` exits with; -1 is a death by signal.
		wantCode int
	}{
		"Ctrl-C":                {signal: syscall.SIGINT, wantCode: 1},
		"killed, as by a crash": {signal: syscall.SIGKILL, wantCode: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			c := newCLI(t)
			c.env = neverReady(t)
			var stderr bytes.Buffer
			cmd := c.command(small...)
			cmd.Stderr = &stderr
			g.Expect(cmd.Start()).To(Succeed())
			halfStarted(g, c.dir)
			g.Expect(cmd.Process.Signal(tc.signal)).To(Succeed())
			err := cmd.Wait()
			g.Expect(err).To(HaveOccurred())
			g.Expect(cmd.ProcessState.ExitCode()).To(Equal(tc.wantCode))
			mustBeGone(t, c.dir)
			if tc.signal == syscall.SIGINT {
				mustSayOnce(t, stderr.String(), "interrupted")
			}
			code, _ := c.run(t, "status")
			g.Expect(code).To(Equal(3))
		})
	}
}

// neverReady is a cache of programs with which a federation stays half started, however late the test looks. The shell itself stays, since
// its command line names the lab's folder.
func neverReady(t *testing.T) []string {
	t.Helper()
	return brokenCache(t, "kube-scheduler", "#!/bin/sh\nwhile :; do sleep 1; done\n")
}

// halfStarted waits until an API server runs and the federation is far from ready.
func halfStarted(g Gomega, dir string) {
	g.Eventually(func() ([]int, error) { return process.Using(dir + "/pki/service-accounts.crt") }, "10m", "50ms").ShouldNot(BeEmpty())
}

func TestDownWhileStarting(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	c := newCLI(t)
	c.env = neverReady(t)
	var stderr bytes.Buffer
	cmd := c.command(small...)
	cmd.Stderr = &stderr
	g.Expect(cmd.Start()).To(Succeed())
	halfStarted(g, c.dir)
	code, message := c.run(t, "down")
	g.Expect(code).To(Equal(0), message)
	g.Expect(cmd.Wait()).NotTo(Succeed())
	g.Expect(cmd.ProcessState.ExitCode()).To(Equal(1))
	mustSayOnce(t, stderr.String(), "told to go down")
	mustBeGone(t, c.dir)
}

// TestKilledSupervisor is the crash of a lab that was up: the kernel ends its processes, and the next
// `up` starts afresh.
func TestKilledSupervisor(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	c := newCLI(t)
	code, stderr := c.run(t, small...)
	g.Expect(code).To(Equal(0), stderr)
	supervisors, err := process.Using("supervise\x00{\"Dir\":\"" + c.dir)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(supervisors).To(HaveLen(1))
	g.Expect(syscall.Kill(supervisors[0], syscall.SIGKILL)).To(Succeed())
	mustBeGone(t, c.dir)
	code, stderr = c.run(t, "status")
	g.Expect(code).To(Equal(3))
	mustSayOnce(t, stderr, "no lab is running")
	code, stderr = c.run(t, small...)
	g.Expect(code).To(Equal(0), "up after a crash: "+stderr)
}

// TestComponentDiesLater is a component that ends while the lab is up: status names it and fails, start brings it back.
func TestComponentDiesLater(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	c := newCLI(t)
	code, stderr := c.run(t, small...)
	g.Expect(code).To(Equal(0), stderr)
	pids, err := process.Using(filepath.Join(c.dir, "member1.kwok.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(pids).To(HaveLen(1))
	g.Expect(syscall.Kill(pids[0], syscall.SIGKILL)).To(Succeed())
	g.Eventually(func() string {
		code, stderr := c.run(t, "status")
		return fmt.Sprint(code, stderr)
	}, "5m", "200ms").Should(And(HavePrefix("1"), ContainSubstring("member1/kwok")))
	code, stderr = c.run(t, "start", "member1/kwok")
	g.Expect(code).To(Equal(0), stderr)
	code, stderr = c.run(t, "status")
	g.Expect(code).To(Equal(0), stderr)
}

func TestWrongArguments(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no members":        {args: []string{"up", "--members", "0"}, want: "--members must be at least 1"},
		"nodes in words":    {args: []string{"up", "--member-nodes", "3,many"}, want: `"many" is not a number`},
		"not a port":        {args: []string{"up", "--apiserver-port", "70000"}, want: "--apiserver-port 70000 is not a port"},
		"status of nothing": {args: []string{"status"}, want: "no lab is running"},
		"stop of nothing":   {args: []string{"stop", "member1"}, want: "no lab is running"},
		"env of nothing":    {args: []string{"env"}, want: "argosy-lab up"},
		"logs of nothing":   {args: []string{"logs", "etcd"}, want: `no log of "etcd"`},
		"no such scene":     {args: []string{"demo", "--scene", "hamlet"}, want: "there are spread"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCLI(t)
			code, stderr := c.run(t, tc.args...)
			if code == 0 {
				t.Error("exit code 0")
			}
			mustSayOnce(t, stderr, tc.want)
		})
	}
}

// TestStopUnknown names what there is.
func TestStopUnknown(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	c := newCLI(t)
	code, stderr := c.run(t, small...)
	g.Expect(code).To(Equal(0), stderr)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	code, stderr = c.run(t, "stop", "member7")
	g.Expect(ctx.Err()).NotTo(HaveOccurred())
	g.Expect(code).To(Equal(1))
	mustSayOnce(t, stderr, `"member7"`, "member1/kwok")
}
