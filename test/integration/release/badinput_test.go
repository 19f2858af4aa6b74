package release

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// badlyUsed are mistakes no schema refuses: each ends in a condition that says what to do, and nothing is released by it.
// TestHeldOpenedAndBack runs them.
func badlyUsed(t *testing.T) {
	t.Run("two of one target", twoOfOneTarget)
	t.Run("the template is deleted in the middle", templateDeleted)
	t.Run("a megabyte", aMegabyte)
	t.Run("records are deleted by hand", recordsDeleted)
	t.Run("a Release made anew", madeAnew)
	t.Run("overrides of marks", overridesOfMarks)
}

func twoOfOneTarget(t *testing.T) {
	g := NewWithT(t)
	f := &federation{t: t, namespace: "two", kind: "Deployment", assigned: map[string]int64{"member1": 3, "member2": 3}}
	c := controller()
	first := f.start(c, deploymentRelease)
	other := parse(t, strings.NewReplacer("NAMESPACE", f.namespace, "name: web, namespace", "name: zweb, namespace", "[member1]", "[member2]").
		Replace(deploymentRelease))
	g.Expect(admin.Create(t.Context(), other)).To(Succeed())
	key := client.ObjectKey{Namespace: f.namespace, Name: "zweb"}
	look := func() *v1alpha1.Release {
		t.Helper()
		_, err := c.Reconcile(t.Context(), reconcile.Request{NamespacedName: key})
		g.Expect(err).NotTo(HaveOccurred())
		out := &v1alpha1.Release{}
		g.Expect(admin.Get(t.Context(), key, out)).To(Succeed())
		return out
	}
	second := look()
	g.Expect(reason(second, v1alpha1.ConditionAdopted)).To(Equal(v1alpha1.ReasonTargetTaken))
	g.Expect(meta.FindStatusCondition(second.Status.Conditions, v1alpha1.ConditionAdopted).Message).
		To(ContainSubstring("Release web has the target"))
	g.Expect(f.push("v2")).To(Succeed())
	look()
	f.turn(c)
	g.Expect(images(f)).To(Equal("v2 v1"), "the older one's stages")
	g.Expect(f.template().GetLabels()).To(HaveKeyWithValue(v1alpha1.LabelStaged, first.Name))
	// The younger one is deleted at once, and takes nothing along.
	g.Expect(admin.Delete(t.Context(), second)).To(Succeed())
	_, err := c.Reconcile(t.Context(), reconcile.Request{NamespacedName: key})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(apierrors.IsNotFound(admin.Get(t.Context(), key, second))).To(BeTrue())
	g.Expect(f.template().GetLabels()).To(HaveKeyWithValue(v1alpha1.LabelStaged, first.Name))
}

func templateDeleted(t *testing.T) {
	g := NewWithT(t)
	f := &federation{t: t, namespace: "deleted", kind: "Deployment", assigned: map[string]int64{"member1": 3, "member2": 3}}
	c := controller()
	f.start(c, deploymentRelease)
	g.Expect(f.push("v2")).To(Succeed())
	f.turn(c)
	g.Expect(images(f)).To(Equal("v2 v1"))
	g.Expect(admin.Delete(t.Context(), f.template())).To(Succeed())
	request := reconcile.Request{NamespacedName: client.ObjectKey{Namespace: f.namespace, Name: "web"}}
	_, err := c.Reconcile(t.Context(), request)
	g.Expect(err).NotTo(HaveOccurred())
	of := &v1alpha1.Release{}
	g.Expect(admin.Get(t.Context(), request.NamespacedName, of)).To(Succeed())
	g.Expect(reason(of, v1alpha1.ConditionAdopted)).To(Equal(v1alpha1.ReasonTemplateMissing))
	g.Expect(reason(of, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonTemplateMissing))
	waits := meta.IsStatusConditionTrue(of.Status.Conditions, v1alpha1.ConditionAwaitingApproval)
	g.Expect(waits).To(BeFalse(), "nobody need approve: %+v", of.Status)
	// Made again, as it was, it is held where it was: the stages go on from where they stood.
	g.Expect(f.push("v2")).To(Succeed())
	_, err = c.Reconcile(t.Context(), request)
	g.Expect(err).NotTo(HaveOccurred())
	of = f.turn(c)
	g.Expect(images(f)).To(Equal("v2 v1"), "%+v", of.Status)
	g.Expect(reason(of, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonAwaitingApproval))
	// Deleted and made otherwise at once, Karmada renders it before the Release has marked it: no Work is opened by that.
	g.Expect(admin.Delete(t.Context(), f.template())).To(Succeed())
	g.Expect(f.push("v3")).To(Succeed())
	g.Expect(f.sync("member2")).To(MatchError(ContainSubstring("its template lost the marks of the release")))
	g.Expect(images(f)).To(Equal("v2 v1"))
	f.turn(c)
	g.Expect(images(f)).To(Equal("v3 v1"))
}

