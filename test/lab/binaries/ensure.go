package binaries

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/utils/clock"
)

// Options of Ensure.
type Options struct {
	// Root is the clone's folder, see FindRoot.
	Root string
	// Karmada is one of Karmadas; empty is the base.
	Karmada string
	// Kubernetes is one of Kubernetes; empty is the base.
	Kubernetes string
	// Progress receives lines for a person; nil discards them.
	Progress io.Writer
	Clock    clock.PassiveClock
}

// Set maps a program's name to its file.
type Set map[string]string

// Ensure returns the files of the named programs (all when none is named) and builds those that are missing.
func Ensure(ctx context.Context, opts Options, names ...string) (Set, error) {
	if opts.Progress == nil {
		opts.Progress = io.Discard
	}
	if opts.Clock == nil {
		opts.Clock = clock.RealClock{}
	}
	if len(names) == 0 {
		names = Names()
	}
	cache, err := CacheDir()
	if err != nil {
		return nil, err
	}
	set := Set{}
	for _, g := range groupsWith(opts.Karmada, opts.Kubernetes) {
		wanted := slices.DeleteFunc(g.pick(names), func(p program) bool { return set[p.name] != "" })
		if len(wanted) == 0 {
			continue
		}
		b := builder{Options: opts, group: g, cache: cache, tool: goTool{dir: filepath.Join(opts.Root, g.dir)}}
		dir, err := b.ensure(ctx, wanted)
		if err != nil {
			return nil, fmt.Errorf("building %s: %w", g.name, err)
		}
		for _, p := range wanted {
			set[p.name] = filepath.Join(dir, p.name)
		}
	}
	for _, name := range names {
		if set[name] == "" {
			return nil, fmt.Errorf("no program %q is known: %s", name, strings.Join(Names(), ", "))
		}
	}
	return set, nil
}

// BuildOwn builds Argosy's own programs into bin/ of the clone. The go command leaves a program alone
// that is up to date, so calling this before every start costs a second and never runs stale code.
func BuildOwn(ctx context.Context, opts Options, commands ...string) (Set, error) {
	bin := filepath.Join(opts.Root, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return nil, fmt.Errorf("making bin/: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(bin, ".lock"), func() {})
	if err != nil {
		return nil, err
	}
	defer unlock()
	set := Set{}
	args := []string{"build", "-o", bin + "/"}
	for _, command := range commands {
		args = append(args, "./cmd/"+command)
		set[command] = filepath.Join(bin, command)
	}
	if err := (goTool{dir: opts.Root}).run(ctx, func(string) {}, args...); err != nil {
		return nil, fmt.Errorf("building Argosy: %w", err)
	}
	return set, nil
}

// Link puts a symbolic link to each named program into dir, so that a person finds kubectl and
// karmadactl beside Argosy's own programs.
func (s Set) Link(dir string, names ...string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range names {
		link := filepath.Join(dir, name)
		if target, err := os.Readlink(link); err == nil && target == s[name] {
			continue
		}
		// Rename replaces an old link in one step: a kubectl in use elsewhere never sees a gap.
		next := fmt.Sprintf("%s.%d", link, os.Getpid())
		if err := os.Symlink(s[name], next); err != nil {
			return fmt.Errorf("linking %s: %w", name, err)
		}
		if err := os.Rename(next, link); err != nil {
			return fmt.Errorf("linking %s: %w", name, err)
		}
	}
	return nil
}

func (g group) pick(names []string) []program {
	var out []program
	for _, p := range g.programs {
		if slices.Contains(names, p.name) {
			out = append(out, p)
		}
	}
	return out
}

func (g group) packages() []string {
	var out []string
	for _, p := range g.programs {
		out = append(out, p.pkg)
	}
	return out
}

func (g group) linkerFlags() string {
	return strings.Join(append([]string{"-s", "-w"}, g.ldflags...), " ")
}

type builder struct {
	Options
	group group
	cache string
	tool  goTool
}

func (b builder) ensure(ctx context.Context, wanted []program) (string, error) {
	dir, err := b.dir(ctx)
	if err != nil {
		return "", err
	}
	if len(missing(dir, wanted)) == 0 {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the cache folder: %w", err)
	}
	unlock, err := lock(ctx, dir+".lock", func() {
		fmt.Fprintf(b.Progress, "  waiting for another build of %s\n", b.group.name)
	})
	if err != nil {
		return "", err
	}
	defer unlock()
	// The other build may have made them meanwhile.
	todo := missing(dir, wanted)
	if len(todo) == 0 {
		return dir, nil
	}
	return dir, b.build(ctx, dir, todo)
}

// dir names the cache folder by content: Go release, flags, and the version of each module the
// programs link in. Listing those takes a second, so the answer is remembered under a hash of
// go.mod and go.sum; an unrelated new dependency then costs that second and no build.
func (b builder) dir(ctx context.Context) (string, error) {
	goVersion, err := b.tool.output(ctx, "env", "GOVERSION", "GOOS", "GOARCH")
	if err != nil {
		return "", err
	}
	quick := sha256.New()
	fmt.Fprintln(quick, goVersion, buildTags, b.group.linkerFlags(), b.group.packages())
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(b.tool.dir, name))
		if err != nil {
			return "", fmt.Errorf("reading the pinned versions: %w", err)
		}
		quick.Write(content)
	}
	index := filepath.Join(b.cache, "index", hex.EncodeToString(quick.Sum(nil))[:20])
	if key, err := os.ReadFile(index); err == nil {
		return filepath.Join(b.cache, string(key)), nil
	}
	fmt.Fprintf(b.Progress, "  reading the module versions of %s\n", b.group.name)
	const format = "{{with .Module}}{{.Path}}@{{.Version}}{{with .Replace}} => {{.Path}}@{{.Version}}{{end}}{{end}}"
	deps, err := b.tool.output(ctx, append([]string{"list", "-deps", "-f", format}, b.group.packages()...)...)
	if err != nil {
		return "", err
	}
	modules := strings.Split(deps, "\n")
	slices.Sort(modules)
	full := sha256.New()
	fmt.Fprintln(full, goVersion, buildTags, b.group.linkerFlags(), slices.Compact(modules))
	key := b.group.name + "-" + hex.EncodeToString(full.Sum(nil))[:16]
	return filepath.Join(b.cache, key), writeWhole(index, key)
}

