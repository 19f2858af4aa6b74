package fedhpa

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	migration "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// marked sets or takes off the mark of a workload that is cut off, as a migration does.
func (s story) marked(value any) {
	s.t.Helper()
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: s.app.Name}}
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:null}}}`, migration.AnnotationCutOff)
	if value != nil {
		patch = fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, migration.AnnotationCutOff, value)
	}
	s.g.Expect(s.plane.Client.Patch(s.t.Context(), d, client.RawPatch(types.MergePatchType, patch))).To(Succeed())
}

// TestCutOff: a rollback stops the dispatching of members' autoscalers, and no book moves. Adopted again they are sent anew; deleted while
// cut off, the FedHPA goes and its Works with it, without Karmada having any part in it.
func TestCutOff(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.active()
	s.marked("deployment-web")
	withheld := func(want bool) {
		t.Helper()
		for _, cluster := range []string{"member1", "member2"} {
			s.g.Eventually(func() (bool, error) {
				work, err := s.plane.AutoscalerWork(t.Context(), s.app, cluster)
				if err != nil {
					return !want, err
				}
				return ptr.Deref(work.Spec.SuspendDispatching, false), nil
			}, machine.Patience).Should(Equal(want), cluster)
		}
	}
	// A member that moves is seen, and not followed.
	s.g.Expect(s.plane.Report(t.Context(), s.app, "member1", 4)).To(Succeed())
	s.g.Eventually(s.ready, noticed).Should(Equal("False " + api.FedHPAReasonCutOff))
	withheld(true)
	s.g.Expect(s.books()).To(Equal("member1=3 member2=2 of 5, template 5"))

	s.marked(nil)
	s.g.Expect(s.plane.Report(t.Context(), s.app, "member1", 3)).To(Succeed())
	s.takenOver()
	withheld(false)

	s.marked("deployment-web")
	s.g.Expect(s.plane.Client.Delete(t.Context(), s.app.FedHPA(2, 20))).To(Succeed())
	s.g.Eventually(func() bool {
		return apierrors.IsNotFound(s.plane.Client.Get(t.Context(), s.key(), &api.FedHPA{}))
	}, machine.Patience).Should(BeTrue(), "the FedHPA is let go")
	for _, cluster := range []string{"member1", "member2"} {
		s.g.Eventually(func() bool {
			_, err := s.plane.AutoscalerWork(t.Context(), s.app, cluster)
			return apierrors.IsNotFound(err)
		}, machine.Patience).Should(BeTrue(), "no Work is left that anybody has to let go")
	}
	s.g.Expect(s.books()).To(Equal("member1=3 member2=2 of 5, template 5"))
}