// aMegabyte: templates as large as etcd takes them are recorded, held, opened and rendered from the history.
func aMegabyte(t *testing.T) {
	g := NewWithT(t)
	f := &federation{t: t, namespace: "large", kind: "Deployment", assigned: map[string]int64{"member1": 3, "member2": 3}}
	c := controller()
	f.start(c, deploymentRelease)
	object := f.template()
	containers, _, err := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
	g.Expect(err).NotTo(HaveOccurred())
	container, ok := containers[0].(map[string]any)
	g.Expect(ok).To(BeTrue())
	container["args"] = []any{strings.Repeat("x", 1<<20)}
	g.Expect(unstructured.SetNestedSlice(object.Object, containers, "spec", "template", "spec", "containers")).To(Succeed())
	g.Expect(admin.Update(t.Context(), object)).To(Succeed())
	large := f.turn(c)
	size := func(cluster string) int { return len(f.work(cluster).Spec.Workload.Manifests[0].Raw) }
	g.Expect(size("member1")).To(BeNumerically(">", 1<<20))
	g.Expect(size("member2")).To(BeNumerically("<", 1<<20))
	f.edit(c, func(s *v1alpha1.ReleaseSpec) { s.Promoted = large.Status.Revision })
	g.Expect(size("member2")).To(BeNumerically(">", 1<<20))
	// As the stable one it comes from the history.
	g.Expect(f.push("v2")).To(Succeed())
	g.Expect(admin.Delete(t.Context(), f.work("member2"))).To(Succeed())
	f.turn(c)
	g.Expect(images(f)).To(Equal("v2 v1"))
	g.Expect(size("member2")).To(BeNumerically(">", 1<<20))
}

func (f *federation) records() *appsv1.ControllerRevisionList {
	f.t.Helper()
	out := &appsv1.ControllerRevisionList{}
	of := client.MatchingLabels{v1alpha1.LabelRelease: "web"}
	if err := admin.List(f.t.Context(), out, client.InNamespace(f.namespace), of); err != nil {
		f.t.Fatal(err)
	}
	return out
}

// recordsDeleted: what the template still says is recorded again.
func recordsDeleted(t *testing.T) {
	g := NewWithT(t)
	f := &federation{t: t, namespace: "records", kind: "Deployment", assigned: map[string]int64{"member1": 3, "member2": 3}}
	c := controller()
	f.start(c, deploymentRelease)
	for i := range f.records().Items {
		g.Expect(admin.Delete(t.Context(), &f.records().Items[0])).To(Succeed(), "%d", i)
	}
	f.turn(c)
	g.Expect(f.records().Items).To(HaveLen(1))
	g.Expect(f.push("v2")).To(Succeed())
	g.Expect(admin.Delete(t.Context(), f.work("member2"))).To(Succeed())
	f.turn(c)
	g.Expect(images(f)).To(Equal("v2 v1"))
}

