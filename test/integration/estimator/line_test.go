package estimator

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
)

// line is a TCP line to an API server. Cut, it refuses; hung, it accepts and says nothing.
type line struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	cut   bool
	hung  bool
	calls map[net.Conn]struct{}
}

// through returns a configuration that reaches the API server by a line.
func through(t *testing.T, config *rest.Config) (*rest.Config, *line) {
	t.Helper()
	server, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{listener: listener, target: server.Host, calls: map[net.Conn]struct{}{}}
	go l.serve()
	t.Cleanup(func() {
		_ = listener.Close()
		l.drop()
	})
	config = rest.CopyConfig(config)
	config.Host = "https://" + listener.Addr().String()
	return config, l
}

func (l *line) serve() {
	for {
		call, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.mu.Lock()
		cut, hung := l.cut, l.hung
		if !cut {
			l.calls[call] = struct{}{}
		}
		l.mu.Unlock()
		switch {
		case cut:
			_ = call.Close()
		case !hung:
			go l.carry(call)
		}
	}
}

func (l *line) carry(call net.Conn) {
	server, err := net.Dial("tcp", l.target)
	if err != nil {
		_ = call.Close()
		return
	}
	l.mu.Lock()
	l.calls[server] = struct{}{}
	l.mu.Unlock()
	go func() { _, _ = io.Copy(server, call); _ = server.Close() }()
	_, _ = io.Copy(call, server)
	_ = call.Close()
}

// set changes the line's state and drops the calls it carries.
func (l *line) set(cut, hung bool) {
	l.mu.Lock()
	l.cut, l.hung = cut, hung
	l.mu.Unlock()
	l.drop()
}

func (l *line) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for call := range l.calls {
		_ = call.Close()
	}
	l.calls = map[net.Conn]struct{}{}
}
