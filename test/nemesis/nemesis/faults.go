package nemesis

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"syscall"

	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// pid of a process that runs.
func (h *Hostile) pid(ctx context.Context, process string) (int, error) {
	units, err := h.Lab.Status(ctx)
	if err != nil {
		return 0, err
	}
	for _, u := range units {
		if u.Name == process && u.State == lab.Ready && u.PID > 0 {
			return u.PID, nil
		}
	}
	return 0, fmt.Errorf("%s does not run", process)
}

// kill ends a process as kill -9 does, and starts it again after a while, as a cluster would.
func kill(ctx context.Context, h *Hostile, f Fault) (*history.Key, func(context.Context) (bool, error), error) {
	before, err := h.pid(ctx, f.Target)
	if err != nil {
		return nil, nil, err
	}
	if err := h.Lab.Stop(ctx, f.Target); err != nil {
		return nil, nil, err
	}
	return nil, func(ctx context.Context) (bool, error) {
		if err := h.Lab.Start(ctx, f.Target); err != nil {
			return false, err
		}
		after, err := h.pid(ctx, f.Target)
		return after != before, err
	}, nil
}

// pause lets a process stand still: it holds its connections and leases and does nothing.
func pause(ctx context.Context, h *Hostile, f Fault) (*history.Key, func(context.Context) (bool, error), error) {
	pid, err := h.pid(ctx, f.Target)
	if err != nil {
		return nil, nil, err
	}
	if err := syscall.Kill(-pid, syscall.SIGSTOP); err != nil {
		return nil, nil, fmt.Errorf("stopping process %d: %w", pid, err)
	}
	return nil, func(context.Context) (bool, error) {
		stood := stands(pid)
		err := syscall.Kill(-pid, syscall.SIGCONT)
		if errors.Is(err, syscall.ESRCH) {
			return false, nil // it died meanwhile
		}
		return stood, err
	}, nil
}

// stands tells whether the kernel counts a process as stopped; where there is no /proc, it is believed.
func stands(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist) && runtime.GOOS != "linux"
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "T")
}

// wire makes the connections between the control plane and a member so.
func wire(mode Mode) fault {
	return func(_ context.Context, h *Hostile, f Fault) (*history.Key, func(context.Context) (bool, error), error) {
		before := h.Wires.Set(f.Target, Pass)
		h.Wires.Set(f.Target, mode)
		return nil, func(context.Context) (bool, error) {
			return h.Wires.Set(f.Target, Pass) > before, nil
		}, nil
	}
}
