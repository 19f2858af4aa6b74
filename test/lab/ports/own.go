package ports

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// folders are how many a user may find to be somebody else's before it is given up.
const folders = 100

// Own makes a folder of this user's below that for temporary files. A user's number alone does not name it: whoever is root in a namespace
// of an ordinary user's has root's number, and may not look into root's folder.
func Own(name string) (string, error) { return own(os.TempDir(), name, os.Getuid()) }

func own(below, name string, user int) (string, error) {
	at := filepath.Join(below, name+"-"+strconv.Itoa(user))
	for i := range folders {
		folder := at
		if i > 0 {
			folder += "-" + strconv.Itoa(i+1)
		}
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return "", fmt.Errorf("making folder %s: %w", folder, err)
		}
		about, err := os.Lstat(folder)
		if err != nil {
			return "", fmt.Errorf("looking at folder %s: %w", folder, err)
		}
		if stat, ok := about.Sys().(*syscall.Stat_t); ok && int(stat.Uid) == user && about.IsDir() {
			return folder, nil
		}
	}
	return "", fmt.Errorf("%s, and %d more of its name, are other users': remove those that nobody uses", at, folders-1)
}
