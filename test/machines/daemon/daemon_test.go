package daemon

import (
	"errors"
	"os/exec"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

// TestOneThatDies at its start is told of at once, and one that takes its time is waited for.
func TestOneThatDies(t *testing.T) {
	silent := errors.New("no such socket")
	dead := exec.CommandContext(t.Context(), "false")
	if err := dead.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	if err := while(ended, silent); err != silent { //nolint:errorlint // the very one: it is tried again
		t.Errorf("while it runs: %v", err)
	}
	ended <- dead.Wait()
	if stop := gomega.StopTrying(""); !errors.As(while(ended, silent), &stop) {
		t.Error("it ended, and is waited for")
	}
	if err := while(ended, nil); err != nil {
		t.Errorf("it answered: %v", err)
	}
	tries := 0
	Start(t, Options{Command: exec.CommandContext(t.Context(), "tail", "-f", "/dev/null"), Patience: time.Minute, Answers: func() error {
		if tries++; tries < 3 {
			return silent
		}
		return nil
	}})
}
