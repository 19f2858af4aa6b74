package vm

import (
	"testing"

	"github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// TestMadeAgainAtOnce: a set that is deleted and made again under its name, before the one of before is gone, ends with machines of its own
// and none of the other's.
func TestMadeAgainAtOnce(t *testing.T) {
	w := newWorld(t)
	w.lead()
	running := []string{"web-1 Deploying Running", "web-2 Deploying Running"}
	first, second := w.set("web", 2), w.set("web", 2)
	for _, set := range []*v1alpha1.VMReplicaSet{first, second} {
		set.Spec.RemovalPolicy = v1alpha1.RemovalDelete
	}
	w.create(first)
	w.Eventually(w.seen).Should(gomega.Equal(running))
	before := map[string]bool{w.key("web-1"): true, w.key("web-2"): true}
	w.Expect(api.Delete(w.ctx, first)).To(gomega.Succeed())
	w.Eventually(func() error { return api.Create(w.ctx, second) }).Should(gomega.Succeed())
	w.Eventually(w.seen).Should(gomega.Equal(running))
	w.Expect(w.machines()).To(gomega.ConsistOf("web-1", "web-2"))
	for _, name := range []string{"web-1", "web-2"} {
		w.Expect(before).NotTo(gomega.HaveKey(w.key(name)), "a machine of the set of before")
	}
	w.Expect(w.system.Made()).To(gomega.Equal(4))
}

// TestTwoManagers that lead at once, as one that was cut off does beside its follower: no Server gets two machines. The one may make
// Servers beside those that the other is making; what is too much is taken out again, machine and all.
func TestTwoManagers(t *testing.T) {
	w := newWorld(t)
	w.leadAs("one")
	w.leadAs("other")
	set := w.set("web", 4)
	w.create(set)
	w.Eventually(func() []string { return append(w.seen(), w.machines()...) }).Should(gomega.HaveLen(8))
	w.Eventually(w.seen).Should(gomega.And(gomega.HaveLen(4), gomega.HaveEach(gomega.HaveSuffix("Deploying Running"))))
	change(w, set, func(s *v1alpha1.VMReplicaSet) { *s.Spec.Replicas = 2 })
	w.Eventually(w.seen).Should(gomega.And(gomega.HaveLen(2), gomega.HaveEach(gomega.HaveSuffix("Deploying Running"))))
	w.Eventually(w.machines).Should(gomega.HaveLen(2))
	w.Expect(api.Get(w.ctx, client.ObjectKeyFromObject(set), set)).To(gomega.Succeed())
	w.Expect(w.system.Made()).To(gomega.BeNumerically("<=", set.Status.LastSlot), "machines, for so many Servers that ever were")
}
