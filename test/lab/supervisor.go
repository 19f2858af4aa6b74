package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/argosy-dev/argosy/test/lab/process"
)

// A lab that `argosy-lab up` leaves running is the child processes of one supervisor: `up` starts
// it detached, listens to it until the federation is ready and goes. The supervisor holds a lock on
// the state folder for its life - that lock, not a process id in a file, is what "up" means - and
// serves stop, start, status and down on a socket.

// report is one line the supervisor sends to the `up` that started it.
type report struct {
	Line  string `json:"line,omitempty"`
	Ready bool   `json:"ready,omitempty"`
	Error string `json:"error,omitempty"`
}

// reporter forwards progress to `up` as long as it listens, and to the supervisor's log.
type reporter struct {
	lock sync.Mutex
	to   *json.Encoder
	log  io.Writer
}

func (r *reporter) send(m report) {
	r.lock.Lock()
	defer r.lock.Unlock()
	_ = r.to.Encode(m) // `up` may be gone: the log has it all
}

func (r *reporter) Write(p []byte) (int, error) {
	r.send(report{Line: string(p)})
	return r.log.Write(p)
}

// Supervise runs a federation until it is told to end. to carries reports to `up`; whileStarting
// reaches its end when `up` dies, which before the federation is ready means giving up.
func Supervise(ctx context.Context, opts Options, to io.Writer, whileStarting io.Reader) error {
	r := &reporter{to: json.NewEncoder(to), log: os.Stderr}
	err := supervise(ctx, opts, r, whileStarting)
	if err != nil {
		r.send(report{Error: err.Error()})
	}
	return err
}

func supervise(ctx context.Context, opts Options, r *reporter, whileStarting io.Reader) error {
	unlock, err := takeLab(opts.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	s := &supervisor{end: end, starting: true}
	stopServing, err := s.serve(opts.Dir)
	if err != nil {
		return err
	}
	defer stopServing()
	go func() {
		_, _ = io.Copy(io.Discard, whileStarting)
		s.abandoned()
	}()

	opts.Progress = r
	f, err := newFederation(ctx, opts)
	if err != nil {
		return errors.Join(firstCause(ctx, err), clean(opts.Dir, true))
	}
	s.own(f)
	if err := f.up(ctx); err != nil {
		f.close()
		return errors.Join(firstCause(ctx, err), clean(opts.Dir, true))
	}
	s.isReady()
	r.send(report{Ready: true})
	// Reading CRDs and building manifests took memory that is not needed again.
	debug.FreeOSMemory()
	<-ctx.Done()
	f.close()
	return clean(opts.Dir, false)
}

// firstCause prefers why the start was given up to what that made fail.
func firstCause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

type supervisor struct {
	end context.CancelCauseFunc

	lock       sync.Mutex
	starting   bool
	federation *federation
}

func (s *supervisor) own(f *federation) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.federation = f
}

func (s *supervisor) isReady() {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.starting = false
}

func (s *supervisor) abandoned() {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.starting {
		s.end(errors.New("`argosy-lab up` was interrupted"))
	}
}

// current is nil while the supervisor still builds programs.
func (s *supervisor) current() (f *federation, starting bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.federation, s.starting
}

// serve answers on the control socket.
func (s *supervisor) serve(dir string) (func(), error) {
	path := socketPath(dir)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing a stale socket: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listening for commands: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, fmt.Errorf("closing the socket to others: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", s.status)
	mux.HandleFunc("POST /down", func(http.ResponseWriter, *http.Request) {
		s.end(errors.New("the lab was told to go down"))
	})
	mux.HandleFunc("POST /stop", s.command(func(ctx context.Context, f *federation, name string) error { return f.Stop(ctx, name) }))
	mux.HandleFunc("POST /start", s.command(func(ctx context.Context, f *federation, name string) error { return f.Start(ctx, name) }))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Minute}
	go func() {
		_ = server.Serve(listener) // ends with the supervisor
	}()
	return func() { server.Close() }, nil
}

// Status is the answer of a supervisor.
type Status struct {
	Starting     bool         `json:"starting"`
	ReadySeconds float64      `json:"readySeconds"`
	Units        []UnitStatus `json:"units"`
}

func (s *supervisor) status(w http.ResponseWriter, _ *http.Request) {
	answer := Status{}
	var f *federation
	if f, answer.Starting = s.current(); f != nil {
		self := UnitStatus{Name: "supervisor", State: Ready, PID: os.Getpid(), MemoryBytes: process.Memory(os.Getpid())}
		answer.Units = append(f.runner.status(), self)
		if !answer.Starting {
			answer.ReadySeconds = f.info.ReadySeconds
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // the asker may have gone
}

func (s *supervisor) command(do func(context.Context, *federation, string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		f, starting := s.current()
		if starting || f == nil {
			http.Error(w, "the lab is still starting", http.StatusConflict)
			return
		}
		if err := do(req.Context(), f, req.URL.Query().Get("name")); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		}
	}
}

// lockFile is in the state folder; whoever holds its lock runs the lab.
func lockFile(dir string) string { return filepath.Join(dir, "lock") }