func missing(dir string, wanted []program) []program {
	var out []program
	for _, p := range wanted {
		if info, err := os.Stat(filepath.Join(dir, p.name)); err != nil || info.Mode()&0o111 == 0 {
			out = append(out, p)
		}
	}
	return out
}

func (b builder) build(ctx context.Context, dir string, todo []program) error {
	var names, pkgs []string
	for _, p := range todo {
		names, pkgs = append(names, p.name), append(pkgs, p.pkg)
	}
	fmt.Fprintf(b.Progress, "  building %s\n", strings.Join(names, ", "))
	tmp, err := os.MkdirTemp(dir, "building-")
	if err != nil {
		return fmt.Errorf("making the build folder: %w", err)
	}
	defer os.RemoveAll(tmp)
	args := append([]string{"build", "-v", "-o", tmp + "/", "-ldflags", b.group.linkerFlags()}, pkgs...)
	show := newBuildProgress(b.Progress, b.Clock)
	if err := b.tool.run(ctx, show.line, args...); err != nil {
		return err
	}
	for _, p := range todo {
		if err := os.Rename(filepath.Join(tmp, executable(p.pkg)), filepath.Join(dir, p.name)); err != nil {
			return fmt.Errorf("keeping %s: %w", p.name, err)
		}
	}
	fmt.Fprintf(b.Progress, "  built in %.0f s: %s\n", show.elapsed().Seconds(), b.group.name)
	return nil
}

// executable is the name `go build -o dir/` gives a main package: the last element of its path
// that is not a major version.
func executable(pkg string) string {
	parts := strings.Split(pkg, "/")
	last := parts[len(parts)-1]
	if len(last) > 1 && last[0] == 'v' && strings.Trim(last[1:], "0123456789") == "" {
		last = parts[len(parts)-2]
	}
	return last
}

func writeWhole(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("making the cache folder: %w", err)
	}
	tmp := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.WriteFile(tmp, []byte(content), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
