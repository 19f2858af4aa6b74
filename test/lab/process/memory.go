package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Memory is the process's proportional set size in bytes: pages shared by several processes, such
// as the program text of four kube-apiservers, are divided among them, so that the sum over a lab
// is what the lab really takes. Zero where the system does not tell.
func Memory(pid int) int64 {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	return proportional(string(content))
}

func proportional(rollup string) int64 {
	for line := range strings.Lines(rollup) {
		if value, ok := strings.CutPrefix(line, "Pss:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}
