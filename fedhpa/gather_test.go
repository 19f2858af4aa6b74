package fedhpa

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/decide"
)

// TestNothingIsRememberedOfWhatIsGone: a target that was deleted while its FedHPA stays, and a FedHPA whose finalizer somebody took off.
func TestNothingIsRememberedOfWhatIsGone(t *testing.T) {
	g := NewWithT(t)
	fed := makeFedHPA()
	key := client.ObjectKeyFromObject(fed)
	none := fake.NewClientBuilder().Build()
	c := &Controller{
		client: none,
		gatherer: gatherer{
			targets: none, unlistable: newUnlistable(), scales: &scales{known: map[types.NamespacedName]knownScale{key: {}}}, room: &room{
				known: map[types.NamespacedName]knownRoom{key: {}},
			},
		},
		metrics: newMeasures(),
	}
	v := &view{fed: fed}
	g.Expect(c.gatherer.readTarget(t.Context(), v)).To(Succeed())
	g.Expect(v.world.Problem).To(BeNil(), "decide says that the target is gone")
	g.Expect(c.gatherer.scales.known).To(BeEmpty())

	c.gatherer.scales.known[key] = knownScale{}
	c.forget(key)
	g.Expect(c.gatherer.scales.known).To(BeEmpty())
	g.Expect(c.gatherer.room.known).To(BeEmpty())
}

// TestTargetNobodyMayList: a cache that may not list a kind never answers. It is not waited for without end, and the reason is said.
func TestTargetNobodyMayList(t *testing.T) {
	g := NewWithT(t)
	deployments := appsv1.Resource("deployments")
	waited := 0
	waiting := interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{
		Get: func(ctx context.Context, _ client.WithWatch, _ client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
			_, bounded := ctx.Deadline()
			waited++
			g.Expect(bounded).To(BeTrue(), "the controller's worker would wait for ever")
			return apierrors.NewTimeoutError("failed waiting for the informer to sync", 0)
		},
	})
	refusing := interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			return apierrors.NewForbidden(deployments, "", nil)
		},
	})
	v, twice := &view{fed: makeFedHPA()}, &gatherer{targets: waiting, live: refusing, scales: &scales{}, unlistable: newUnlistable()}
	g.Expect(twice.readTarget(t.Context(), v)).To(Succeed())
	said := v.world.Problem
	g.Expect(waited).To(Equal(1))
	g.Expect(twice.readTarget(t.Context(), v)).To(Succeed())
	g.Expect(waited).To(Equal(1), "the next look holds no worker")
	g.Expect(v.world.Problem).To(Equal(said))
	g.Expect(v.world.Problem).
		To(HaveValue(
			Equal(decide.Problem{Reason: api.FedHPAReasonTargetForbidden,
				Message: "argosy-controller-manager has no right to scale Deployment of apps/v1: " +
					"give it a ClusterRole in karmada-apiserver with get, list, watch and patch of the kind, and get and patch of its scale"})))

	// Slow is not forbidden: it is tried again.
	g.Expect((&gatherer{targets: waiting, live: fake.NewClientBuilder().Build(), scales: &scales{}, unlistable: newUnlistable()}).
		readTarget(t.Context(), &view{fed: makeFedHPA()})).To(MatchError(apierrors.IsTimeout, "a timeout"))
}

func newUnlistable() *unlistable {
	return &unlistable{clock: clocktesting.NewFakeClock(time.Unix(0, 0)), since: map[schema.GroupVersionKind]time.Time{}}
}
