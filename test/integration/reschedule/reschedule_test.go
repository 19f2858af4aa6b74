package reschedule

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/onsi/gomega"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/test/nemesis/transport"
)

// moved is where the two that wait go.
var moved = map[string]int32{"member1": 3, "member2": 6}

// asGiven is what the scheduler gave.
var asGiven = map[string]int32{"member1": 5, "member2": 4}

func (w *world) division() map[string]int32 {
	return w.book("web")
}

// TestMoves: exactly what waits moves, in one write, and it is said on the binding and on the template.
func TestMoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.application("web")
	w.lead(planeConfig, nil)
	w.Eventually(w.division).Should(gomega.Equal(moved))
	b := w.binding("web")
	w.Expect(plane.Get(w.ctx, client.ObjectKeyFromObject(b), b)).To(gomega.Succeed())
	w.Expect(b.Annotations[mark.RescheduleMoved]).To(gomega.HaveSuffix("cooldown=60s member1>member2=2"))
	words := "moved 2 of 5 replicas from member1, where pods found no node (0/4 nodes are available: Insufficient cpu): " +
		"2 to member2, which had room for 7"
	w.Eventually(func() string { return w.said("ResourceBinding", "web-cloneset")["Moved"] }).Should(gomega.Equal(words))
	w.Eventually(func() string { return w.said("CloneSet", "web")["Moved"] }).Should(gomega.Equal(words))
}

// TestEachWriteGoesWrong: whatever happens to the write, and to a process that is killed at it, the book keeps its sum and exactly two
// replicas move.
func TestEachWriteGoesWrong(t *testing.T) {
	t.Parallel()
	transport.Sweep{Least: 1}.EachWrite(t, func(t *testing.T, wrap func(*rest.Config) *rest.Config) {
		w := newWorld(t)
		w.application("web")
		kill := w.lead(wrap(planeConfig), nil)
		w.Eventually(w.division).Should(gomega.Equal(moved))
		kill()
		w.observe("web")
		// The next process finds the memory: the pods that wait still, since nobody plays the members, do not move again.
		w.lead(planeConfig, nil)
		w.Eventually(func() string { return w.said("ResourceBinding", "web-cloneset")["PodsStay"] }).ShouldNot(gomega.BeEmpty())
		w.Expect(w.division()).To(gomega.Equal(moved))
	})
}

// TestBetweenLookAndWrite: whoever writes the binding between the look and the write is not overwritten, and the book is whole always.
func TestBetweenLookAndWrite(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		edit func(*workv1alpha2.ResourceBinding)
		want map[string]int32
	}{
		"the template is scaled": {func(b *workv1alpha2.ResourceBinding) { b.Spec.Replicas, b.Spec.Clusters[1].Replicas = 10, 5 },
			map[string]int32{"member1": 5, "member2": 5}},
		"a taint evicts": {func(b *workv1alpha2.ResourceBinding) {
			b.Spec.Replicas, b.Spec.Clusters = 5, b.Spec.Clusters[:1]
			b.Spec.GracefulEvictionTasks = []workv1alpha2.GracefulEvictionTask{{FromCluster: "member2", Reason: "TaintUntolerated",
				Producer: "TaintManager"}}
		}, map[string]int32{"member1": 5}},
		"a WorkloadRebalancer": {func(b *workv1alpha2.ResourceBinding) { b.Spec.RescheduleTriggeredAt = ptr.To(metav1.Now()) }, asGiven},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.application("web")
			var once sync.Once
			w.lead(planeConfig, &interceptor.Funcs{Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch,
				options ...client.PatchOption) error {
				if _, ok := o.(*workv1alpha2.ResourceBinding); ok {
					once.Do(func() { change(w, w.binding("web"), tc.edit) })
				}
				return c.Patch(ctx, o, p, options...)
			}})
			w.Eventually(func() string {
				return w.said("ResourceBinding", "web-cloneset")["Unsettled"] +
					w.said("ResourceBinding", "web-cloneset")["Evicting"]
			}).ShouldNot(gomega.BeEmpty())
			w.Expect(w.division()).To(gomega.Equal(tc.want))
		})
	}
}

