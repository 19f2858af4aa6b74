package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// Spec says how to start one child and how to tell that it serves.
type Spec struct {
	// Name is what people call it: "member1/kube-apiserver".
	Name string
	Path string
	Args []string
	// Env is added to the lab's own environment.
	Env []string
	// Log is the file its output is appended to.
	Log string
	// Ready returns nil once the child serves. A nil Ready means that running is enough.
	Ready func(context.Context) error
	// ReadyWithin bounds the wait for Ready; zero means ten minutes: a cold machine may start twenty children at once.
	ReadyWithin time.Duration
	// StopWithin is the patience between SIGTERM and SIGKILL; zero means five seconds.
	StopWithin time.Duration
}

// Process is a started child.
type Process struct {
	spec     Spec
	cmd      *exec.Cmd
	done     chan struct{}
	stopping atomic.Bool
	// err is written once, before done is closed.
	err error
}

// Start starts the child and returns at once; WaitReady waits for it to serve.
func Start(spec Spec) (*Process, error) {
	if err := os.MkdirAll(filepath.Dir(spec.Log), 0o755); err != nil {
		return nil, fmt.Errorf("starting %s: %w", spec.Name, err)
	}
	log, err := os.OpenFile(spec.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", spec.Name, err)
	}
	defer log.Close()
	cmd := exec.Command(spec.Path, spec.Args...)
	cmd.Env = append(os.Environ(), spec.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = attributes()
	if err := StartKept(cmd); err != nil {
		return nil, fmt.Errorf("starting %s: %w", spec.Name, err)
	}
	p := &Process{spec: spec, cmd: cmd, done: make(chan struct{})}
	go p.watch()
	return p, nil
}

func (p *Process) watch() {
	err := p.cmd.Wait()
	switch {
	case p.stopping.Load():
		p.err = nil
	case err != nil:
		p.err = fmt.Errorf("%s died (%w)%s", p.spec.Name, err, p.LastLines(8))
	default:
		p.err = fmt.Errorf("%s ended by itself%s", p.spec.Name, p.LastLines(8))
	}
	close(p.done)
}

// Name of the child.
func (p *Process) Name() string { return p.spec.Name }

// PID of the child.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says why the child ended unasked; nil while it runs and after Stop.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// WaitReady returns when the child serves, and fails early when it dies.
func (p *Process) WaitReady(ctx context.Context) error {
	if p.spec.Ready == nil {
		return nil
	}
	within := p.spec.ReadyWithin
	if within == 0 {
		within = 10 * time.Minute
	}
	var last error
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, within, true, func(ctx context.Context) (bool, error) {
		select {
		case <-p.done:
			if p.err == nil {
				return false, fmt.Errorf("%s was stopped", p.spec.Name)
			}
			return false, p.err
		default:
		}
		attempt, cancel := context.WithTimeout(ctx, 15*time.Second)
		defer cancel()
		err := p.spec.Ready(attempt)
		if err != nil && (last == nil || ctx.Err() == nil) {
			last = err // what the deadline itself cuts off explains nothing
		}
		return err == nil, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return fmt.Errorf("%s is not ready after %s: %w%s", p.spec.Name, within, last, p.LastLines(8))
	}
	return err
}

// Stop asks the child to end, then kills it and all it started. It returns when the child is gone.
func (p *Process) Stop() {
	p.stopping.Store(true)
	select {
	case <-p.done:
		return
	default:
	}
	group := -p.PID()
	_ = syscall.Kill(group, syscall.SIGTERM) // fails only if it just ended, which is the aim
	patience := p.spec.StopWithin
	if patience == 0 {
		patience = 5 * time.Second
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
		_ = syscall.Kill(group, syscall.SIGKILL) // what it started and left behind
	case <-timer.C:
		p.Kill()
	}
}

// Kill ends the child at once, as a power cut would.
func (p *Process) Kill() {
	p.stopping.Store(true)
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	<-p.done
}

// LastLines returns the end of the child's log, indented, for an error message.
func (p *Process) LastLines(n int) string {
	lines, err := Tail(p.spec.Log, n)
	if err != nil || len(lines) == 0 {
		return ""
	}
	return "; the last lines of " + p.spec.Log + ":\n    " + strings.Join(lines, "\n    ")
}

// Tail returns up to n last lines of a file.
func Tail(path string, n int) ([]string, error) {
	const window = 64 << 10
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	from := max(0, info.Size()-window)
	buf := make([]byte, info.Size()-from)
	if _, err := f.ReadAt(buf, from); err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimRight(string(buf), "\n"), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return nil, nil
	}
	return lines[max(0, len(lines)-n):], nil
}

// Run runs a short-lived program to its end and returns what it wrote.
func Run(ctx context.Context, path string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = attributes()
	if err := StartKept(cmd); err != nil {
		return "", fmt.Errorf("running %s: %w", filepath.Base(path), err)
	}
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			err = errors.Join(ctx.Err(), err)
		}
		return out.String(), fmt.Errorf("running %s: %w: %s", filepath.Base(path), err, strings.TrimSpace(out.String()))
	}
	return out.String(), nil
}
