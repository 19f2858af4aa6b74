package debian

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Root is where packages are unpacked.
type Root string

// tools that fetch and unpack.
var tools = []string{"apt-get", "dpkg-deb"}

// Unpack packages, and what they need and the system has not installed. The same versions are unpacked once.
func Unpack(ctx context.Context, packages ...string) (Root, error) {
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			return "", fmt.Errorf("the packages %s are fetched with %s, which is not here: run this on Debian or Ubuntu, where nothing "+
				"needs to be installed: %w", strings.Join(packages, ", "), strings.Join(tools, " and "), err)
		}
	}
	home, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the user's cache: %w", err)
	}
	home = filepath.Join(home, "argosy", "debian")
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", fmt.Errorf("making a folder for packages: %w", err)
	}
	apt, files, err := plan(ctx, home, packages)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(strings.Join(append(slices.Clone(packages), files...), "\n")))
	root := filepath.Join(home, packages[0]+"-"+hex.EncodeToString(sum[:6]))
	if _, err := os.Stat(root); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return Root(root), err
	}
	half, err := os.MkdirTemp(home, "half-")
	if err != nil {
		return "", fmt.Errorf("making a folder for packages: %w", err)
	}
	defer os.RemoveAll(half)
	if err := fetch(ctx, apt, half, files); err != nil {
		return "", err
	}
	// Two that unpack at once end with one folder.
	if err := os.Rename(filepath.Join(half, "root"), root); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("keeping packages: %w", err)
	}
	return Root(root), nil
}

// aptCommand is apt-get with the options that make it leave the system alone.
type aptCommand []string

// line of --print-uris: where from, the file's name, its size.
var line = regexp.MustCompile(`(?m)^'[^']*' (\S+\.deb) \d+`)

// plan which files are needed: by the system's lists of packages, or by lists of our own where it has none, as containers often have not.
func plan(ctx context.Context, home string, packages []string) (aptCommand, []string, error) {
	apt := aptCommand{"-o", "Debug::NoLocking=1"}
	files, err := apt.files(ctx, packages)
	if err == nil {
		return apt, files, nil
	}
	own := filepath.Join(home, "apt")
	for _, folder := range []string{"state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(own, folder), 0o755); err != nil {
			return nil, nil, fmt.Errorf("making a folder for lists of packages: %w", err)
		}
	}
	apt = append(apt, "-o", "Dir::State="+filepath.Join(own, "state"), "-o", "Dir::Cache="+filepath.Join(own, "cache"),
		"-o", "Dir::State::lists="+filepath.Join(own, "state/lists"), "-o", "Dir::State::status=/var/lib/dpkg/status")
	if _, err2 := apt.run(ctx, "", "update"); err2 != nil {
		return nil, nil, fmt.Errorf("the packages %s are not to be had here: %w", strings.Join(packages, ", "), errors.Join(err, err2))
	}
	files, err = apt.files(ctx, packages)
	if err != nil {
		return nil, nil, fmt.Errorf("the packages %s are not to be had here: %w", strings.Join(packages, ", "), err)
	}
	return apt, files, nil
}

func (a aptCommand) files(ctx context.Context, packages []string) ([]string, error) {
	said, err := a.run(ctx, "", append([]string{"--print-uris", "-y", "--no-install-recommends", "install"}, packages...)...)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, match := range line.FindAllStringSubmatch(said, -1) {
		out = append(out, match[1])
	}
	slices.Sort(out)
	return out, nil
}

func (a aptCommand) run(ctx context.Context, folder string, args ...string) (string, error) {
	return run(ctx, folder, "apt-get", append(slices.Clone(a), args...)...)
}

func run(ctx context.Context, folder, name string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir, command.Env = folder, append(os.Environ(), "LC_ALL=C")
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(command.Args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// fetch files into folder and unpack them there, below root. What is fetched apt-get verifies.
func fetch(ctx context.Context, apt aptCommand, folder string, files []string) error {
	if err := os.MkdirAll(filepath.Join(folder, "root"), 0o755); err != nil {
		return fmt.Errorf("making a folder for packages: %w", err)
	}
	if len(files) == 0 {
		return nil // the system has them all
	}
	args := []string{"download"}
	for _, file := range files {
		name, rest, _ := strings.Cut(file, "_")
		version := rest[:max(strings.LastIndex(rest, "_"), 0)]
		version, err := url.PathUnescape(version)
		if err != nil || version == "" {
			return errors.Join(fmt.Errorf("the file %q names no version", file), err)
		}
		args = append(args, name+"="+version)
	}
	if _, err := apt.run(ctx, folder, args...); err != nil {
		return fmt.Errorf("fetching packages: %w", err)
	}
	there, err := filepath.Glob(filepath.Join(folder, "*.deb"))
	if err != nil || len(there) != len(files) {
		return errors.Join(fmt.Errorf("fetching packages: %d files came, and %d were asked for", len(there), len(files)), err)
	}
	for _, file := range there {
		if _, err := run(ctx, folder, "dpkg-deb", "-x", file, filepath.Join(folder, "root")); err != nil {
			return fmt.Errorf("unpacking packages: %w", err)
		}
	}
	return nil
}

// File of a package: where it is unpacked, or where the system has it installed.
func (r Root) File(path string) (string, error) {
	for _, at := range []string{filepath.Join(string(r), path), filepath.Join("/", path)} {
		if _, err := os.Stat(at); err == nil {
			return at, nil
		}
	}
	return "", fmt.Errorf("no package that was asked for has /%s", path)
}

// Command runs a program of the packages with their libraries.
func (r Root) Command(ctx context.Context, path string, args ...string) (*exec.Cmd, error) {
	file, err := r.File(path)
	if err != nil {
		return nil, err
	}
	libraries, err := r.Libraries()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, file, args...)
	command.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libraries, ":"))
	return command, nil
}

// Libraries are the folders of libraries.
func (r Root) Libraries() ([]string, error) {
	var out []string
	for _, pattern := range []string{"usr/lib/*-linux-gnu*", "lib/*-linux-gnu*"} {
		found, err := filepath.Glob(filepath.Join(string(r), pattern))
		if err != nil {
			return nil, fmt.Errorf("looking for libraries: %w", err)
		}
		out = append(out, found...)
	}
	return out, nil
}
