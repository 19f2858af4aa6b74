package guests

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/argosy-dev/argosy/test/lab/iaas"
	"github.com/argosy-dev/argosy/test/machines/debian"
)

// emulator is where QEMU, a kernel, busybox and an SSH server are; apt is asked once.
var emulator = sync.OnceValues(func() (debian.Root, error) {
	return debian.Unpack(context.Background(), "qemu-system-x86", "busybox-static", "dropbear-bin", "linux-image-cloud-amd64")
})

func TestMain(m *testing.M) {
	iaas.BeMachine()
	_, _ = emulator() // while there is a network; who needs it says what is missing
	if err := iaas.Own(); err != nil {
		fmt.Fprintln(os.Stderr, "machines need a network that may be changed:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
