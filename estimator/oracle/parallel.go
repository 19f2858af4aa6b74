package oracle

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// workers is how many run at once in inParallel.
func workers() int { return runtime.GOMAXPROCS(0) }

// inParallel runs work for 0..n-1. Work is handed out in runs of 64, so that handing out costs nothing beside it. A panic of a worker (a
// plugin's) becomes one of the caller, who can recover from it; in a goroutine of its own it would end the process and with it every other
// member's answers.
func inParallel(n int, work func(worker, i int)) {
	const run = 64
	count := min(workers(), (n+run-1)/run)
	if count <= 1 {
		for i := range n {
			work(0, i)
		}
		return
	}
	var next atomic.Int64
	var fault atomic.Value
	var group sync.WaitGroup
	for worker := range count {
		group.Go(func() {
			defer func() {
				if r := recover(); r != nil {
					fault.CompareAndSwap(nil, &r)
				}
			}()
			for {
				start := int(next.Add(run)) - run
				if start >= n {
					return
				}
				for i := start; i < min(start+run, n); i++ {
					work(worker, i)
				}
			}
		})
	}
	group.Wait()
	if r, ok := fault.Load().(*any); ok {
		panic(*r)
	}
}
