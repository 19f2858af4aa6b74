package binaries

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const modulePath = "github.com/argosy-dev/argosy"

// FindRoot returns the folder of the clone: the nearest folder above the working directory, or
// else above the running program (bin/argosy-lab called from elsewhere), with Argosy's go.mod.
func FindRoot() (string, error) {
	var starts []string
	if wd, err := os.Getwd(); err == nil {
		starts = append(starts, wd)
	}
	if exe, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(exe))
	}
	for _, start := range starts {
		for dir := start; ; dir = filepath.Dir(dir) {
			if isRoot(dir) {
				return dir, nil
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return "", errors.New("no go.mod of " + modulePath + " above the working directory: run this inside a clone of Argosy")
}

func isRoot(dir string) bool {
	f, err := os.Open(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		if module, ok := strings.CutPrefix(s.Text(), "module "); ok {
			return strings.TrimSpace(module) == modulePath
		}
	}
	return false
}

// CacheDir is where built programs are kept, shared by all clones of a user.
func CacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the user's cache folder: %w (set HOME or XDG_CACHE_HOME)", err)
	}
	return filepath.Join(dir, "argosy"), nil
}
