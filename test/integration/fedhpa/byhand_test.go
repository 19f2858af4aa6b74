package fedhpa

import (
	"fmt"
	"testing"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// work of the autoscaler of one member.
func (s story) work(cluster string) *workv1alpha1.Work {
	work, err := s.plane.AutoscalerWork(s.t.Context(), s.app, cluster)
	s.g.Expect(err).NotTo(HaveOccurred())
	return work
}

// complains lets a member's autoscaler report a condition that is False beside its count.
func (s story) complains(cluster string, count int32, condition, reason string) {
	s.t.Helper()
	s.g.Eventually(func() error {
		work := s.work(cluster)
		limits, err := s.plane.Limits(work)
		if err != nil {
			return err
		}
		work.Status.ManifestStatuses[0].Status = &runtime.RawExtension{Raw: fmt.Appendf(nil,
			`{"currentReplicas":%d,"desiredReplicas":%d,"minReplicas":%d,"maxReplicas":%d,`+
				`"conditions":[{"type":%q,"status":"False","reason":%q,"message":"it cannot"}]}`,
			count, count, limits.Min, limits.Max, condition, reason)}
		return s.plane.Client.Status().Update(s.t.Context(), work)
	}, machine.Patience).Should(Succeed())
}

// TestMetricsUnread: a member's autoscaler that cannot read its metrics is said, and what runs stays in the books.
func TestMetricsUnread(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.active()
	s.complains("member1", 3, "ScalingActive", "FailedGetResourceMetric")
	s.g.Eventually(func() (string, error) { return s.condition(api.FedHPAMembersScaling) }, machine.Patience).
		Should(Equal("False " + api.FedHPAReasonMemberNotScaling))
	s.g.Expect(s.message(api.FedHPAMembersScaling)).
		To(Equal("member1: the member's autoscaler cannot scale: it cannot (FailedGetResourceMetric)"))
	s.follows("member1=3 member2=2 of 5, template 5")
}

// TestAutoscalersWorkByHand: the Work of a member's autoscaler is deleted, then loses its label. It is made as it was, and the books do not
// move.
func TestAutoscalersWorkByHand(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.active()
	gone := s.work("member1")
	s.g.Expect(s.plane.Release(t.Context(), s.app, "member1")).To(Succeed())
	s.g.Expect(s.plane.Client.Delete(t.Context(), gone)).To(Succeed())
	s.g.Eventually(func() (types.UID, error) {
		work, err := s.plane.AutoscalerWork(t.Context(), s.app, "member1")
		if err != nil {
			return gone.UID, err
		}
		limits, err := s.plane.Limits(work)
		s.g.Expect(limits.Min <= 3 && limits.Max >= 3).To(BeTrue(), "%+v would move the 3 that run", limits)
		return work.UID, err
	}, machine.Patience).ShouldNot(Equal(gone.UID))
	s.g.Expect(s.books()).To(Equal("member1=3 member2=2 of 5, template 5"))

	s.g.Expect(s.plane.Client.Patch(t.Context(), s.work("member1"), client.RawPatch(types.MergePatchType,
		fmt.Appendf(nil, `{"metadata":{"labels":{%q:null}}}`, api.FedHPAManagedLabel)))).To(Succeed())
	s.g.Eventually(func() map[string]string { return s.work("member1").Labels }, machine.Patience).
		Should(HaveKeyWithValue(api.FedHPAManagedLabel, "true"))
	s.g.Expect(s.plane.Report(t.Context(), s.app, "member1", 6)).To(Succeed())
	s.follows("member1=6 member2=2 of 8, template 8")
}

// TestTargetDeletedAndMadeAgain: the target goes while its FedHPA stays. The new one runs what it says, not what members' autoscalers
// remember of the old one.
func TestTargetDeletedAndMadeAgain(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.active()
	s.g.Expect(s.plane.Report(t.Context(), s.app, "member1", 9)).To(Succeed())
	s.follows("member1=9 member2=2 of 11, template 11")

	s.g.Expect(
		s.plane.Client.Delete(t.Context(), &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: s.app.Name}})).
		To(Succeed())
	s.g.Expect(s.plane.Client.Delete(t.Context(), s.binding())).To(Succeed())
	s.g.Eventually(s.ready, machine.Patience).Should(Equal("False " + api.FedHPAReasonTargetNotFound))
	s.g.Expect(s.condition(api.FedHPABooksAgree)).To(Equal("Unknown " + api.FedHPAReasonTargetNotFound))
	s.complains("member1", 9, "AbleToScale", "FailedGetScale")
	s.complains("member2", 2, "AbleToScale", "FailedGetScale")

	s.g.Expect(s.plane.Propagate(t.Context(), s.app)).To(Succeed())
	s.g.Eventually(s.retained, machine.Patience).Should(BeTrue())
	s.g.Eventually(s.ready, machine.Patience).Should(Equal("False "+api.FedHPAReasonMemberNotScaling),
		"as long as no member finds the new one")
	s.g.Expect(s.books()).To(Equal("member1=3 member2=2 of 5, template 5"))
	s.takenOver()
	s.follows("member1=3 member2=2 of 5, template 5")
}

// TestRivalGoes: the FedHPA begins as soon as the other autoscaler is gone.
func TestRivalGoes(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	rival := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: "other"},
		Spec:       autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: s.app.FedHPA(1, 2).Spec.ScaleTargetRef, MaxReplicas: 5},
	}
	s.g.Expect(s.plane.Client.Create(t.Context(), rival)).To(Succeed())
	s.g.Expect(s.plane.Client.Create(t.Context(), s.app.FedHPA(2, 20))).To(Succeed())
	s.g.Eventually(s.ready, machine.Patience).Should(Equal("False " + api.FedHPAReasonSecondAutoscaler))
	s.g.Expect(s.plane.Client.Delete(t.Context(), rival)).To(Succeed())
	s.g.Eventually(s.ready, noticed).ShouldNot(Equal("False "+api.FedHPAReasonSecondAutoscaler),
		"the next look without an event is two minutes away")
	s.takenOver()
}
