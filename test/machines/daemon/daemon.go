package daemon

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

// Options of a daemon.
type Options struct {
	Command *exec.Cmd
	// Answers gives no error once it serves.
	Answers func() error
	// Patience is how long it may take.
	Patience time.Duration
	// Log is the file with its last words, for a test that failed; empty: there is none.
	Log string
	// Buried is called when it is gone for good.
	Buried func()
}

// Start one, and wait until it answers. It is killed at the test's end.
func Start(t *testing.T, o Options) {
	t.Helper()
	o.Command.Stdout, o.Command.Stderr = t.Output(), t.Output()
	if err := o.Command.Start(); err != nil {
		t.Fatal(err)
	}
	ended, gone := make(chan error, 1), make(chan struct{})
	go func() {
		ended <- o.Command.Wait()
		close(gone)
	}()
	t.Cleanup(func() {
		_ = o.Command.Process.Kill() // it may have ended
		<-gone
		if said, err := os.ReadFile(o.Log); t.Failed() && err == nil {
			t.Logf("%s said at last:\n%s", o.Command.Path, said[max(0, len(said)-4_000):])
		}
		if o.Buried != nil {
			o.Buried()
		}
	})
	gomega.NewWithT(t).Eventually(func() error { return while(ended, o.Answers()) }).WithTimeout(o.Patience).Should(gomega.Succeed())
}

// while it runs an error may pass; once it ended nothing mends it.
func while(ended <-chan error, err error) error {
	if err == nil {
		return nil
	}
	select {
	case why := <-ended:
		return gomega.StopTrying(fmt.Sprintf("it ended, with %v: what it said stands above or below", why)).Wrap(err)
	default:
		return err
	}
}
