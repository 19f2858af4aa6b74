package process

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Using lists the processes whose command line names text, such as a lab's folder: every component
// of a lab is told where its files are. Tests prove with it that nothing is left behind. It reads
// /proc and finds nothing where there is none.
func Using(text string) ([]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	var out []int
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(content), text) {
			continue // it ended meanwhile
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return nil, err
		}
		if pid != os.Getpid() {
			out = append(out, pid)
		}
	}
	return out, nil
}
