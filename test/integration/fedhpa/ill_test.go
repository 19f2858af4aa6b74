package fedhpa

import (
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"

	. "github.com/onsi/gomega"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// TestDeadAutoscaler: without metrics an autoscaler goes on saying what it asked for before. The books take what runs, and limits that are
// lowered under it leave all of that.
func TestDeadAutoscaler(t *testing.T) {
	s := newStory(t)
	s.active()
	s.g.Expect(s.plane.ReportIll(t.Context(), s.app, "member1", 9, 3)).To(Succeed())
	s.follows("member1=9 member2=2 of 11, template 11")
	s.g.Eventually(func() (string, error) { return s.condition(api.FedHPAMembersScaling) }, machine.Patience).
		Should(Equal("False " + api.FedHPAReasonMemberNotScaling))
	s.g.Eventually(s.ready, machine.Patience).Should(Equal("True "+api.FedHPAReasonActive), "one of them scales")

	var fed api.FedHPA
	s.g.Expect(s.plane.Client.Get(t.Context(), s.key(), &fed)).To(Succeed())
	before := fed.DeepCopy()
	fed.Spec.MaxReplicas = 10
	s.g.Expect(s.plane.Client.Patch(t.Context(), &fed, client.MergeFrom(before))).To(Succeed())
	s.g.Eventually(func() (int32, error) {
		work, err := s.plane.AutoscalerWork(t.Context(), s.app, "member2")
		if err != nil {
			return 0, err
		}
		r, err := s.plane.Limits(work)
		return r.Max, err
	}, machine.Patience).Should(BeEquivalentTo(1), "the other one gives way")
	work, err := s.plane.AutoscalerWork(t.Context(), s.app, "member1")
	s.g.Expect(err).NotTo(HaveOccurred())
	r, err := s.plane.Limits(work)
	s.g.Expect(err).NotTo(HaveOccurred())
	s.g.Expect(r.Max).To(BeNumerically(">=", 9))

	s.g.Expect(s.plane.ReportIll(t.Context(), s.app, "member2", 1, 2)).To(Succeed())
	s.g.Eventually(s.ready, machine.Patience).Should(Equal("False "+api.FedHPAReasonMemberNotScaling), "nobody scales")
}

// TestAnnotatedAndPropagated: an HPA that a policy brings to every member as it is, and that is annotated as well, is two autoscalers.
func TestAnnotatedAndPropagated(t *testing.T) {
	s := newStory(t)
	hpa := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: "web",
			Annotations: map[string]string{api.FederateAnnotation: "true", policyv1alpha1.PropagationPolicyNameAnnotation: "hpas"},
			Labels:      map[string]string{policyv1alpha1.PropagationPolicyPermanentIDLabel: "some-id"}},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: s.app.FedHPA(1, 2).Spec.ScaleTargetRef, MaxReplicas: 12},
	}
	s.g.Expect(s.plane.Client.Create(t.Context(), hpa)).To(Succeed())
	s.g.Eventually(s.ready, machine.Patience).Should(Equal("False " + api.FedHPAReasonSecondAutoscaler))
	s.g.Expect(s.message(api.FedHPAReady)).To(ContainSubstring("propagated by PropagationPolicy hpas as well"))
	s.g.Eventually(func() error {
		if err := s.plane.Client.Get(t.Context(), s.key(), hpa); err != nil {
			return err
		}
		before := hpa.DeepCopy()
		delete(hpa.Labels, policyv1alpha1.PropagationPolicyPermanentIDLabel)
		return s.plane.Client.Patch(t.Context(), hpa, client.MergeFrom(before))
	}, machine.Patience).Should(Succeed())
	s.g.Eventually(s.ready, noticed).Should(Equal("False "+api.FedHPAReasonTakingOver), "out of the policy it is one")
}

// TestPolicyDeletedWhileTakingOver: nothing brings the label into members any more, and that is said.
func TestPolicyDeletedWhileTakingOver(t *testing.T) {
	s := newStory(t)
	s.g.Expect(s.plane.Client.Create(t.Context(), s.app.FedHPA(2, 20))).To(Succeed())
	s.g.Eventually(s.retained, machine.Patience).Should(BeTrue())
	s.g.Eventually(func() error {
		b := s.binding()
		b.Labels = nil
		return s.plane.Client.Update(t.Context(), b)
	}, machine.Patience).Should(Succeed())
	s.g.Eventually(s.ready, noticed).Should(Equal("False " + api.FedHPAReasonNotPropagated))
}
