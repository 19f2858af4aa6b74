package remote

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// patience with one connection, and all that is asked over it.
const patience = 30 * time.Second

// maxAnswer is how many bytes of an answer are read; the rest is thrown away.
const maxAnswer = 1 << 20

// Client reaches machines. It is not to be copied. Connections are kept for a while, so that looking at work that goes on costs no
// handshake.
type Client struct {
	// Dial opens connections; nil is the usual.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Patience with one connection, and all that is asked over it; 0 is 30 seconds.
	Patience time.Duration
	// Idle is how long a connection is kept that nobody uses; 0 is a minute, and below it none is. Kept is how many are, at most; 0 is 256.
	Idle time.Duration
	Kept int

	pool pool
}

func (c *Client) patience() time.Duration { return cmp.Or(c.Patience, patience) }

// State of the work that a machine knows of.
type State string

// The states.
const (
	// None: nothing was ever started.
	None State = "none"
	// Running goes on.
	Running State = "running"
	// Ended has a code.
	Ended State = "ended"
	// Lost ended without a code: the machine went down, or the work was killed.
	Lost State = "lost"
)

// Status is what a machine says of the work started last.
type Status struct {
	// Fence is the highest sequence the machine has seen.
	Fence int64 `json:"fence"`
	// Sequence and Name of the work.
	Sequence int64  `json:"sequence"`
	Name     string `json:"name"`
	State    State  `json:"state"`
	// Code the script exited with, once it ended.
	Code int `json:"code"`
	// Boot is the machine's boot id.
	Boot string `json:"boot"`
	// Output is the end of what it printed, at most 4096 bytes, valid UTF-8.
	Output string `json:"-"`
}

// Work to start.
type Work struct {
	// Sequence of the lock it is done under.
	Sequence int64
	// Name is the same for the same work, and for no other: letters, digits, '.', '_' and '-'.
	Name string
	// Script for sh.
	Script []byte
}

