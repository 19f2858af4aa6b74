package release

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// nowhere: a template without a binding, and one whose binding has no cluster any more. Nobody was seen with anything, and the Release does
// not say that it is complete.
func nowhere(t *testing.T) {
	g := NewWithT(t)
	f := &federation{t: t, namespace: "nowhere", kind: "Deployment", assigned: map[string]int64{}}
	c := controller()
	namespace(t, f.namespace)
	g.Expect(f.push("v1")).To(Succeed())
	g.Expect(admin.Create(t.Context(), parse(t, strings.ReplaceAll(deploymentRelease, "NAMESPACE", f.namespace)))).To(Succeed())
	says := func(of *v1alpha1.Release) {
		t.Helper()
		complete := meta.FindStatusCondition(of.Status.Conditions, v1alpha1.ConditionComplete)
		g.Expect(complete).NotTo(BeNil(), "%+v", of.Status)
		g.Expect(complete.Status).To(Equal(metav1.ConditionUnknown), "%+v", of.Status)
		g.Expect(complete.Reason).To(Equal(v1alpha1.ReasonNowhere))
		g.Expect(reason(of, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonNowhere), "column WHY")
		g.Expect(reason(of, v1alpha1.ConditionAdopted)).To(Equal(v1alpha1.ReasonAdopted))
	}
	says(f.turn(c))
	// A push while it is nowhere is held, and no stage passes.
	g.Expect(f.push("v2")).To(Succeed())
	held := f.turn(c)
	g.Expect(reason(held, v1alpha1.ConditionStalled)).To(Equal(v1alpha1.ReasonStageEmpty), "%+v", held.Status)
	g.Expect(f.push("v1")).To(Succeed())
	says(f.turn(c))

	f.assigned = map[string]int64{"member1": 2}
	f.bind()
	g.Expect(reason(f.turn(c), v1alpha1.ConditionComplete)).To(Equal(v1alpha1.ReasonComplete))
	f.rebind("member1", 0)
	says(f.turn(c))
}
