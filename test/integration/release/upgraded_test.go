package release

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// It is run by TestHeldOpenedAndBack, with its webhook and its guards.

// upgraded: members were reported of by a program before reports named their revision, and overrides are held. Nobody is blamed for that
// and nothing is done by it, in no stage; Karmada is asked to write the Works again, and what is reported of these counts.
func upgraded(t *testing.T) {
	g := NewWithT(t)
	f := &federation{t: t, namespace: "upgraded", kind: "CloneSet", assigned: map[string]int64{"member1": 3, "member2": 3}}
	now := clocktesting.NewFakePassiveClock(clock.RealClock{}.Now())
	c := controller()
	c.Clock = now
	pass := func(span time.Duration) *v1alpha1.Release {
		t.Helper()
		now.SetTime(now.Now().Add(span))
		return f.turn(c)
	}
	namespace(t, f.namespace)
	policy := func(registry string) {
		t.Helper()
		text := strings.NewReplacer("NAMESPACE", f.namespace, "VALUE", registry, "apps/v1", "apps.kruise.io/v1alpha1", "kind: Deployment",
			"kind: CloneSet", "{component: Registry",
			"{predicate: {path: /spec/template/spec/containers/0/image}, component: Registry").Replace(overridden)
		g.Expect(admin.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(parse(t, text)), client.FieldOwner("platform"),
			client.ForceOwnership)).To(Succeed())
	}
	policy("one.example")
	first := f.start(c, strings.Replace(cloneSetRelease, "  stages:", "  overrides: Hold\n  onFailure: Rollback\n  stages:", 1))

	// The upgrade finds it complete, by reports that name no revision.
	f.former = true
	before := []string{f.dispatched("member1"), f.dispatched("member2")}
	untold := f.turn(c)
	g.Expect(meta.IsStatusConditionFalse(untold.Status.Conditions, v1alpha1.ConditionComplete)).To(BeTrue(), "%+v", untold.Status)
	g.Expect(meta.FindStatusCondition(untold.Status.Conditions, v1alpha1.ConditionComplete).Message).
		To(ContainSubstring("has not said of which revision its replicas are"))
	g.Expect([]string{f.dispatched("member1"), f.dispatched("member2")}).To(Equal(before))
	asked := pass(30 * time.Second)
	g.Expect(asked.Status.Dispatch.Asked).To(BeNumerically(">", first.Status.Dispatch.Asked), "Karmada writes the Works again")
	g.Expect(f.manifest(f.work("member1")).GetAnnotations()).To(HaveKey(v1alpha1.AnnotationAsked))
	f.former = false // what members report of that is interpreted by the program of now
	g.Expect(reason(f.turn(c), v1alpha1.ConditionComplete)).To(Equal(v1alpha1.ReasonComplete))

	// The upgrade comes in the middle of a release, and argosy-webhook is not of the new version for longer than a deadline.
	f.former = true
	policy("two.example")
	held := f.turn(c)
	g.Expect(f.image("member1")+" "+f.image("member2")).To(Equal("two.example/web:v1 two.example/web:v1"), "of each a part")
	late := pass(20 * time.Minute)
	g.Expect(reason(late, v1alpha1.ConditionStalled)).To(Equal(v1alpha1.ReasonHealthUnknown), "%+v", late.Status)
	g.Expect(late.Status.Stage).To(Equal("three"))
	g.Expect(late.Status.Failure).To(BeNil(), "nobody is blamed")
	g.Expect(late.Status.Dispatch.Stable).To(Equal(first.Status.Revision))
	g.Expect(late.Status.Dispatch.Asked).To(BeNumerically(">", held.Status.Dispatch.Asked))
	f.former = false
	told := f.turn(c)
	g.Expect(reason(told, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonAwaitingApproval), "%+v", told.Status)
	g.Expect(meta.IsStatusConditionFalse(told.Status.Conditions, v1alpha1.ConditionStalled)).To(BeTrue())
	done := f.edit(c, func(s *v1alpha1.ReleaseSpec) { s.Promoted = told.Status.Revision })
	g.Expect(reason(done, v1alpha1.ConditionComplete)).To(Equal(v1alpha1.ReasonComplete), "%+v", done.Status)
}
