package lab

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// ErrUp and ErrDown say that a lab already is what it was asked to become.
var (
	ErrUp   = errors.New("the lab is already up")
	ErrDown = errors.New("no lab is running")
)

// SuperviseCommand is the hidden command of argosy-lab that becomes the supervisor.
const SuperviseCommand = "supervise"

// Up starts a federation that outlives this process. Cancelling ctx while it starts takes it down
// again, and Up returns only when it is gone.
func Up(ctx context.Context, opts Options, progress io.Writer) (*Lab, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	if held(opts.Dir) {
		return nil, fmt.Errorf("%w in %s: see it with 'argosy-lab status', end it with 'argosy-lab down'", ErrUp, opts.Dir)
	}
	fmt.Fprintf(progress, "Starting a federation of %d members in %s\n", len(opts.Nodes), opts.Dir)
	cmd, reports, alive, err := startSupervisor(opts)
	if err != nil {
		return nil, err
	}
	defer reports.Close()
	defer alive.Close()
	stop := context.AfterFunc(ctx, func() { alive.Close() })
	defer stop()
	ready, err := follow(reports, progress)
	if !ready {
		return nil, errors.Join(err, ignoreExit(cmd.Wait()))
	}
	if err := cmd.Process.Release(); err != nil {
		return nil, fmt.Errorf("letting go of the supervisor: %w", err)
	}
	return Open(opts.Dir)
}

// startSupervisor starts this very program again, detached from the terminal.
func startSupervisor(opts Options) (*exec.Cmd, io.ReadCloser, io.Closer, error) {
	if err := os.MkdirAll(filepath.Join(opts.Dir, "logs"), 0o755); err != nil {
		return nil, nil, nil, fmt.Errorf("making the lab's folder: %w", err)
	}
	log, err := os.Create(filepath.Join(opts.Dir, "logs", "supervisor.log"))
	if err != nil {
		return nil, nil, nil, fmt.Errorf("opening the supervisor's log: %w", err)
	}
	defer log.Close()
	program, err := os.Executable()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("finding this program: %w", err)
	}
	encoded, err := json.Marshal(opts)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("encoding the options: %w", err)
	}
	reportsIn, reportsOut, err := os.Pipe()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("making a pipe: %w", err)
	}
	aliveIn, aliveOut, err := os.Pipe()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("making a pipe: %w", err)
	}
	cmd := exec.Command(program, SuperviseCommand, string(encoded))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{reportsOut, aliveIn}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	reportsOut.Close()
	aliveIn.Close()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("starting the supervisor: %w", err)
	}
	return cmd, reportsIn, aliveOut, nil
}

// follow shows the supervisor's progress until it is ready or gone.
func follow(reports io.Reader, progress io.Writer) (ready bool, err error) {
	lines := bufio.NewScanner(reports)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m report
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return false, fmt.Errorf("reading the supervisor's report: %w", err)
		}
		switch {
		case m.Ready:
			return true, nil
		case m.Error != "":
			err = errors.New(m.Error)
		default:
			fmt.Fprint(progress, m.Line)
		}
	}
	if err == nil {
		err = errors.New("the supervisor ended without a word")
	}
	return false, err
}

