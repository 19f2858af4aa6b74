package scalein

import (
	"context"
	"sync"
	"testing"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/onsi/gomega"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/test/lab"
)

// repository is the root of the clone.
const repository = "../../.."

// scaledInByHand makes member1 hold one replica, with members that own theirs or not, and the wish to adopt that.
func (w *world) scaledInByHand(retain, wish string) {
	w.t.Helper()
	in := w.cloneSet(0)
	w.get(member, in)
	*in.Spec.Replicas = 1
	w.Expect(member.Update(w.ctx, in)).To(gomega.Succeed())
	for _, name := range []string{"web-0", "web-2"} {
		w.Expect(member.Delete(w.ctx, &corev1.Pod{ObjectMeta: w.meta(name)}, client.GracePeriodSeconds(0))).To(gomega.Succeed())
	}
	// member2 of the world answers nobody; here it is no part.
	change(w, w.binding(), func(b *workv1alpha2.ResourceBinding) {
		b.Spec.Replicas, b.Spec.Clusters = 3, []workv1alpha2.TargetCluster{{Name: "member1", Replicas: 3}}
	})
	w.observe()
	change(w, w.cloneSet(0), func(c *kruisev1alpha1.CloneSet) {
		*c.Spec.Replicas = 3
		c.Labels = map[string]string{mark.RetainReplicas: retain}
		c.Annotations = map[string]string{v1alpha1.ScaleInAdoptAnnotation: wish}
	})
}

// adopted is what template and binding say, and the annotations left on them.
func (w *world) adopted() (template, binding int32, annotations int) {
	t, b := w.cloneSet(0), w.binding()
	w.get(plane, t)
	w.get(plane, b)
	return *t.Spec.Replicas, b.Spec.Clusters[0].Replicas, len(t.Annotations) + len(b.Annotations)
}

// expectAdopted plays Karmada until the books say one replica and nothing is left on them but the given annotations.
func (w *world) expectAdopted(left int) {
	w.t.Helper()
	w.Eventually(func() []int32 {
		w.karmadaWithoutMember()
		template, binding, annotations := w.adopted()
		return []int32{template, binding, int32(annotations)}
	}).Should(gomega.Equal([]int32{1, 1, int32(left)}))
	b := w.binding()
	w.get(plane, b)
	w.Expect(b.Spec.SchedulingSuspended()).To(gomega.BeFalse())
}

func TestAdoptOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scaledInByHand("true", v1alpha1.AdoptOnce)
	w.lead(nil)
	w.expectAdopted(0)
	w.Eventually(func() []string { return w.told(v1alpha1.ReasonAdopted) }).Should(gomega.Equal([]string{"member1 3 -> 1"}))
}

func TestAdoptAlways(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scaledInByHand("true", v1alpha1.AdoptAlways)
	w.lead(nil)
	w.expectAdopted(1)
}

func TestAdoptionNotPossible(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scaledInByHand("false", v1alpha1.AdoptOnce)
	w.lead(nil)
	w.Eventually(func() int { _, _, annotations := w.adopted(); return annotations }).Should(gomega.Equal(0), "a wish once refused is over")
	template, binding, _ := w.adopted()
	w.Expect([]int32{template, binding}).To(gomega.Equal([]int32{3, 3}))
	w.Eventually(func() []string { return w.told(v1alpha1.ReasonAdoptionNotWritten) }).
		Should(gomega.ConsistOf(gomega.ContainSubstring("the control plane owns the replicas (no label " + mark.RetainReplicas + "=true)")))
}

func TestNothingToAdopt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scaledInByHand("true", "")
	change(w, w.binding(), func(b *workv1alpha2.ResourceBinding) { b.Spec.Replicas, b.Spec.Clusters[0].Replicas = 1, 1 })
	w.observe()
	change(w, w.cloneSet(0), func(c *kruisev1alpha1.CloneSet) {
		*c.Spec.Replicas = 1
		c.Annotations = map[string]string{v1alpha1.ScaleInAdoptAnnotation: v1alpha1.AdoptOnce}
	})
	w.lead(nil)
	w.Eventually(func() int { return len(w.told(v1alpha1.ReasonNothingToAdopt)) }).Should(gomega.Equal(1))
	w.expectAdopted(0)
}

// TestTheWishIsTakenBackWhileNobodyIsThere: the controller dies with the scheduler held; until another comes, somebody
// removes the annotation. What was begun is ended all the same.
func TestTheWishIsTakenBackWhileNobodyIsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scaledInByHand("true", v1alpha1.AdoptAlways)
	died := make(chan struct{})
	// A controller that is told to end may come here once more.
	die := sync.OnceFunc(func() { close(died) })
	kill := w.lead(eachWrite(func(ctx context.Context, _ string, o client.Object, write func() error) error {
		_, binding := o.(*workv1alpha2.ResourceBinding)
		err := write()
		if binding {
			die()
			<-ctx.Done()
			return ctx.Err()
		}
		return err
	}))
	w.Eventually(died).Should(gomega.BeClosed())
	kill()
	b := w.binding()
	w.get(plane, b)
	w.Expect(b.Spec.SchedulingSuspended()).To(gomega.BeTrue(), "the scheduler is not held: the test no longer tests")
	change(w, w.cloneSet(0), func(c *kruisev1alpha1.CloneSet) { delete(c.Annotations, v1alpha1.ScaleInAdoptAnnotation) })
	w.lead(nil)
	w.expectAdopted(0)
}

// TestOpenKruiseComesLater: without its CRDs the controller runs, an order is refused with what to do, and as soon as they are
// installed what asks to be adopted is.
func TestOpenKruiseComesLater(t *testing.T) {
	t.Parallel()
	server := lab.StartAPIServer(t, lab.APIServerOptions{CRDs: []lab.CRDs{lab.KarmadaCRDs(), lab.ArgosyCRDs()}})
	api, err := client.New(server.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	if err := api.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}); err != nil {
		t.Fatal(err)
	}
	w.leadOf(server.Config, nil)

	order := w.order("order", "web-0")
	order.Spec.TargetRef.APIVersion, order.Spec.TargetRef.Kind = "apps.kruise.io/v1alpha1", "CloneSet"
	answer := w.ask(api, admissionv1.Create, order)
	w.Expect(answer.Allowed).To(gomega.BeFalse())
	w.Expect(answer.Result.Message).
		To(gomega.And(gomega.ContainSubstring("spec.targetRef.apiVersion"), gomega.ContainSubstring("install OpenKruise's CRDs there")))
	w.create(api, order)
	w.Eventually(func() string { w.get(api, order); return string(order.Status.Phase) }).Should(gomega.Equal(string(v1alpha1.PhaseRefused)))
	w.Expect(order.Status.Conditions).To(gomega.ContainElement(gomega.HaveField("Reason", v1alpha1.ReasonTargetKindUnknown)))

	w.Expect(lab.InstallCRDs(t.Context(), server.Config, repository, lab.KruiseCRDs())).To(gomega.Succeed())
	set := w.cloneSet(3)
	set.Annotations = map[string]string{v1alpha1.ScaleInAdoptAnnotation: v1alpha1.AdoptOnce}
	w.Eventually(func() error {
		err := api.Create(w.ctx, set)
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	}).Should(gomega.Succeed())
	w.Eventually(func() map[string]string {
		w.clock.SetTime(w.clock.Now().Add(time.Minute))
		w.get(api, set)
		return set.Annotations
	}).Should(gomega.BeEmpty(), "nobody looks at CloneSets")
}
