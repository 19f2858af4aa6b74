package release

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// registrations of what argosy-webhook answers in a release.
const registrations = `
apiVersion: admissionregistration.k8s.io/v1
kind: KIND
metadata: {name: NAME}
`

// nobodyRegistered: while no webhook of ours is registered the API server itself lets nobody open what is held, by marks that are taken
// off, left as they were, or brought from another time. Once they are registered again all goes on.
func nobodyRegistered(t *testing.T) {
	g := NewWithT(t)
	f := &federation{t: t, namespace: "unregistered", kind: "Deployment", assigned: map[string]int64{"member1": 2, "member2": 2}}
	c := controller()
	f.start(c, deploymentRelease)
	nothingHeld(t, f)
	backup := f.template()
	g.Expect(f.push("v2")).To(Succeed())
	held := f.turn(c)
	f.edit(c, func(s *v1alpha1.ReleaseSpec) { s.Promoted = held.Status.Revision })
	g.Expect(f.push("v3")).To(Succeed())
	held = f.turn(c)
	g.Expect(images(f)).To(Equal("v3 v2"))

	again := unregister(t)
	refused := func(write func() error, words string) {
		t.Helper()
		g.Eventually(write, machine.Patience, 200*time.Millisecond).Should(MatchError(ContainSubstring(words)))
	}
	update := func(change func(object client.Object)) func() error {
		return func() error {
			object := f.template()
			change(object)
			return admin.Update(t.Context(), object)
		}
	}
	refused(update(func(o client.Object) { o.SetLabels(nil); o.SetAnnotations(nil) }), "the marks of its Release stay")
	refused(update(func(o client.Object) { o.SetLabels(map[string]string{v1alpha1.LabelStaged: "other"}) }), "the marks of its Release stay")
	refused(func() error { return f.push("v4") }, "nobody would hold it")
	refused(func() error {
		object := backup.DeepCopy()
		object.SetResourceVersion(f.template().GetResourceVersion())
		return admin.Update(t.Context(), object)
	}, "are of another time")
	// What Karmada writes of it is refused where it is not open, and goes on where it is.
	refused(func() error { return f.sync("member2") }, "is not open for member2")
	g.Expect(f.sync("member1")).To(Succeed())
	g.Expect(images(f)).To(Equal("v3 v2"))
	// An owner's labels, and a scaling, are nobody's matter.
	g.Expect(update(func(o client.Object) {
		labels := o.GetLabels()
		labels["team"] = "shop"
		o.SetLabels(labels)
	})()).To(Succeed())

	again()
	g.Eventually(func() error { return f.sync("member2") }, machine.Patience, 200*time.Millisecond).Should(Succeed())
	g.Expect(images(f)).To(Equal("v3 v2"))

	// Deleted and put back it holds nothing; it goes when the last Work says so, for without marks no other would be let through.
	g.Expect(admin.Delete(t.Context(), held)).To(Succeed())
	f.turn(c)
	g.Eventually(func() error { return f.push("v2") }, machine.Patience, 200*time.Millisecond).Should(Succeed())
	look := func() {
		t.Helper()
		_, err := c.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(held)})
		g.Expect(err).NotTo(HaveOccurred())
	}
	for range 3 {
		look()
	}
	g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(held), held)).To(Succeed(), "member1 has marks of when it was open")
	g.Expect(f.sync("member1")).To(Succeed())
	look()
	g.Expect(apierrors.IsNotFound(admin.Get(t.Context(), client.ObjectKeyFromObject(held), held))).To(BeTrue(), "%+v", held.Status)
	g.Expect(f.template().GetLabels()).NotTo(HaveKey(v1alpha1.LabelStaged))
	for _, cluster := range []string{"member1", "member2"} {
		g.Expect(f.sync(cluster)).To(Succeed(), "Karmada's writes go on without marks")
	}
	g.Expect(f.push("v5")).To(Succeed())
	for _, cluster := range []string{"member1", "member2"} {
		g.Expect(f.sync(cluster)).To(Succeed())
	}
	g.Expect(images(f)).To(Equal("v5 v5"))
}

// nothingHeld: a template whose marks say that all is open keeps them too while no webhook of ours is registered. Without them the next
// push would be in every cluster at once.
func nothingHeld(t *testing.T, f *federation) {
	t.Helper()
	g := NewWithT(t)
	again := unregister(t)
	replaced := func(change func(object *unstructured.Unstructured)) func() error {
		return func() error {
			object := f.template()
			object.SetLabels(nil)
			object.SetAnnotations(nil)
			change(object)
			return admin.Update(t.Context(), object)
		}
	}
	refused := func(write func() error) {
		t.Helper()
		g.Eventually(write, machine.Patience, 200*time.Millisecond).Should(MatchError(ContainSubstring("the marks of its Release stay")))
	}
	refused(replaced(func(*unstructured.Unstructured) {}))
	refused(replaced(func(o *unstructured.Unstructured) {
		g.Expect(unstructured.SetNestedField(o.Object, int64(15), "spec", "progressDeadlineSeconds")).To(Succeed())
	}))
	for _, cluster := range []string{"member1", "member2"} {
		g.Expect(f.sync(cluster)).To(Succeed(), "Karmada's writes go on")
	}
	again()
	// Registered, they are put back.
	g.Eventually(replaced(func(*unstructured.Unstructured) {}), machine.Patience, 200*time.Millisecond).Should(Succeed())
	g.Expect(f.template().GetLabels()).To(HaveKeyWithValue(v1alpha1.LabelStaged, "web"))
}

// unregister the webhooks of releases, and answer with what registers them again.
func unregister(t *testing.T) (again func()) {
	t.Helper()
	g := NewWithT(t)
	var were []client.Object
	for _, of := range [][2]string{
		{"MutatingWebhookConfiguration", "argosy-dispatch"}, {"MutatingWebhookConfiguration", "argosy-release-templates"},
		{"ValidatingWebhookConfiguration", "argosy-release-templates"},
	} {
		object := parse(t, strings.NewReplacer("KIND", of[0], "NAME", of[1]).Replace(registrations))
		g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(object), object)).To(Succeed())
		were = append(were, object.DeepCopy())
		g.Expect(admin.Delete(t.Context(), object)).To(Succeed())
	}
	return func() {
		t.Helper()
		for _, object := range were {
			object.SetResourceVersion("")
			object.SetUID("")
			g.Expect(client.IgnoreAlreadyExists(admin.Create(t.Context(), object))).To(Succeed())
		}
	}
}
