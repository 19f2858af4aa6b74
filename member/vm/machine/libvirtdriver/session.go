package libvirtdriver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/digitalocean/go-libvirt"
	"github.com/digitalocean/go-libvirt/socket"
	"github.com/digitalocean/go-libvirt/socket/dialers"
)

// patience with one call: a libvirt that takes longer has not answered.
const patience = 30 * time.Second

// dialerOf an address: "unix:/path" or "tls:host:port", the latter with the certificates of folder (clientcert.pem, clientkey.pem,
// cacert.pem).
func dialerOf(address, folder string) (socket.Dialer, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok && strings.HasPrefix(path, "/") {
		return dialers.NewLocal(dialers.WithSocket(path), dialers.WithLocalTimeout(patience/2)), nil
	}
	where, ok := strings.CutPrefix(address, "tls:")
	host, port, err := net.SplitHostPort(where)
	if !ok || err != nil || host == "" || port == "" {
		return nil, fmt.Errorf("address %q is neither unix:/path nor tls:host:port", address)
	}
	if folder == "" {
		return nil, fmt.Errorf("address %q needs a folder with clientcert.pem, clientkey.pem and cacert.pem", address)
	}
	return dialers.NewTLS(host, dialers.UseTLSPort(port), dialers.UsePKIPath(folder)), nil
}

// session is a connection, made when it is needed and anew after it broke.
type session struct {
	dialer socket.Dialer
	uri    libvirt.ConnectURI

	// making keeps two from connecting at once.
	making sync.Mutex
	mu     sync.Mutex
	open   *libvirt.Libvirt
	line   net.Conn
}

// tapped is a dialer that keeps the line, so that a call nobody answers can be ended.
type tapped struct{ *session }

func (t tapped) Dial() (net.Conn, error) {
	line, err := t.dialer.Dial()
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.line = line
	return line, nil
}

// over the connection ask something, for as long as ctx and patience allow. go-libvirt knows no context: a call that is not answered is
// left behind, and its connection closed.
func over[T any](ctx context.Context, s *session, call func(*libvirt.Libvirt) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		var out answer
		out.err = s.run(func(l *libvirt.Libvirt) (err error) {
			out.value, err = call(l)
			return err
		})
		done <- out
	}()
	select {
	case out := <-done:
		return out.value, out.err
	case <-ctx.Done():
		s.drop()
		var none T
		return none, fmt.Errorf("libvirt did not answer: %w", ctx.Err())
	}
}

func (s *session) run(call func(*libvirt.Libvirt) error) error {
	open, err := s.connected()
	if err != nil {
		return fmt.Errorf("libvirt cannot be reached: %w", err)
	}
	if err = call(open); err != nil && (broken(err) || !open.IsConnected()) {
		s.drop()
	}
	return err
}

// broken says that the line failed: go-libvirt takes note of that a moment later, and until then calls it connected.
func broken(err error) bool {
	var line *net.OpError
	return errors.As(err, &line) || errors.Is(err, libvirt.ErrInterrupted) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func (s *session) connected() (*libvirt.Libvirt, error) {
	s.making.Lock()
	defer s.making.Unlock()
	s.mu.Lock()
	open := s.open
	s.mu.Unlock()
	if open != nil && open.IsConnected() {
		return open, nil
	}
	made := libvirt.NewWithDialer(tapped{s})
	if err := made.ConnectToURI(s.uri); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = made
	return made, nil
}

// drop the connection: the next call makes another.
func (s *session) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line != nil {
		_ = s.line.Close() // it is of no use any more
	}
	s.open, s.line = nil, nil
}
