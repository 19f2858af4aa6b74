package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"

	"github.com/argosy-dev/argosy/test/lab/machine"
)

func shell(t *testing.T, script string) Spec {
	t.Helper()
	return Spec{Name: "plane/child", Path: "/bin/sh", Args: []string{"-c", script}, Log: filepath.Join(t.TempDir(), "logs", "child.log")}
}

func start(t *testing.T, spec Spec) *Process {
	t.Helper()
	p, err := Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func TestDeathIsExplained(t *testing.T) {
	spec := shell(t, "echo first; echo the disk is on fire >&2; exit 4")
	spec.Ready = func(context.Context) error { return errors.New("not yet") }
	err := start(t, spec).WaitReady(t.Context())
	if err == nil {
		t.Fatal("a dead child is ready")
	}
	for _, word := range []string{"plane/child died", "exit status 4", "the disk is on fire", spec.Log} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not in: %v", word, err)
		}
	}
}

func TestEndingByItselfIsAnError(t *testing.T) {
	p := start(t, shell(t, "exit 0"))
	<-p.Done()
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "ended by itself") {
		t.Errorf("got %v, want that it ended by itself", err)
	}
}

func TestNeverReady(t *testing.T) {
	spec := shell(t, "echo waiting for a database; exec sleep 600")
	spec.ReadyWithin = 300 * time.Millisecond
	spec.Ready = func(context.Context) error { return errors.New("the port is closed") }
	p := start(t, spec)
	gomega.NewWithT(t).Eventually(func() string { return p.LastLines(1) }, machine.Patience).
		Should(gomega.ContainSubstring("waiting for a database"))
	err := p.WaitReady(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the port is closed") || !strings.Contains(err.Error(), "waiting for a database") {
		t.Errorf("got %v, want the last answer and the log", err)
	}
}

func TestStop(t *testing.T) {
	for name, tc := range map[string]struct{ script string }{
		"ends when asked":         {"exec sleep 600"},
		"has to be killed":        {"trap '' TERM; exec sleep 600"},
		"has a child of its own":  {"sleep 600 & wait"},
		"leaves a stubborn child": {"(trap '' TERM; exec sleep 600) & wait"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := shell(t, tc.script)
			spec.StopWithin = 300 * time.Millisecond
			p := start(t, spec)
			p.Stop()
			if err := p.Err(); err != nil {
				t.Errorf("a stopped child is called failed: %v", err)
			}
			// What the child started is reaped by whoever adopted it, in its own time.
			gomega.NewWithT(t).Eventually(func() error { return syscall.Kill(-p.PID(), 0) }).WithTimeout(machine.Patience).
				Should(gomega.MatchError(syscall.ESRCH), "the child's process group is still there")
			p.Stop() // again does nothing
		})
	}
}

func TestStartNothing(t *testing.T) {
	spec := shell(t, "")
	spec.Path = "/nowhere/etcd"
	if _, err := Start(spec); err == nil || !strings.Contains(err.Error(), "starting plane/child") {
		t.Errorf("got %v, want which child did not start", err)
	}
}

func TestTail(t *testing.T) {
	for name, tc := range map[string]struct {
		content string
		want    []string
	}{
		"empty":       {"", nil},
		"fewer lines": {"a\nb\n", []string{"a", "b"}},
		"more lines":  {"a\nb\nc\nd\n", []string{"b", "c", "d"}},
		"no newline":  {"a\nb\nc\nd", []string{"b", "c", "d"}},
		"long":        {strings.Repeat("x\n", 100_000) + "y\n", []string{"x", "x", "y"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			if err := os.WriteFile(path, []byte(tc.content), 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := Tail(path, 3)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProportional(t *testing.T) {
	for name, tc := range map[string]struct {
		rollup string
		want   int64
	}{
		"a rollup": {"55d0-7ffd ---p 00000000 00:00 0 [rollup]\nRss:  9000 kB\nPss:                1234 kB\nPss_Dirty: 1 kB\n", 1234 << 10},
		"nonsense": {"Pss: many\n", 0},
		"nothing":  {"", 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := proportional(tc.rollup); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
	if Memory(os.Getpid()) == 0 {
		t.Error("this test's own memory is unknown")
	}
}

func TestRun(t *testing.T) {
	if out, err := Run(t.Context(), "/bin/sh", "-c", "echo done"); err != nil || out != "done\n" {
		t.Errorf("got %q, %v", out, err)
	}
	if _, err := Run(t.Context(), "/bin/sh", "-c", "echo no token >&2; exit 1"); err == nil || !strings.Contains(err.Error(), "no token") {
		t.Errorf("got %v, want what the program said", err)
	}
}
