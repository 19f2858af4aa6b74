package release

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/release"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// configure writes the ConfigMap as kubectl apply --server-side does.
func (f *federation) configure(mode string) error {
	object := parse(f.t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: "+f.namespace+"}\ndata: {mode: "+mode+"}\n")
	return admin.Apply(f.t.Context(), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("gitops"), client.ForceOwnership)
}

// configs are what the Works of the ConfigMap say, cluster by cluster.
func (f *federation) configs(clusters ...string) string {
	f.t.Helper()
	var out []string
	for _, cluster := range clusters {
		object := f.manifest(f.workOf(cluster, f.namespace+"-config"))
		data, ok := object.Object["data"].(map[string]any)
		if !ok {
			f.t.Fatalf("a ConfigMap without data: %v", object.Object)
		}
		mode, _ := data["mode"].(string)
		out = append(out, mode)
	}
	return strings.Join(out, " ")
}

// edit the spec of the Release, and let it settle.
func (f *federation) edit(c *release.Controller, change func(*v1alpha1.ReleaseSpec)) *v1alpha1.Release {
	f.t.Helper()
	of := &v1alpha1.Release{}
	if err := admin.Get(f.t.Context(), client.ObjectKey{Namespace: f.namespace, Name: "web"}, of); err != nil {
		f.t.Fatal(err)
	}
	before := of.DeepCopy()
	change(&of.Spec)
	if err := admin.Patch(f.t.Context(), of, client.MergeFrom(before)); err != nil {
		f.t.Fatal(err)
	}
	return f.turn(c)
}

// start an application of one version with its Release, adopted.
func (f *federation) start(c *release.Controller, manifest string) *v1alpha1.Release {
	f.t.Helper()
	g := NewWithT(f.t)
	namespace(f.t, f.namespace)
	if f.config {
		g.Expect(f.configure("a")).To(Succeed())
	}
	g.Expect(f.push("v1")).To(Succeed())
	f.bind()
	g.Expect(admin.Create(f.t.Context(), parse(f.t, strings.ReplaceAll(manifest, "NAMESPACE", f.namespace)))).To(Succeed())
	out := f.turn(c)
	g.Expect(meta.IsStatusConditionTrue(out.Status.Conditions, v1alpha1.ConditionComplete)).To(BeTrue(), "%+v", out.Status)
	return out
}

func reason(of *v1alpha1.Release, condition string) string {
	if c := meta.FindStatusCondition(of.Status.Conditions, condition); c != nil {
		return c.Reason
	}
	return "none"
}

var withConfig = strings.Replace(deploymentRelease, "  stages:", "  with: [{apiVersion: v1, kind: ConfigMap, name: web}]\n  stages:", 1)

