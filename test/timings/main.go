// timings runs go test, shows what go test shows of it, and says in the end which tests took longest. Its exit code is go test's.
//
//	go run ./test/timings [flags of go test] packages
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// shown is how many of the slowest tests are told.
const shown = 20

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "timings:", err)
	}
	os.Exit(code)
}

func run(args []string) (code int, err error) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return 1, err
	}
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	r := newReport(os.Stdout)
	readErr := r.read(events)
	waitErr := cmd.Wait()
	r.slowest(shown)
	var exit *exec.ExitError
	switch {
	case errors.As(waitErr, &exit):
		return exit.ExitCode(), readErr
	case waitErr != nil || readErr != nil:
		return 1, errors.Join(waitErr, readErr)
	}
	return 0, nil
}
