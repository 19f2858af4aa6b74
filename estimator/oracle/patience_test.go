package oracle

import (
	"context"
	"testing"
	"time"
)

// TestPatienceIsCountedInLooksToo: on a machine that let this process run ten times in all the time that a claim may take, nothing is known
// of the claim yet. Looks that take long each are such a machine.
func TestPatienceIsCountedInLooksToo(t *testing.T) {
	t.Parallel()
	slow := 0
	patiently(t.Context(), func() bool {
		slow++
		<-time.After(claimPatience / 10)
		return false
	})
	if slow < claimLooks {
		t.Errorf("gave up after %d slow looks, want %d at least", slow, claimLooks)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	last := 0
	patiently(ended, func() bool { last++; return false })
	if last > 1 {
		t.Errorf("%d looks after the end of the question", last)
	}
}
