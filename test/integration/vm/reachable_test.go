package vm

import (
	"slices"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab/iaas"
)

// TestACutNetwork: the driver says that a machine runs whose network is cut, and nobody reaches it: Reachable is False, it leaves, and is
// stopped before another takes its place. Where all are cut at once nothing is known, and nobody is touched.
func TestACutNetwork(t *testing.T) {
	w, store := newGuests(t)
	w.dial = time.Second
	w.lead()
	set := probed(w.guests("web", 3))
	set.Spec.Failover = v1alpha1.Failover{
		Policy: v1alpha1.FailoverAuto, UnknownTimeoutSeconds: 30, MaxUnhealthy: ptr.To(intstr.FromInt32(1)), Fence: v1alpha1.FenceRequired,
	}
	w.create(set, w.deployment(store.release("1.0", startup)))
	ready := []string{"web-1 Ready Running", "web-2 Ready Running", "web-3 Ready Running"}
	w.Eventually(w.seen).Should(gomega.Equal(ready))
	reachable := func(name string) string { return saysOf(w.server(name).Status.Conditions, v1alpha1.ConditionReachable) }
	all := []string{"web-1", "web-2", "web-3"}
	for _, name := range all {
		w.Eventually(func() string { return reachable(name) }).Should(gomega.HavePrefix("True HeartbeatFresh: "))
	}
	w.cut(all...)
	for _, name := range all {
		w.Eventually(func() string { return reachable(name) }).Should(gomega.HavePrefix("Unknown ProberBlind: "))
	}
	w.Consistently(w.seen, 2*time.Second).Should(gomega.Equal(ready))
	w.Eventually(func() string { return w.says("web", v1alpha1.ConditionRemediationAllowed) }).
		Should(gomega.HavePrefix("False TooManyUnhealthy"))

	for _, name := range all[1:] {
		w.mend(name)
	}
	w.Eventually(func() string { return reachable("web-1") }).Should(
		gomega.HavePrefix("False HeartbeatLost: the driver says that it runs, and it does not answer: dial tcp "))
	w.Eventually(w.seen).Should(gomega.Equal(slices.Concat([]string{"web-1 Unknown Running"}, ready[1:])))
	w.clock.pass(time.Minute)
	w.Eventually(w.machines).Should(gomega.ConsistOf("web-2", "web-3", "web-4"))
	w.Eventually(w.seen).Should(gomega.Equal([]string{ready[1], ready[2], "web-4 Ready Running"}))
	w.Expect(w.system.Made()).To(gomega.Equal(4))
}

// cut servers' networks, with no waiting in between: of one that is cut alone it would be known.
func (w *world) cut(names ...string) {
	w.t.Helper()
	var addresses []string
	for _, name := range names {
		addresses = append(addresses, w.server(name).Status.Addresses[0].Address)
	}
	for _, address := range addresses {
		w.t.Cleanup(func() { _ = iaas.Mend(address) }) // it may be mended by then
	}
	for _, address := range addresses {
		if err := iaas.Cut(address); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) mend(name string) {
	w.t.Helper()
	if err := iaas.Mend(w.server(name).Status.Addresses[0].Address); err != nil {
		w.t.Fatal(err)
	}
}
