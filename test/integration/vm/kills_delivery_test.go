package vm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"k8s.io/client-go/tools/record"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/deployments"
	"github.com/argosy-dev/argosy/member/vm/machine"
	"github.com/argosy-dev/argosy/member/vm/machine/httpdriver"
	"github.com/argosy-dev/argosy/member/vm/remote"
	"github.com/argosy-dev/argosy/member/vm/servers"
	"github.com/argosy-dev/argosy/member/vm/sets"
)

// deliveryKills is how often at most the process dies while one machine is made, gets its package and its release.
const deliveryKills = 60

// remote of the process: it dies before it connects, or as soon as what it sent is on its way.
func (m *mortal) remote() *remote.Client {
	return &remote.Client{Idle: -1, Dial: func(ctx context.Context, network, address string) (wire net.Conn, err error) {
		err = m.write(func() (err error) {
			wire, err = (&net.Dialer{}).DialContext(ctx, network, address)
			return err
		})
		if err != nil && wire != nil {
			_ = wire.Close()
		}
		return wire, err
	}}
}

// deliver is one process until it dies; true: the server has its release, and the process did not die.
func (w *world) deliver(m *mortal, holder string) bool {
	c := m.client(w.t)
	with := control.Means{Cache: c, Live: c, Writer: c, Recorder: &record.FakeRecorder{}}
	options := w.serverOptions(holder)
	options.Drivers = map[string]machine.Driver{httpdriver.Name: mortalDriver{Driver: w.driver, mortal: m}}
	options.Remote = m.remote()
	planner := sets.New(sets.Options{Options: w.every(1), Drivers: []string{httpdriver.Name}}, with)
	releases := deployments.New(deployments.Options{Options: w.every(1)}, with)
	worker := servers.New(options, with)
	for pass := 0; !m.dead(); pass++ {
		if pass > 300 {
			w.t.Fatalf("%s does not come to an end: %v", holder, w.seen())
		}
		w.reconcile(planner, "web")
		if !m.dead() {
			w.reconcile(releases, "web")
		}
		for _, s := range w.servers() {
			if s.Status.Phase == v1alpha1.ServerReady {
				return !m.dead()
			}
			if !m.dead() {
				w.reconcile(worker, s.Name)
			}
		}
		w.clock.pass(4 * time.Second)
	}
	return false
}

// TestKilledInADelivery: the process dies over and over, at any of its writes, before it connects to the machine, or right after. There is
// one machine, its package is installed once, its release is started once, and in the end it is Ready.
func TestKilledInADelivery(t *testing.T) {
	w, store := newGuests(t)
	set := w.guests("web", 1)
	set.Spec.Template.Spec.Packages = []v1alpha1.Package{store.script("once", `echo installed >>"$ARGOSY_ROOT/log"; sleep 0.3`)}
	release := store.release("1.0", `echo started >>"$ARGOSY_ROOT/log"`)
	w.create(set, w.deployment(release))
	random := rand.New(rand.NewPCG(7, 7))
	died, done := 0, false
	for ; died < deliveryKills && !done; died++ {
		done = w.deliver(&mortal{at: 1 + random.IntN(9), after: random.IntN(2) == 0}, fmt.Sprintf("process-%d", died))
		w.clock.pass(20 * time.Second)
	}
	if !done {
		w.Expect(w.deliver(&mortal{at: 1 << 30}, "last")).To(gomega.BeTrue())
	}
	w.Expect(w.seen()).To(gomega.Equal([]string{"web-1 Ready Running"}))
	w.Expect(w.system.Made()).To(gomega.Equal(1))
	w.Expect(strings.Fields(w.file("web-1", "log"))).To(gomega.Equal([]string{"installed", "started"}))
	t.Logf("%d kills", died)
}