// configGoesOutWithIt: held, opened before the target, taken back, and not taken away from held clusters by deleting it.
func configGoesOutWithIt(t *testing.T) {
	g := NewWithT(t)
	f := &federation{t: t, namespace: "with", kind: "Deployment", assigned: map[string]int64{"member1": 3, "member2": 3}, config: true}
	c := controller()
	first := f.start(c, withConfig)
	g.Expect(f.object("v1", "ConfigMap").GetFinalizers()).To(ContainElement(v1alpha1.FinalizerInUse))

	// Written by anybody it is held at once, before the controller saw it.
	g.Expect(f.configure("b")).To(Succeed())
	for _, cluster := range []string{"member1", "member2"} {
		g.Expect(f.sync(cluster)).To(Succeed())
	}
	g.Expect(f.configs("member1", "member2")).To(Equal("a a"))
	g.Expect(f.push("v2")).To(Succeed())
	second := f.turn(c)
	g.Expect(f.configs("member1", "member2")).To(Equal("b a"), "%+v", second.Status)
	g.Expect(f.dispatched("member1")).To(HavePrefix("v2 "))
	g.Expect(f.dispatched("member2")).To(HavePrefix("v1 "))

	// Refused by the member after the target came, with what the target says all well: nobody reports of a config, and the Release does.
	g.Expect(reason(second, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonAwaitingApproval))
	f.refusals = map[string]string{"member1": `admission webhook "policy.example" denied the request: no mode b`}
	refused := f.turn(c)
	g.Expect(reason(refused, v1alpha1.ConditionAwaitingApproval)).To(Equal(v1alpha1.ReasonAsExpected))
	g.Expect(meta.FindStatusCondition(refused.Status.Conditions, v1alpha1.ConditionProgressing).Message).
		To(ContainSubstring("member1 refuses ConfigMap web: " + f.refusals["member1"]))
	f.refusals = nil
	second = f.turn(c)
	g.Expect(reason(second, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonAwaitingApproval))
	g.Expect(second.Status.Revision).NotTo(Equal(first.Status.Revision))

	// Its template is deleted in the middle: the clusters keep it, and one whose Work is made anew gets the stable one from the history.
	g.Expect(admin.Delete(t.Context(), f.object("v1", "ConfigMap"))).To(Succeed())
	g.Expect(admin.Delete(t.Context(), f.workOf("member2", f.namespace+"-config"))).To(Succeed())
	f.turn(c)
	g.Expect(f.configs("member1", "member2")).To(Equal("b a"))

	// Taken back, and its deletion ends with the release.
	f.refusals = map[string]string{"member1": `admission webhook "policy.example" denied the request: no mode a`}
	back := f.edit(c, func(s *v1alpha1.ReleaseSpec) { s.Rejected = []string{second.Status.Revision} })
	g.Expect(f.configs("member1", "member2")).To(Equal("a a"))
	g.Expect(f.dispatched("member1")).To(HavePrefix("v1 "))
	rolledBack := meta.FindStatusCondition(back.Status.Conditions, v1alpha1.ConditionRolledBack)
	g.Expect(rolledBack.Status).To(Equal(metav1.ConditionUnknown), "member1 has the rejected config still")
	g.Expect(rolledBack.Message).To(ContainSubstring("member1 refuses the way back of ConfigMap web"))
	f.refusals = nil
	back = f.turn(c)
	g.Expect(reason(back, v1alpha1.ConditionRolledBack)).To(Equal(v1alpha1.ReasonRolledBack))
	f.edit(c, func(s *v1alpha1.ReleaseSpec) { s.Rejected = nil })
	f.edit(c, func(s *v1alpha1.ReleaseSpec) { s.Promoted = second.Status.Revision })
	// Promoted, it is open everywhere; with the release the last finalizer goes, and the Release says what is missing.
	look := func(g Gomega) {
		_, err := c.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Namespace: f.namespace, Name: "web"}})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(first), second)).To(Succeed())
		g.Expect(reason(second, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonWithMissing))
	}
	g.Eventually(look, machine.Patience, 100*time.Millisecond).Should(Succeed())

	// Made again it goes on, and the Release lets all of it go.
	g.Expect(f.configure("b")).To(Succeed())
	done := f.turn(c)
	g.Expect(reason(done, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonComplete), "%+v", done.Status)
	// with and overrides are for good.
	changed := done.DeepCopy()
	changed.Spec.With = nil
	g.Expect(admin.Update(t.Context(), changed)).To(MatchError(ContainSubstring("spec.with is for good")))
	g.Expect(admin.Delete(t.Context(), done)).To(Succeed())
	_, err := c.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(done)})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(apierrors.IsNotFound(admin.Get(t.Context(), client.ObjectKeyFromObject(done), &v1alpha1.Release{}))).To(BeTrue())
	config := f.object("v1", "ConfigMap")
	g.Expect(config.GetFinalizers()).To(BeEmpty())
	g.Expect(config.GetLabels()).NotTo(HaveKey(v1alpha1.LabelStaged))
}

const overridden = `
apiVersion: policy.karmada.io/v1alpha1
kind: OverridePolicy
metadata: {name: registry, namespace: NAMESPACE}
spec:
  resourceSelectors: [{apiVersion: apps/v1, kind: Deployment, name: web}]
  overrideRules:
  - overriders: {imageOverrider: [{component: Registry, operator: replace, value: VALUE}]}
`

