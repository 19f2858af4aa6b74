// timings runs go test, shows what go test shows of it, and says in the end which tests took longest. Its exit code is go test's.
//
//	go run ./test/timings [-at-once=N] [-apart=regexp] [flags of go test] packages
//
// With -at-once each package is a go test of its own, N at a time, begun in the order in which they are named. With -apart the first
// package is two of them, the tests that match and all others: tests that wait for one another, since they use one federation, use two.
// The expression says how the time is divided, and no more: whatever it is, both together play every test of the package.
//
// Flags are written with "=", so that packages can be told from their values.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
)

// shown is how many of the slowest tests are told.
const shown = 20

func main() {
	code, err := run(os.Args[1:], os.Stdout, goTest)
	if err != nil {
		fmt.Fprintln(os.Stderr, "timings:", err)
	}
	os.Exit(code)
}

// run returns the exit code of the first go test that failed, or 0; start is goTest but in tests.
func run(args []string, out io.Writer, start func(j job, see func(io.Reader) error) (int, error)) (int, error) {
	plan, err := parse(args)
	if err != nil {
		return 2, err
	}
	var (
		lock  sync.Mutex
		group sync.WaitGroup
		next  = make(chan job)
		all   = newReport(out)
		code  int
		errs  []error
	)
	for range plan.atOnce {
		group.Go(func() {
			for j := range next {
				r := newReport(out)
				r.lock = &lock
				one, err := start(j, r.read)
				lock.Lock()
				if code == 0 {
					code = one
				}
				if err != nil {
					errs = append(errs, err)
				}
				all.took = append(all.took, r.took...)
				lock.Unlock()
			}
		})
	}
	for _, j := range plan.jobs {
		next <- j
	}
	close(next)
	group.Wait()
	all.slowest(shown)
	return code, errors.Join(errs...)
}

// goTest runs one go test, and hands its events to see.
func goTest(j job, see func(io.Reader) error) (int, error) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, j...)...)
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return 1, err
	}
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	readErr := see(events)
	waitErr := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case errors.As(waitErr, &exit):
		return exit.ExitCode(), readErr
	case waitErr != nil || readErr != nil:
		return 1, errors.Join(waitErr, readErr)
	}
	return 0, nil
}
