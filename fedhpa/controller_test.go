package fedhpa

import (
	"context"
	"net/http"
	"testing"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	karmadautil "github.com/karmada-io/karmada/pkg/util"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/decide"
	"github.com/argosy-dev/argosy/fedhpa/split"
)

func testScheme(g Gomega) *runtime.Scheme {
	scheme := runtime.NewScheme()
	g.Expect(workv1alpha1.Install(scheme)).To(Succeed())
	g.Expect(workv1alpha2.Install(scheme)).To(Succeed())
	g.Expect(api.AddToScheme(scheme)).To(Succeed())
	return scheme
}

// TestOneRefusalStopsNoOther: a quota of Karmada's refuses the books, a policy engine one member's limits. The template waits for its
// binding, and every other member gets its limits.
func TestOneRefusalStopsNoOther(t *testing.T) {
	g := NewWithT(t)
	quota := &apierrors.StatusError{
		ErrStatus: metav1.Status{
			Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: karmadautil.QuotaExceededReason, Message: "cpu of quota",
		},
	}
	var scaled bool
	refusing := interceptor.NewClient(fake.NewClientBuilder().WithScheme(testScheme(g)).Build(), interceptor.Funcs{
		Patch: func(_ context.Context, _ client.WithWatch, o client.Object, _ client.Patch, _ ...client.PatchOption) error {
			_, binding := o.(*workv1alpha2.ResourceBinding)
			g.Expect(binding).To(BeTrue())
			return quota
		},
		SubResourcePatch: func(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
			scaled = true
			return nil
		},
		Create: func(ctx context.Context, under client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if o.GetNamespace() == "karmada-es-member1" {
				return apierrors.NewForbidden(workv1alpha1.Resource("works"), o.GetName(), nil)
			}
			return under.Create(ctx, o, opts...)
		},
	})
	c := &Controller{client: refusing, applier: applier{client: refusing}}
	v := &view{
		fed: makeFedHPA(), binding: &workv1alpha2.ResourceBinding{}, target: &metav1.PartialObjectMetadata{},
		works: map[string]*workv1alpha1.Work{},
	}
	plan := decide.Plan{Actions: []decide.Action{
		{Kind: decide.WriteBinding, Counts: decide.Counts{"member1": 9}, Total: 9},
		{Kind: decide.ScaleTemplate, Total: 9},
		{Kind: decide.SendAutoscaler, Cluster: "member1", Range: split.Range{Min: 1, Max: 9}},
		{Kind: decide.SendAutoscaler, Cluster: "member2", Range: split.Range{Min: 1, Max: 9}},
	}}
	plan.Status.Conditions = []metav1.Condition{
		{Type: api.FedHPAReady, Status: metav1.ConditionTrue}, {Type: api.FedHPABooksAgree, Status: metav1.ConditionFalse},
	}
	out := c.write(t.Context(), v, &plan)
	g.Expect(out.stopped).NotTo(HaveOccurred())
	g.Expect(out.refused).To(MatchError(ContainSubstring("cpu of quota")))
	g.Expect(scaled).To(BeFalse(), "the template waits for its binding")
	g.Expect(plan.Actions).To(HaveLen(1), "what was written: %v", plan.Actions)
	g.Expect(plan.Status.Conditions).To(HaveEach(HaveField("Reason", api.FedHPAReasonQuotaExceeded)))
	var works workv1alpha1.WorkList
	g.Expect(refusing.List(t.Context(), &works)).To(Succeed())
	g.Expect(works.Items).To(ConsistOf(HaveField("Namespace", "karmada-es-member2")))
}

// TestSweep: the autoscalers of a FedHPA that went without its finalizer are taken back, those of one that only a cache does not know are
// not.
func TestSweep(t *testing.T) {
	g := NewWithT(t)
	fed := makeFedHPA()
	key := client.ObjectKeyFromObject(fed)
	work, err := newWork("member1", fed, split.Range{Min: 1, Max: 3})
	g.Expect(err).NotTo(HaveOccurred())
	work.Finalizers = nil
	indexed := func(objects ...client.Object) client.Client {
		return fake.NewClientBuilder().WithScheme(testScheme(g)).WithObjects(objects...).
			WithIndex(&workv1alpha1.Work{}, workOwnerIndex, func(o client.Object) []string {
				return []string{o.GetAnnotations()[api.FedHPAOwnerAnnotation]}
			}).Build()
	}
	for name, live := range map[string]client.Client{"gone": indexed(work), "made anew": indexed(work, fed)} {
		c := &Controller{client: live, gatherer: gatherer{works: live, live: live}}
		g.Expect(c.sweep(t.Context(), key)).To(Succeed())
		err := live.Get(t.Context(), client.ObjectKeyFromObject(work), &workv1alpha1.Work{})
		g.Expect(apierrors.IsNotFound(err)).To(Equal(name == "gone"), name)
	}
}