// TestTwoWantOneRoom: two workloads that wait for the same two places get them once.
func TestTwoWantOneRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.room.free["member2"] = 2
	w.application("web")
	w.application("shop")
	w.lead(planeConfig, nil)
	given := func() int32 {
		return w.book("web")["member2"] + w.book("shop")["member2"] - 8
	}
	w.Eventually(func() string { return w.later("web-cloneset")["NoRoom"] + w.later("shop-cloneset")["NoRoom"] }).
		Should(gomega.ContainSubstring("2 of 5 replicas wait in member1"))
	w.Expect(given()).To(gomega.BeEquivalentTo(2))
}

// TestStays: what keeps a replica where it is, and that it is said.
func TestStays(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before     func(*world)
		wantReason string
	}{
		"the template opts out": {func(w *world) {
			change(w, w.cloneSet("web", 9), func(o *kruisev1alpha1.CloneSet) { o.Annotations = map[string]string{mark.RescheduleDisabled: "true"} })
		}, "Disabled"},
		"a FedHPA": {func(w *world) {
			fed := &autoscalingv1alpha1.FedHPA{ObjectMeta: w.meta("web")}
			ref := &fed.Spec.ScaleTargetRef
			ref.APIVersion, ref.Kind, ref.Name = "apps.kruise.io/v1alpha1", "CloneSet", "web"
			fed.Spec.MaxReplicas = 20
			w.create(plane, fed)
		}, "ReplicasOwned"},
		"a full federation": {func(w *world) { w.room.free["member2"] = 0 }, "NoRoom"},
		"room unknown":      {func(w *world) { w.room.free = nil }, "RoomUnknown"},
		"a silent receiver": {func(w *world) { w.silent = "member2" }, "NoRoom"},
		"a rollout": {func(w *world) {
			in := w.cloneSet("web", 5)
			w.Expect(members["member1"].Get(w.ctx, client.ObjectKeyFromObject(in), in)).To(gomega.Succeed())
			in.Status.UpdatedReplicas = 3
			w.Expect(members["member1"].Status().Update(w.ctx, in)).To(gomega.Succeed())
		}, "PodsStay"},
		"an autoscaler of nodes": {func(w *world) {
			pod := &corev1.Pod{ObjectMeta: w.meta("web-4")}
			w.Expect(members["member1"].Get(w.ctx, client.ObjectKeyFromObject(pod), pod)).To(gomega.Succeed())
			w.create(members["member1"], &corev1.Event{ObjectMeta: w.meta("scale-up"), Reason: "TriggeredScaleUp",
				InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
				LastTimestamp:  metav1.NewTime(w.clock.Now())})
		}, "PodsStay"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.application("web")
			tc.before(w)
			w.lead(planeConfig, nil)
			w.Eventually(func() map[string]string { return w.later("web-cloneset") }).Should(gomega.HaveKey(tc.wantReason))
			w.Expect(w.division()).To(gomega.Equal(asGiven))
		})
	}
}

// TestQuotaInAMember: of two replicas that do not run in member1 one finds no node, and the pod of the other was never made, for a quota
// refuses it. The first moves; member2's quota refuses it too, so it goes back, and no pod that runs is touched.
func TestQuotaInAMember(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.application("web")
	never := &corev1.Pod{ObjectMeta: w.meta("web-4")}
	w.Expect(members["member1"].Delete(w.ctx, never, client.GracePeriodSeconds(0))).To(gomega.Succeed())
	w.lead(planeConfig, nil)
	w.Eventually(w.division).Should(gomega.Equal(map[string]int32{"member1": 4, "member2": 5}))
	w.Eventually(func() string { return w.said("CloneSet", "web")["Moved"] }).Should(gomega.HavePrefix("moved 1 of 5 replicas from member1"))
	// Karmada sends both numbers; member1 removes the pod that waits, and in member2 none is made.
	w.Expect(members["member1"].Delete(w.ctx, &corev1.Pod{ObjectMeta: w.meta("web-3")}, client.GracePeriodSeconds(0))).To(gomega.Succeed())
	for member, replicas := range map[string]int32{"member1": 4, "member2": 5} {
		in := w.cloneSet("web", replicas)
		w.Expect(members[member].Patch(w.ctx, in.DeepCopy(), client.RawPatch(types.MergePatchType,
			fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)))).To(gomega.Succeed())
		w.Expect(members[member].Get(w.ctx, client.ObjectKeyFromObject(in), in)).To(gomega.Succeed())
		in.Status.ObservedGeneration = in.Generation
		w.Expect(members[member].Status().Update(w.ctx, in)).To(gomega.Succeed())
	}
	w.observe("web")
	w.Eventually(func() map[string]int32 { w.later("web-cloneset"); return w.division() }).Should(gomega.Equal(asGiven), "it went back")
	w.Eventually(func() string { return w.said("CloneSet", "web")["PutBack"] }).Should(
		gomega.HavePrefix("put back 1 of member2 to member1: their pods were not made there, by a quota or an admission"))
}