// overridesAreHeld: a changed OverridePolicy is a revision, which goes out in stages and is taken back with the policy unchanged.
func overridesAreHeld(t *testing.T) {
	g := NewWithT(t)
	f := &federation{t: t, namespace: "overrides", kind: "Deployment", assigned: map[string]int64{"member1": 3, "member2": 3}}
	c := controller()
	namespace(t, f.namespace)
	policy := func(registry string) {
		object := parse(t, strings.NewReplacer("NAMESPACE", f.namespace, "VALUE", registry).Replace(overridden))
		g.Expect(admin.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("platform"),
			client.ForceOwnership)).To(Succeed())
	}
	policy("one.example")
	first := f.start(c, strings.Replace(deploymentRelease, "  stages:", "  overrides: Hold\n  stages:", 1))
	images := func() string {
		return f.image("member1") + " " + f.image("member2")
	}
	g.Expect(images()).To(Equal("one.example/web:v1 one.example/web:v1"))

	// Karmada renders the changed policy at once, and nothing of it is dispatched: also not while everything is open, and the controller has
	// not seen it.
	policy("two.example")
	for _, cluster := range []string{"member1", "member2"} {
		g.Expect(f.sync(cluster)).To(Succeed())
	}
	g.Expect(images()).To(Equal("one.example/web:v1 one.example/web:v1"))
	second := f.turn(c)
	g.Expect(second.Status.Revision).NotTo(Equal(first.Status.Revision))
	g.Expect(images()).To(Equal("two.example/web:v1 one.example/web:v1"), "%+v", second.Status)
	g.Expect(reason(second, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonAwaitingApproval))

	// Scaling goes on, and a Work that is made anew has the overrides its revision had.
	f.assigned["member2"] = 5
	g.Expect(admin.Delete(t.Context(), f.work("member2"))).To(Succeed())
	g.Expect(f.sync("member2")).To(Succeed())
	g.Expect(f.dispatched("member2")).To(HavePrefix("v1 of 5"), "replicas are never held")
	g.Expect(images()).To(Equal("two.example/web:v1 one.example/web:v1"))

	// Taken back: nobody writes the policy.
	f.edit(c, func(s *v1alpha1.ReleaseSpec) { s.Rejected = []string{second.Status.Revision} })
	g.Expect(images()).To(Equal("one.example/web:v1 one.example/web:v1"))
	f.edit(c, func(s *v1alpha1.ReleaseSpec) { s.Rejected = nil })
	done := f.edit(c, func(s *v1alpha1.ReleaseSpec) { s.Promoted = second.Status.Revision })
	g.Expect(images()).To(Equal("two.example/web:v1 two.example/web:v1"))
	g.Expect(reason(done, v1alpha1.ConditionProgressing)).To(Equal(v1alpha1.ReasonComplete), "%+v", done.Status)

	// Deleted, it is a revision too.
	gone := parse(t, strings.NewReplacer("NAMESPACE", f.namespace, "VALUE", "x").Replace(overridden))
	g.Expect(admin.Delete(t.Context(), gone)).To(Succeed())
	f.turn(c)
	g.Expect(images()).To(Equal("registry.example/web:v1 two.example/web:v1"))

	// Without the admission of Works the API server itself refuses what nobody looked at.
	dispatching := parse(t,
		"apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingWebhookConfiguration\nmetadata: {name: argosy-dispatch}\n")
	g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(dispatching), dispatching)).To(Succeed())
	g.Expect(admin.Delete(t.Context(), dispatching.DeepCopy())).To(Succeed())
	g.Eventually(func() error { return f.sync("member1") }, machine.Patience, 200*time.Millisecond).
		Should(MatchError(ContainSubstring("the overrides of this application are held")))
	dispatching.SetResourceVersion("")
	dispatching.SetUID("")
	g.Expect(admin.Create(t.Context(), dispatching)).To(Succeed())
	g.Eventually(func() error { return f.sync("member1") }, machine.Patience, 200*time.Millisecond).Should(Succeed())
}
