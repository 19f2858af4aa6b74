package fedhpa

import (
	"testing"

	karmadaautoscaling "github.com/karmada-io/karmada/pkg/apis/autoscaling/v1alpha1"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/test/fedhpaplane"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// TestWithoutFederatedHPA: a control plane without Karmada's own autoscaler is served like any other, and one that gets it later finds
// its objects watched, with no restart in between.
func TestWithoutFederatedHPA(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	p, err := fedhpaplane.New(t.Context(), "member1", "member2")
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(p.Close)
	kind := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "federatedhpas.autoscaling.karmada.io"}}
	g.Expect(p.Client.Get(t.Context(), client.ObjectKeyFromObject(kind), kind)).To(Succeed())
	g.Expect(p.Client.Delete(t.Context(), kind)).To(Succeed())
	g.Eventually(func() bool {
		err := p.Client.List(t.Context(), &karmadaautoscaling.FederatedHPAList{})
		return apierrors.IsNotFound(err) || meta.IsNoMatchError(err)
	}, machine.Patience).Should(BeTrue(), "the kind is no longer served")

	stop, err := p.Run()
	g.Expect(err).NotTo(HaveOccurred(), "an optional kind that is absent ends nobody")
	s := storyIn(t, p, "absent")
	s.active()
	// The webhooks ask the API server itself.
	owner, err := autoscalers.Find(t.Context(), p.Client, s.app.Namespace, s.app.FedHPA(1, 2).Spec.ScaleTargetRef)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(owner.Kind).To(Equal("FedHPA"))

	kind.ResourceVersion, kind.UID = "", ""
	g.Expect(p.Client.Create(t.Context(), kind)).To(Succeed())
	rival := &karmadaautoscaling.FederatedHPA{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: "rival"},
		Spec:       karmadaautoscaling.FederatedHPASpec{ScaleTargetRef: s.app.FedHPA(1, 2).Spec.ScaleTargetRef, MaxReplicas: 3},
	}
	g.Eventually(func() error { return p.Client.Create(t.Context(), rival) }, machine.Patience).Should(Succeed())
	g.Eventually(s.ready, noticed).Should(Equal("False "+api.FedHPAReasonSecondAutoscaler), "the rival is seen though its kind came late")
	g.Expect(p.Client.Delete(t.Context(), rival)).To(Succeed())
	g.Eventually(s.ready, noticed).Should(Equal("True "+api.FedHPAReasonActive), "and so is its end")

	g.Expect(p.Client.Create(t.Context(), fixture.ScaledObjectKind())).To(Succeed())
	scaled := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"scaleTargetRef": map[string]any{"name": s.app.Name}}}}
	scaled.SetGroupVersionKind(autoscalers.ScaledObject)
	scaled.SetNamespace(s.app.Namespace)
	scaled.SetName("queue")
	g.Eventually(func() error { return p.Client.Create(t.Context(), scaled) }, machine.Patience).Should(Succeed())
	g.Eventually(s.ready, noticed).Should(Equal("False "+api.FedHPAReasonSecondAutoscaler),
		"so is a ScaledObject of KEDA's, which aims at a Deployment without saying so")
	g.Expect(p.Client.Delete(t.Context(), scaled)).To(Succeed())
	g.Eventually(s.ready, noticed).Should(Equal("True "+api.FedHPAReasonActive), "and its end")
	g.Expect(stop()).To(Succeed())
}
