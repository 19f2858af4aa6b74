package process

import (
	"os/exec"
	"runtime"
	"sync"
)

// The kernel ties Pdeathsig to the thread that started the child, not to the process: a child
// started from a thread that the Go runtime retires would be killed for no reason. All children
// are therefore started from one goroutine that keeps its thread for good.
var spawner = sync.OnceValue(func() chan<- spawn {
	requests := make(chan spawn)
	go func() {
		runtime.LockOSThread()
		for r := range requests {
			r.result <- r.cmd.Start()
		}
	}()
	return requests
})

type spawn struct {
	cmd    *exec.Cmd
	result chan error
}

// StartKept starts a command that may have a Pdeathsig.
func StartKept(cmd *exec.Cmd) error {
	r := spawn{cmd: cmd, result: make(chan error)}
	spawner() <- r
	return <-r.result
}