// TestOneAnswerIsNotEnough: an estimator that had no time to read the template answers carefully. That is asked again, and is not said to
// be a full federation.
func TestOneAnswerIsNotEnough(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.room.careful = 1
	w.application("web")
	w.lead(planeConfig, nil)
	w.Eventually(w.room.questions).Should(gomega.Equal(1))
	w.Expect(w.division()).To(gomega.Equal(asGiven))
	w.Eventually(func() map[string]int32 { w.later("web-cloneset"); return w.division() }).Should(gomega.Equal(moved))
	w.Expect(w.said("ResourceBinding", "web-cloneset")).NotTo(gomega.HaveKey("NoRoom"))
	w.Expect(w.room.questions()).To(gomega.Equal(2))
}

// TestBesideDescheduler: while karmada-descheduler's Lease is fresh nothing moves; once it is stale, it does.
func TestBesideDescheduler(t *testing.T) {
	w := newWorld(t)
	w.application("web")
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "karmada-system"}}
	if err := plane.Create(w.ctx, space); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: space.Name, Name: "karmada-descheduler"},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: ptr.To("host-1"), LeaseDurationSeconds: ptr.To[int32](15),
			RenewTime: ptr.To(metav1.NewMicroTime(w.clock.Now()))}}
	w.create(plane, lease)
	t.Cleanup(func() { _ = plane.Delete(context.WithoutCancel(w.ctx), lease) }) // the server ends with the package
	kill := w.lead(planeConfig, nil)
	w.Eventually(func() string { return w.said("ResourceBinding", "web-cloneset")["Descheduler"] }).Should(gomega.ContainSubstring("host-1"))
	w.Expect(w.division()).To(gomega.Equal(asGiven))
	kill()
	w.clock.Step(time.Minute)
	w.lead(planeConfig, nil)
	w.Eventually(w.division).Should(gomega.Equal(moved))
}

// TestAnotherCluster: where no cluster of the binding has room, one that it has not is taken only if Karmada's scheduler leaves all others
// what they have.
func TestAnotherCluster(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		free       map[string]int32
		most       int
		want       map[string]int32
		wantReason string
	}{
		"it has room":           {map[string]int32{"member2": 7}, 0, map[string]int32{"member1": 3, "member2": 2}, "Moved"},
		"it has room for one":   {map[string]int32{"member2": 1}, 0, map[string]int32{"member1": 4, "member2": 1}, "Moved"},
		"one cluster at most":   {map[string]int32{"member2": 7}, 1, map[string]int32{"member1": 5}, "WouldMoveMore"},
		"it has no room either": {map[string]int32{"member2": 0}, 0, map[string]int32{"member1": 5}, "NoRoom"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.room.free = tc.free
			w.application("web")
			change(w, w.binding("web"), func(b *workv1alpha2.ResourceBinding) {
				b.Spec.Replicas, b.Spec.Clusters = 5, b.Spec.Clusters[:1]
				if tc.most > 0 {
					b.Spec.Placement.SpreadConstraints = []policyv1alpha1.SpreadConstraint{{
						SpreadByField: policyv1alpha1.SpreadByFieldCluster, MinGroups: 1, MaxGroups: tc.most,
					}}
				}
			})
			w.observe("web")
			w.lead(planeConfig, nil)
			w.Eventually(func() map[string]string { return w.later("web-cloneset") }).Should(gomega.HaveKey(tc.wantReason))
			w.Expect(w.division()).To(gomega.Equal(tc.want))
		})
	}
}
