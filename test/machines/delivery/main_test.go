package delivery

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/iaas"
	"github.com/argosy-dev/argosy/test/machines/debian"
)

// haproxyAt is where its package is; apt is asked once.
var haproxyAt = sync.OnceValues(func() (debian.Root, error) { return debian.Unpack(context.Background(), "haproxy") })

func TestMain(m *testing.M) {
	iaas.BeMachine()
	_, _ = haproxyAt() // while there is a network; who needs it says what is missing
	if err := iaas.Own(); err != nil {
		fmt.Fprintln(os.Stderr, "machines need a network that may be changed:", err)
		os.Exit(1)
	}
	os.Exit(lab.Judge(m))
}
