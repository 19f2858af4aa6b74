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

// TestTwoManagers that lead at once, as one that was cut off does beside its follower: each makes the Servers that the other makes, each
// machine is made once, and each that goes is gone.
func TestTwoManagers(t *testing.T) {
	w := newWorld(t)
	w.leadAs("one")
	w.leadAs("other")
	set := w.set("web", 4)
	w.create(set)
	w.Eventually(w.seen).Should(gomega.And(gomega.HaveLen(4), gomega.HaveEach(gomega.HaveSuffix("Deploying Running"))))
	w.Expect(w.system.Made()).To(gomega.Equal(4))
	w.Expect(w.machines()).To(gomega.ConsistOf("web-1", "web-2", "web-3", "web-4"))
	change(w, set, func(s *v1alpha1.VMReplicaSet) { *s.Spec.Replicas = 2 })
	w.Eventually(w.machines).Should(gomega.ConsistOf("web-1", "web-2"))
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-2 Deploying Running"}))
	w.Expect(api.Get(w.ctx, client.ObjectKeyFromObject(set), set)).To(gomega.Succeed())
	w.Expect(set.Status.LastSlot).To(gomega.Equal(int64(4)), "numbers that were ever used")
	w.Expect(w.system.Made()).To(gomega.Equal(4))
}
