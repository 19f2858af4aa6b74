package binaries

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// buildTags are those of Karmada's own builds (hack/build.sh): Kubernetes 0.35 shows its types as protobuf messages only under this one,
// and without it karmada-scheduler cannot speak to an estimator. The Makefile exports the same, so that every build shares one cache.
const buildTags = "kubernetes_protomessage_one_more_release"

// compilerGC lets compilers collect garbage less often than programs do by themselves: of a package of Kubernetes the compiler takes a
// quarter of its time less, and a third more memory.
const compilerGC = "400"

// goTool runs the go command in one module of the clone.
type goTool struct {
	dir string
}

// command is a go invocation that writes nothing into the clone and shares one build cache
// whatever the caller's environment says of cgo.
func (g goTool) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = g.dir
	// On an interrupt go ends its compilers too; killed, it would leave them running.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly -tags="+buildTags, "GOWORK=off")
	if os.Getenv("GOGC") == "" {
		cmd.Env = append(cmd.Env, "GOGC="+compilerGC)
	}
	return cmd
}

func (g goTool) output(ctx context.Context, args ...string) (string, error) {
	var out, errOut bytes.Buffer
	cmd := g.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return "", explain(err, errOut.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// run executes go and hands each line of its standard error to line.
func (g goTool) run(ctx context.Context, line func(string), args ...string) error {
	cmd := g.command(ctx, args...)
	var tail bytes.Buffer
	lines := &lineWriter{line: line}
	cmd.Stderr = io.MultiWriter(&tail, lines)
	if err := cmd.Run(); err != nil {
		return explain(err, tail.String())
	}
	return nil
}

// lineWriter calls line for every complete line written to it.
type lineWriter struct {
	line func(string)
	rest []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		i := bytes.IndexByte(w.rest, '\n')
		if i < 0 {
			return len(p), nil
		}
		w.line(string(w.rest[:i]))
		w.rest = w.rest[i+1:]
	}
}

// explain turns what the go command wrote into one line that says what to do about it.
func explain(err error, stderr string) error {
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("go is not on the PATH: install the Go release that go.mod names")
	}
	last := lastMeaningfulLine(stderr)
	switch {
	case strings.Contains(stderr, "no space left on device"):
		return fmt.Errorf(
			"the disk is full: building the federation's programs needs about 6 GB in the Go caches and 1 GB in the user's cache folder (%s)", last)
	case strings.Contains(stderr, "requires go >="), strings.Contains(stderr, "toolchain not available"):
		return fmt.Errorf("this Go release is too old: %s", last)
	case isNetworkTrouble(stderr):
		return fmt.Errorf("downloading Go modules failed: the first build needs a network or a filled module cache (%s)", last)
	case last == "":
		return fmt.Errorf("running go: %w", err)
	}
	return fmt.Errorf("running go: %s", last)
}

func isNetworkTrouble(stderr string) bool {
	for _, sign := range []string{"dial tcp", "no such host", "i/o timeout", "connection refused", "module lookup disabled",
		"TLS handshake timeout"} {
		if strings.Contains(stderr, sign) {
			return true
		}
	}
	return false
}

// lastMeaningfulLine skips progress so that an error message ends with the cause.
func lastMeaningfulLine(stderr string) string {
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	for _, line := range slices.Backward(lines) {
		line := strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "go: downloading") && strings.ContainsAny(line, " :") {
			return line
		}
	}
	return ""
}

// ModuleDir returns the folder of a module's source in the module cache, downloading it if it is
// not there: the lab reads CRDs and manifests from it and copies none into the clone.
func ModuleDir(ctx context.Context, root, module string) (string, error) {
	tool := goTool{dir: root}
	for _, g := range append(groups(), asked()...) {
		if g.source == module {
			tool.dir = filepath.Join(root, g.dir)
		}
	}
	return tool.moduleDir(ctx, module)
}

// ModuleDirOf is the same of a module that the go.mod in that folder of the clone names.
func ModuleDirOf(ctx context.Context, root, folder, module string) (string, error) {
	return goTool{dir: filepath.Join(root, folder)}.moduleDir(ctx, module)
}

func (g goTool) moduleDir(ctx context.Context, module string) (string, error) {
	const format = "{{.Dir}}"
	dir, err := g.output(ctx, "list", "-m", "-f", format, module)
	if err == nil && dir == "" {
		if _, err = g.output(ctx, "mod", "download", module); err == nil {
			dir, err = g.output(ctx, "list", "-m", "-f", format, module)
		}
	}
	if err != nil {
		return "", fmt.Errorf("finding module %s: %w", module, err)
	}
	return dir, nil
}
