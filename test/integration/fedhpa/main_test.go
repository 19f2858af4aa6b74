package fedhpa

import (
	"context"
	"fmt"
	"os"
	"testing"

	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/argosy-dev/argosy/test/fedhpaplane"
	"github.com/argosy-dev/argosy/test/lab"
)

// plane is the package's control plane: written by TestMain before any test runs. Its controllers serve every test; each test has a
// namespace of its own.
var plane *fedhpaplane.Plane

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	log := textlogger.NewLogger(textlogger.NewConfig())
	klog.SetLogger(log)
	ctrl.SetLogger(log)
	var err error
	if plane, err = fedhpaplane.New(context.Background(), "member1", "member2"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer plane.Close()
	stop, err := plane.Run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := lab.Judge(m)
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "the manager ended:", err)
		return 1
	}
	return code
}