// ignoreExit drops the exit code of a supervisor that has told why it ended.
func ignoreExit(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

// Open reaches the lab that runs in dir.
func Open(dir string) (*Lab, error) {
	if !held(dir) {
		return nil, fmt.Errorf("%w in %s: start one with 'argosy-lab up'", ErrDown, dir)
	}
	content, err := os.ReadFile(filepath.Join(dir, infoFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the lab in %s is still starting: follow %s", dir, filepath.Join(dir, "logs", "supervisor.log"))
	}
	if err != nil {
		return nil, fmt.Errorf("reading the lab's state: %w", err)
	}
	l := &Lab{controls: remote{dir: dir}}
	if err := json.Unmarshal(content, &l.Info); err != nil {
		return nil, fmt.Errorf("reading the lab's state %s: %w", infoFile, err)
	}
	return l, nil
}

// Down ends the lab in dir and removes its files. It returns when every process is gone.
func Down(ctx context.Context, dir string) error {
	if !held(dir) {
		if entries, err := os.ReadDir(dir); err != nil || len(entries) == 0 {
			return fmt.Errorf("%w in %s", ErrDown, dir)
		}
		// A start that failed leaves its logs, a killed supervisor all its files.
		return os.RemoveAll(dir)
	}
	// The lock is watched on the open file: the supervisor removes its name while it still cleans up.
	lock, err := os.Open(lockFile(dir))
	if err != nil {
		return fmt.Errorf("opening the lab's lock: %w", err)
	}
	defer lock.Close()
	if err := (remote{dir: dir}).post(ctx, "/down", ""); err != nil {
		return err
	}
	err = wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 5*time.Minute, true, func(context.Context) (bool, error) {
		return syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the supervisor to end (see %s): %w", filepath.Join(dir, "logs", "supervisor.log"), err)
	}
	return nil
}

// ReadStatus asks the supervisor, also while it starts.
func ReadStatus(ctx context.Context, dir string) (Status, error) {
	if !held(dir) {
		return Status{}, fmt.Errorf("%w in %s", ErrDown, dir)
	}
	s, err := remote{dir: dir}.read(ctx)
	if err != nil && ends(ctx, dir) {
		return Status{}, fmt.Errorf("%w in %s", ErrDown, dir)
	}
	return s, err
}

// ends reports whether a supervisor that does not answer is on its way out: the kernel closes a killed process' socket a moment
// before it drops the lock.
func ends(ctx context.Context, dir string) bool {
	return wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 30*time.Second, true, func(context.Context) (bool, error) {
		return !held(dir), nil
	}) == nil
}

// takeLab takes the lock of dir and empties the folder, but for the supervisor's own log.
func takeLab(dir string) (func(), error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the lab's folder: %w", err)
	}
	f, err := os.OpenFile(lockFile(dir), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the lab's lock: %w", err)
	}
	// Whoever asks whether a lab is up holds the lock for a moment: try a few times.
	err = wait.PollUntilContextTimeout(context.Background(), 20*time.Millisecond, 3*time.Second, true, func(context.Context) (bool, error) {
		return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil, nil
	})
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%w in %s", ErrUp, dir)
	}
	for _, stale := range []string{"data", "pki", infoFile} {
		if err := os.RemoveAll(filepath.Join(dir, stale)); err != nil {
			f.Close()
			return nil, fmt.Errorf("removing what an earlier lab left: %w", err)
		}
	}
	return func() { f.Close() }, nil
}

// held tells whether a supervisor runs in dir: the kernel drops its lock however it ends.
func held(dir string) bool {
	f, err := os.Open(lockFile(dir))
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// socketPath is short whatever the clone's path: a Unix socket's may have 107 bytes.
func socketPath(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(os.TempDir(), fmt.Sprintf("argosy-lab-%d-%x.sock", os.Getuid(), sum[:8]))
}

// remote speaks to the supervisor of a lab.
type remote struct {
	dir string
}

func (r remote) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socketPath(r.dir))
		},
		DisableKeepAlives: true,
	}}
}

func (r remote) do(ctx context.Context, method, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://lab"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := r.client().Do(req)
	if err != nil {
		return nil, fmt.Errorf("speaking to the lab's supervisor: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the supervisor's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(strings.TrimSpace(string(body)))
	}
	return body, nil
}

func (r remote) post(ctx context.Context, path, name string) error {
	_, err := r.do(ctx, http.MethodPost, path+"?name="+url.QueryEscape(name))
	return err
}

func (r remote) read(ctx context.Context) (Status, error) {
	body, err := r.do(ctx, http.MethodGet, "/status")
	if err != nil {
		return Status{}, err
	}
	var s Status
	if err := json.Unmarshal(body, &s); err != nil {
		return Status{}, fmt.Errorf("reading the supervisor's answer: %w", err)
	}
	return s, nil
}

// Stop ends a plane's processes, or one component.
func (r remote) Stop(ctx context.Context, name string) error { return r.post(ctx, "/stop", name) }

// Start brings them back.
func (r remote) Start(ctx context.Context, name string) error { return r.post(ctx, "/start", name) }

// Status lists every unit.
func (r remote) Status(ctx context.Context) ([]UnitStatus, error) {
	s, err := r.read(ctx)
	return s.Units, err
}
