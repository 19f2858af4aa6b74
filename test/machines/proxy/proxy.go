package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/argosy-dev/argosy/test/machines/debian"
)

// Proxy is one HAProxy.
type Proxy struct {
	root    debian.Root
	folder  string
	said    io.Writer
	running *exec.Cmd
}

// configuration of all; %[1]s is the folder, %[2]s what the story adds to its defaults, and the rest its backend.
const configuration = `
global
  stats socket %[1]s/admin.sock level admin
  maxconn 200
defaults
  mode http
%[2]s
frontend clients
  bind unix@%[1]s/clients.sock
  default_backend %[3]s
backend %[3]s
  balance roundrobin
%[4]s
`

// Options of a new one.
type Options struct {
	// Defaults are lines of the section of that name: timeouts, and what is tried again.
	Defaults string
	// Backend is the name of the only one, which has all clients, and Servers its lines.
	Backend, Servers string
	// Said takes what it prints.
	Said io.Writer
}

// Start one with the packages of root.
func Start(ctx context.Context, root debian.Root, o Options) (*Proxy, error) {
	// A socket's path has room for some hundred bytes, less than a test's own folder may take.
	folder, err := os.MkdirTemp("", "haproxy-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for HAProxy: %w", err)
	}
	p := &Proxy{root: root, folder: folder, said: o.Said}
	text := fmt.Appendf(nil, configuration, folder, o.Defaults, o.Backend, o.Servers)
	if err := os.WriteFile(filepath.Join(folder, "haproxy.cfg"), text, 0o600); err != nil {
		return nil, fmt.Errorf("configuring HAProxy: %w", err)
	}
	return p, p.Resume(ctx)
}

// Resume starts it again after Stop: with what its configuration says, and nothing that it was told since.
func (p *Proxy) Resume(ctx context.Context) error {
	command, err := p.root.Command(context.WithoutCancel(ctx), "usr/sbin/haproxy", "-db", "-f", filepath.Join(p.folder, "haproxy.cfg"))
	if err != nil {
		return err
	}
	command.Stdout, command.Stderr = p.said, p.said
	if err := command.Start(); err != nil {
		return fmt.Errorf("starting HAProxy: %w", err)
	}
	p.running = command
	err = wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		_, err := p.Ask("show info")
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for HAProxy: %w", err)
	}
	return nil
}

// Stop it at once.
func (p *Proxy) Stop() {
	if p.running == nil {
		return
	}
	_ = p.running.Process.Signal(syscall.SIGKILL)
	_ = p.running.Wait() // it was killed
	p.running = nil
	_ = os.Remove(p.Admin()) // so that nobody waits for a process that is gone
}

// Close stops it for good.
func (p *Proxy) Close() {
	p.Stop()
	_ = os.RemoveAll(p.folder)
}

// Admin is the socket of its runtime API.
func (p *Proxy) Admin() string { return filepath.Join(p.folder, "admin.sock") }

// Ask the runtime API something.
func (p *Proxy) Ask(command string) (string, error) {
	connection, err := net.DialTimeout("unix", p.Admin(), time.Second)
	if err != nil {
		return "", err
	}
	defer connection.Close()
	if _, err := fmt.Fprintln(connection, command); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(connection)
	return string(answer), err
}

// Client whose requests all go through it, whatever they are for.
func (p *Proxy) Client(timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(p.folder, "clients.sock"))
		},
	}}
}
