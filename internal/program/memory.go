package program

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"strconv"
)

// memoryLimit is the variable in which the chart hands a container its own limits.memory, in bytes.
const memoryLimit = "ARGOSY_MEMORY_LIMIT"

// LimitMemory has the garbage collector keep the process below nine tenths of its container's memory: the rest is for what Go does not
// count. GOMEMLIMIT, where it is set, says it better. Without either nothing is limited.
func LimitMemory() error {
	limit, err := goLimit(os.Getenv(memoryLimit), os.Getenv("GOMEMLIMIT"))
	if err != nil || limit == 0 {
		return err
	}
	debug.SetMemoryLimit(limit)
	return nil
}

// goLimit is what is set, 0 for nothing.
func goLimit(container, given string) (int64, error) {
	if container == "" || given != "" {
		return 0, nil
	}
	bytes, err := strconv.ParseInt(container, 10, 64)
	if err != nil || bytes <= 0 || bytes > math.MaxInt64/9 {
		return 0, fmt.Errorf("%s=%q: want the container's memory in bytes", memoryLimit, container)
	}
	return bytes * 9 / 10, nil
}
