package release

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// componentInStages is run by TestHeldOpenedAndBack: the image of a Component goes out cluster by cluster. What is decided about its canary
// steps in a cluster, and its number of copies, reach held clusters too.
func componentInStages(t *testing.T) {
	g := NewWithT(t)
	f := &federation{t: t, namespace: "five", kind: "Component", assigned: map[string]int64{"member1": 3, "member2": 3}}
	c := controller()
	f.start(c, strings.Replace(deploymentRelease, "{apiVersion: apps/v1, kind: Deployment,",
		"{apiVersion: component.luojilab.com/v1alpha1, kind: Component,", 1))
	g.Expect(f.push("v2")).To(Succeed())
	held := f.turn(c)
	g.Expect(images(f)).To(Equal("v2 v1"))
	g.Expect(reason(held, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonAwaitingApproval))

	approved := client.RawPatch("application/merge-patch+json",
		[]byte(`{"spec":{"approvals":[{"gate":"canary","operationID":"op-1","decision":"Approve"}]}}`))
	g.Expect(admin.Patch(t.Context(), f.template(), approved)).To(Succeed())
	f.assigned["member2"] = 5
	f.turn(c)
	member2 := f.manifest(f.work("member2"))
	approvals, _, err := unstructured.NestedSlice(member2.Object, "spec", "approvals")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(approvals).To(HaveLen(1), "a held cluster hears what is decided about what runs there")
	replicas, _, err := unstructured.NestedInt64(member2.Object, "spec", "replicas")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(replicas).To(BeEquivalentTo(5))
	g.Expect(images(f)).To(Equal("v2 v1"), "neither is a change of its own")

	done := f.edit(c, func(s *v1alpha1.ReleaseSpec) { s.Stages[0].Gates.Approvals = 0 })
	g.Expect(images(f)).To(Equal("v2 v2"))
	g.Expect(reason(done, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonComplete))
}