// madeAnew under its old name: one that lets go takes its records along. One whose finalizer was taken off by hand leaves them, and what it
// held; the next of its name takes that up, whoever writes the template in between, and opens nothing. Without records it says so.
func madeAnew(t *testing.T) {
	g := NewWithT(t)
	f := &federation{t: t, namespace: "anew", kind: "Deployment", assigned: map[string]int64{"member1": 3, "member2": 3}}
	c := controller()
	first := f.start(c, deploymentRelease)
	g.Expect(admin.Delete(t.Context(), first)).To(Succeed())
	_, err := c.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(first)})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(f.records().Items).To(BeEmpty())
	again := func() *v1alpha1.Release {
		t.Helper()
		g.Expect(admin.Create(t.Context(), parse(t, strings.ReplaceAll(deploymentRelease, "NAMESPACE", f.namespace)))).To(Succeed())
		g.Expect(f.push("v2")).To(Succeed(), "GitOps applies it again, before the controller looks")
		return f.turn(c)
	}
	g.Expect(admin.Create(t.Context(), parse(t, strings.ReplaceAll(deploymentRelease, "NAMESPACE", f.namespace)))).To(Succeed())
	f.turn(c)
	g.Expect(f.push("v2")).To(Succeed())
	held := f.turn(c)
	g.Expect(images(f)).To(Equal("v2 v1"))
	takenOff := func() {
		t.Helper()
		before := held.DeepCopy()
		held.Finalizers = nil
		g.Expect(admin.Patch(t.Context(), held, client.MergeFrom(before))).To(Succeed())
		g.Expect(admin.Delete(t.Context(), held)).To(Succeed())
	}

	takenOff()
	g.Expect(admin.Delete(t.Context(), f.work("member2"))).To(Succeed())
	g.Expect(f.push("v2")).To(Succeed())
	g.Expect(f.sync("member2")).To(Succeed(), "what is held is made anew without the Release, too")
	g.Expect(images(f)).To(Equal("v2 v1"))
	stable := held.Status.Dispatch.Stable
	held = again()
	g.Expect(images(f)).To(Equal("v2 v1"))
	g.Expect(held.Status.Dispatch.Stable).To(Equal(stable))
	g.Expect(reason(held, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonAwaitingApproval))

	takenOff()
	for _, record := range f.records().Items {
		g.Expect(admin.Delete(t.Context(), &record)).To(Succeed())
	}
	held = again()
	g.Expect(images(f)).To(Equal("v2 v1"))
	g.Expect(reason(held, v1alpha1.ConditionAdopted)).To(Equal(v1alpha1.ReasonRecordLost))
	f.edit(c, func(s *v1alpha1.ReleaseSpec) { s.Promoted = held.Status.Revision })
	g.Expect(images(f)).To(Equal("v2 v2"))
}

// overridesOfMarks are refused: they are applied after all that says what is open.
func overridesOfMarks(t *testing.T) {
	g := NewWithT(t)
	register(t, "https://127.0.0.1:1", []byte("none"), "argosy-release-overrides")
	namespace(t, "marks")
	const policy = `
apiVersion: policy.karmada.io/v1alpha1
kind: OverridePolicy
metadata: {name: marks, namespace: marks}
spec:
  resourceSelectors: [{apiVersion: apps/v1, kind: Deployment, name: web}]
  overrideRules: [{overriders: {OVERRIDER}}]
`
	for _, refused := range []string{
		`plaintext: [{path: /metadata/annotations/release.argosy.dev~1open, operator: replace, value: "*"}]`,
		`annotationsOverrider: [{operator: add, value: {release.argosy.dev/open: "*"}}]`,
		`labelsOverrider: [{operator: remove, value: {release.argosy.dev/staged: web}}]`,
	} {
		// The API server takes a policy up a moment after it is stored.
		g.Eventually(func() error {
			return admin.Create(t.Context(), parse(t, strings.Replace(policy, "OVERRIDER", refused, 1)), client.DryRunAll)
		}, machine.Patience, 100*time.Millisecond).Should(MatchError(ContainSubstring("the Release alone says which clusters are open")), refused)
	}
	const allowed = `annotationsOverrider: [{operator: add, value: {team: web}}],
    imageOverrider: [{component: Tag, operator: replace, value: v2}]`
	g.Expect(admin.Create(t.Context(), parse(t, strings.Replace(policy, "OVERRIDER", allowed, 1)), client.DryRunAll)).To(Succeed())
}
