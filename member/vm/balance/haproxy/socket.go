package haproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// Bounds of an answer: one of more bytes, or that takes longer, is none.
const (
	patience  = 5 * time.Second
	maxAnswer = 8 << 20
)

// socket is the runtime API of one instance.
type socket struct{ network, address string }

// parseAddress reads "host:port" or "unix:/path".
func parseAddress(text string) (socket, error) {
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		if !strings.HasPrefix(path, "/") {
			return socket{}, fmt.Errorf("address %q is no unix:/path", text)
		}
		return socket{network: "unix", address: path}, nil
	}
	if host, port, err := net.SplitHostPort(text); err != nil || host == "" || port == "" {
		return socket{}, fmt.Errorf("address %q is neither host:port nor unix:/path", text)
	}
	return socket{network: "tcp", address: text}, nil
}

func (s socket) String() string { return s.address }

// run one command and give back its answer without the empty lines behind it. HAProxy closes the connection after each.
func (s socket) run(ctx context.Context, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	connection, err := (&net.Dialer{}).DialContext(ctx, s.network, s.address)
	if err != nil {
		return "", fmt.Errorf("reaching HAProxy at %s: %w", s, plain(err))
	}
	defer connection.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := connection.SetDeadline(deadline); err != nil {
			return "", fmt.Errorf("reaching HAProxy at %s: %w", s, plain(err))
		}
	}
	if _, err := io.WriteString(connection, command+"\n"); err != nil {
		return "", fmt.Errorf("asking HAProxy at %s: %w", s, plain(err))
	}
	answer, err := io.ReadAll(io.LimitReader(connection, maxAnswer+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("the answer of HAProxy at %s broke off: %w", s, plain(err))
	case len(answer) > maxAnswer:
		return "", fmt.Errorf("the answer of HAProxy at %s is longer than %d bytes", s, maxAnswer)
	case len(answer) == 0:
		return "", fmt.Errorf("the answer of HAProxy at %s is empty, and not even a line", s)
	}
	return strings.TrimRight(string(answer), "\n"), nil
}

// plain leaves out one's own port, which is another each time: what is said again and again should be the same.
func plain(err error) error {
	var at *net.OpError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// errAnswer is an answer that HAProxy gives to nothing it did.
var errAnswer = errors.New("HAProxy refused")

// change something: the answer is one of those that mean that it was done.
func (s socket) change(ctx context.Context, command string, done ...string) error {
	answer, err := s.run(ctx, command)
	if err != nil {
		return err
	}
	for _, ok := range done {
		if answer == ok {
			return nil
		}
	}
	return fmt.Errorf("%w %q at %s: %s", errAnswer, command, s, strings.ToValidUTF8(answer[:min(len(answer), 512)], ""))
}
