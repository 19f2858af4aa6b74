package vm

import (
	"os"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/balance/service"
)

// TestDeliveredIntoAPool: machines with their code come into the pool once they are healthy, without anybody's doing. One that is sick
// leaves it and comes back; when all look sick at once nobody leaves.
func TestDeliveredIntoAPool(t *testing.T) {
	w, store := newGuests(t)
	w.lead()
	w.create(makeService(w.namespace, "web", "http"))
	set := probed(w.guests("web", 3))
	set.Spec.Template.Spec.LoadBalancers = []v1alpha1.LoadBalancer{{
		Name: "public", Driver: service.Name, Pool: "web", Port: 8080, DrainSeconds: ptr.To[int32](0),
	}}
	w.create(set)
	w.Eventually(w.seen).Should(gomega.HaveLen(3))
	w.Eventually(w.seen).Should(gomega.HaveEach(gomega.HaveSuffix("Deploying Running")))
	w.Expect(w.endpoints()).To(gomega.BeEmpty(), "without code nobody serves")

	w.create(w.deployment(store.release("1.0", startup)))
	ready := gomega.And(gomega.HaveLen(3), gomega.HaveEach(gomega.HaveSuffix(":8080 ready")))
	w.Eventually(w.endpoints).Should(ready)
	w.Eventually(w.pooled).Should(gomega.Equal([]string{"web-1 Attached", "web-2 Attached", "web-3 Attached"}))

	w.touch("web-2", "sick")
	w.Eventually(w.pooled).Should(gomega.Equal([]string{"web-1 Attached", "web-2 Detached", "web-3 Attached"}))
	w.Expect(w.endpoints()).To(gomega.HaveLen(2))
	w.Expect(os.Remove(w.path("web-2", "sick"))).To(gomega.Succeed())
	w.Eventually(w.endpoints).Should(ready)

	w.touchAll("sick", "web-1", "web-2", "web-3")
	w.Consistently(w.endpoints, 10*time.Second).Should(ready)
}