// LastLine of the output with anything in it.
func (s Status) LastLine() string {
	lines := strings.Split(strings.TrimSpace(s.Output), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// End of the output, of at most so many bytes, from the beginning of a line where there is one.
func (s Status) End(bytes int) string {
	text := strings.TrimSpace(s.Output)
	if len(text) <= bytes {
		return text
	}
	text = text[len(text)-bytes:]
	if _, rest, ok := strings.Cut(text, "\n"); ok {
		text = rest
	}
	return strings.ToValidUTF8(text, "")
}

var goodName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,200}$`)

// Start work, unless it was started before. It returns as soon as the machine has the script; Status says what becomes of it. Errors are
// ErrFenced, ErrBusy, ErrHostKey, ErrKey, or may pass; the work may have been started although an error is returned.
func (c *Client) Start(ctx context.Context, target Target, work Work) error {
	if !goodName.MatchString(work.Name) {
		return fmt.Errorf("starting work %q: that is no name", work.Name)
	}
	arguments := fmt.Sprintf("%d %s %s", work.Sequence, work.Name, sum(work.Script))
	code, output, err := c.wrapped(ctx, target, arguments, work.Script)
	switch {
	case err != nil:
		return fmt.Errorf("starting %s: %w", work.Name, err)
	case code == 0:
		return nil
	case code == exitFenced:
		return fmt.Errorf("starting %s with sequence %d: %w", work.Name, work.Sequence, ErrFenced)
	case code == exitBusy:
		return fmt.Errorf("starting %s: %w", work.Name, ErrBusy)
	case code == exitLacks:
		return fmt.Errorf("starting %s: %w", work.Name, lacks(output))
	case code == exitNoRoom:
		return fmt.Errorf("starting %s: %s cannot write /var/lib/argosy there", work.Name, target.User)
	case code == exitTorn:
		return fmt.Errorf("starting %s: the script did not arrive whole", work.Name)
	}
	return fmt.Errorf("starting %s: argosy-run exited with %d", work.Name, code)
}

// lacks says which program argosy-run does not find.
func lacks(output []byte) error {
	name, _, _ := strings.Cut(string(output), "\n")
	return fmt.Errorf("the machine has no %q, which work on it needs", strings.ToValidUTF8(name[:min(len(name), 40)], ""))
}

// Status of the work that was started last.
func (c *Client) Status(ctx context.Context, target Target) (Status, error) {
	code, output, err := c.wrapped(ctx, target, "status", nil)
	if err != nil {
		return Status{}, fmt.Errorf("asking how far the work is: %w", err)
	}
	switch code {
	case 0:
	case exitLacks:
		return Status{}, fmt.Errorf("asking how far the work is: %w", lacks(output))
	default:
		return Status{}, fmt.Errorf("asking how far the work is: argosy-run exited with %d", code)
	}
	line, rest, _ := bytes.Cut(output, []byte("\n"))
	var out Status
	if err := json.Unmarshal(line, &out); err != nil {
		return Status{}, fmt.Errorf("reading how far the work is: %w", err)
	}
	out.Output = strings.ToValidUTF8(string(rest), "\uFFFD")
	return out, nil
}

// Read runs a command that changes nothing, and gives what it printed: at most a MiB.
func (c *Client) Read(ctx context.Context, target Target, command string) ([]byte, error) {
	connection, err := c.connect(ctx, target)
	if err != nil {
		return nil, err
	}
	defer connection.close()
	code, output, err := connection.run(command, nil)
	if err == nil && code != 0 {
		err = fmt.Errorf("reading from the machine: the command exited with %d", code)
	}
	return output, err
}

// wrapped runs argosy-run, and puts it there first where it is missing.
func (c *Client) wrapped(ctx context.Context, target Target, arguments string, input []byte) (int, []byte, error) {
	connection, err := c.connect(ctx, target)
	if err != nil {
		return 0, nil, err
	}
	defer connection.close()
	code, output, err := connection.run(invoke(arguments), input)
	if err != nil || code != exitMissing {
		return code, output, err
	}
	if code, _, err = connection.run(upload(), wrapper); err != nil {
		return 0, nil, fmt.Errorf("putting argosy-run onto the machine: %w", err)
	}
	if code != 0 {
		return 0, nil, fmt.Errorf("putting argosy-run onto the machine: its shell exited with %d", code)
	}
	return connection.run(invoke(arguments), input)
}

// connection to one machine, borrowed for at most patience.
type connection struct {
	*line
	// broken: nobody is to use it after this.
	broken bool
	close  func()
	// silent says what a failure was about if patience ended: whoever took the connection and said no more.
	silent func(error) error
}

// ErrSilent: the machine took the connection and then did not answer for as long as is waited.
var ErrSilent = errors.New("it took the connection and did not answer")

func (c *Client) connect(ctx context.Context, target Target) (*connection, error) {
	var refused error
	config, err := target.config(&refused)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.patience(), ErrSilent)
	silent := func(err error) error {
		if errors.Is(context.Cause(ctx), ErrSilent) {
			return fmt.Errorf("%w for %s (%s): its SSH server, or the machine, hangs", ErrSilent, c.patience(), target.Address)
		}
		return err
	}
	who := target.identity()
	known := c.pool.take(who)
	if known != nil && !known.alive(c.patience()/6) {
		known.close()
		known = nil
	}
	if known == nil {
		if known, err = c.dial(ctx, target.Address, config, silent); err != nil {
			cancel()
			return nil, cmp.Or(refused, err)
		}
		known.who = who
		go func(l *line) {
			_ = l.client.Wait()
			c.pool.drop(l) // its machine closed it
		}(known)
	}
	out := &connection{line: known, silent: silent}
	// Whatever hangs ends with the context.
	stop := context.AfterFunc(ctx, func() { _ = known.wire.Close() })
	out.close = func() {
		whole := stop() && !out.broken
		cancel()
		if whole && c.Idle >= 0 {
			c.pool.put(known, cmp.Or(c.Kept, keptAtMost), cmp.Or(c.Idle, keptFor))
		} else {
			known.close()
		}
	}
	return out, nil
}

// dial a machine and log into it.
func (c *Client) dial(ctx context.Context, address string, config *ssh.ClientConfig, silent func(error) error) (*line, error) {
	dial := c.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: c.patience() / 3}).DialContext
	}
	wire, err := dial(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("reaching the machine: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = wire.Close() })
	defer stop()
	client, channels, requests, err := ssh.NewClientConn(wire, address, config)
	if err != nil {
		_ = wire.Close()
		return nil, fmt.Errorf("logging into the machine: %w", silent(err))
	}
	return &line{wire: wire, client: ssh.NewClient(client, channels, requests)}, nil
}

// run a command, whatever shell the user has.
func (c *connection) run(command string, input []byte) (int, []byte, error) {
	session, err := c.client.NewSession()
	if err != nil {
		c.broken = true
		return 0, nil, fmt.Errorf("opening a session: %w", c.silent(err))
	}
	defer session.Close()
	output := &bounded{}
	session.Stdin, session.Stdout = bytes.NewReader(input), output
	err = session.Run("exec sh -c " + quote(command))
	var exit *ssh.ExitError
	switch {
	case errors.As(err, &exit) && exit.Signal() == "":
		return exit.ExitStatus(), output.kept.Bytes(), nil
	case err != nil:
		c.broken = true
		return 0, nil, fmt.Errorf("running a command: %w", c.silent(err))
	}
	return 0, output.kept.Bytes(), nil
}

// bounded keeps the first bytes. The buffer is not embedded: its ReadFrom would be used in place of Write.
type bounded struct{ kept bytes.Buffer }

var _ io.Writer = &bounded{}

func (b *bounded) Write(text []byte) (int, error) {
	_, _ = b.kept.Write(text[:min(len(text), maxAnswer-b.kept.Len())])
	return len(text), nil
}
