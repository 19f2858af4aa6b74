package delivery

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"k8s.io/klog/v2/textlogger"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/iaas"
	"github.com/argosy-dev/argosy/test/machines/debian"
)

// haproxyAt is where its package is; apt is asked once.
var haproxyAt = sync.OnceValues(func() (debian.Root, error) { return debian.Unpack(context.Background(), "haproxy") })

func TestMain(m *testing.M) {
	iaas.BeMachine()
	ctrl.SetLogger(textlogger.NewLogger(textlogger.NewConfig()))
	_, _ = haproxyAt() // while there is a network; who needs it says what is missing
	if err := iaas.Own(); err != nil {
		fmt.Fprintln(os.Stderr, "machines need a network that may be changed:", err)
		os.Exit(1)
	}
	os.Exit(lab.Judge(m))
}
