package scalein

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

// eachWrite lets judge see every write of a controller before it reaches the server; write carries it out.
func eachWrite(judge func(ctx context.Context, what string, o client.Object, write func() error) error) *interceptor.Funcs {
	return &interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			return judge(ctx, "object", o, func() error { return c.Patch(ctx, o, p, opts...) })
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch,
			opts ...client.SubResourcePatchOption) error {
			return judge(ctx, sub, o, func() error { return c.SubResource(sub).Patch(ctx, o, p, opts...) })
		},
	}
}

// expectCarriedOut plays Karmada until the order has ended, and compares every book with what was ordered: pods web-0 and
// web-2 of member1.
func (w *world) expectCarriedOut() {
	w.t.Helper()
	w.Eventually(func() string {
		w.karmada()
		phase, _, _ := w.complete()
		return phase
	}).Should(gomega.Equal(string(v1alpha1.PhaseSucceeded)))
	w.expectBooks(3, 1, "web-1")
	order := &v1alpha1.PodScaleIn{ObjectMeta: w.meta("order")}
	w.Eventually(func() []string { w.get(plane, order); return order.Finalizers }).Should(gomega.BeEmpty())
	template, binding := w.cloneSet(0), w.binding()
	w.get(plane, template)
	w.get(plane, binding)
	w.Expect(template.Annotations).To(gomega.BeEmpty(), "left on the template")
	w.Expect(binding.Annotations).To(gomega.BeEmpty(), "left on the binding")
	w.Expect(binding.Spec.SchedulingSuspended()).To(gomega.BeFalse(), "the scheduler is held for good")
}

// expectBooks compares template, binding and member: so many replicas in all, so many in member1, and the pods there.
func (w *world) expectBooks(total, inMember int32, pods ...string) {
	w.t.Helper()
	template, binding, in := w.cloneSet(0), w.binding(), w.cloneSet(0)
	w.get(plane, template)
	w.get(plane, binding)
	w.get(member, in)
	w.Expect(*template.Spec.Replicas).To(gomega.Equal(total), "template")
	w.Expect(binding.Spec.Replicas).To(gomega.Equal(total), "binding")
	w.Expect(binding.Spec.Clusters[0].Replicas).To(gomega.Equal(inMember), "member1 in the binding")
	w.Expect(binding.Spec.Clusters[1].Replicas).To(gomega.Equal(int32(2)), "member2 in the binding")
	w.Expect(*in.Spec.Replicas).To(gomega.Equal(inMember), "member1")
	var list corev1.PodList
	w.Expect(member.List(w.ctx, &list, client.InNamespace(w.namespace))).To(gomega.Succeed())
	var names []string
	for _, pod := range list.Items {
		names = append(names, pod.Name)
	}
	w.Expect(names).To(gomega.Equal(pods), "pods of member1")
}

// TestKilledAtEveryWrite: an order ends as ordered though its controller dies at each of its writes, once it has reached the
// server or before.
func TestKilledAtEveryWrite(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		// allowed are the writes that a controller lives through; reaches is whether the next one reaches the server.
		allowed int
		reaches bool
	}{
		"right after each":       {allowed: 0, reaches: true},
		"right before the other": {allowed: 1, reaches: false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.create(plane, w.order("order", "web-0", "web-2"))
			deaths := 0
			for ended := false; !ended; {
				var writes atomic.Int32
				died := make(chan struct{})
				kill := w.lead(eachWrite(func(ctx context.Context, _ string, _ client.Object, write func() error) error {
					number := int(writes.Add(1))
					if number <= tc.allowed {
						return write()
					}
					if number == tc.allowed+1 && tc.reaches {
						_ = write()
					}
					if number == tc.allowed+1 {
						close(died)
					}
					<-ctx.Done()
					return ctx.Err()
				}))
				w.Eventually(func() bool {
					w.karmada()
					order := &v1alpha1.PodScaleIn{ObjectMeta: w.meta("order")}
					w.get(plane, order)
					ended = order.Status.CompletionTime != nil && len(order.Finalizers) == 0
					select {
					case <-died:
						return true
					default:
						return ended
					}
				}).Should(gomega.BeTrue())
				kill()
				if deaths++; deaths > 300 {
					t.Fatal("no leader gets on")
				}
			}
			if deaths < 6 {
				t.Errorf("%d deaths: the test no longer tests", deaths)
			}
			w.lead(nil)
			w.expectCarriedOut()
		})
	}
}

// TestConflictOnEveryWrite: somebody else is always first, twice, before a write goes through.
func TestConflictOnEveryWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(plane, w.order("order", "web-0", "web-2"))
	var mu sync.Mutex
	seen, refused := map[string]int{}, 0
	w.lead(eachWrite(func(_ context.Context, what string, o client.Object, write func() error) error {
		mu.Lock()
		key := what + "/" + o.GetName()
		seen[key]++
		conflict := seen[key]%3 != 0
		if conflict {
			refused++
		}
		mu.Unlock()
		if conflict {
			return apierrors.NewConflict(schema.GroupResource{Resource: what}, o.GetName(), errors.New("the object has been modified"))
		}
		return write()
	}))
	w.expectCarriedOut()
	mu.Lock()
	defer mu.Unlock()
	if refused < 6 {
		t.Errorf("%d writes refused: the test no longer tests", refused)
	}
}

// TestDeletedBeforeReplicasMove takes the order back.
func TestDeletedBeforeReplicasMove(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	order := w.order("order", "web-0")
	w.create(plane, order)
	w.lead(nil)
	template := w.cloneSet(0)
	w.Eventually(func() string { w.get(plane, template); return template.Annotations[v1alpha1.ScaleInRequestAnnotation] }).
		ShouldNot(gomega.BeEmpty())
	w.Expect(plane.Delete(w.ctx, order)).To(gomega.Succeed())
	w.Eventually(func() bool {
		return apierrors.IsNotFound(plane.Get(w.ctx, client.ObjectKeyFromObject(order), order))
	}).Should(gomega.BeTrue())
	w.get(plane, template)
	w.Expect(template.Annotations).To(gomega.BeEmpty())
	w.expectBooks(5, 3, "web-0", "web-1", "web-2")
}

// TestDeletedAfterReplicasMoved gives up: what was lowered stays lowered, and nothing is left on template and binding.
func TestDeletedAfterReplicasMoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	order := w.order("order", "web-0")
	w.create(plane, order)
	w.lead(nil)
	w.Eventually(func() string {
		w.karmadaWithoutMember()
		phase, _, _ := w.complete()
		return phase
	}).Should(gomega.Equal(string(v1alpha1.PhaseFollowing)))
	w.Expect(plane.Delete(w.ctx, order)).To(gomega.Succeed())
	w.Eventually(func() bool {
		return apierrors.IsNotFound(plane.Get(w.ctx, client.ObjectKeyFromObject(order), order))
	}).Should(gomega.BeTrue())
	template, binding := w.cloneSet(0), w.binding()
	w.get(plane, template)
	w.get(plane, binding)
	w.Expect(*template.Spec.Replicas).To(gomega.Equal(int32(4)))
	w.Expect(binding.Spec.Clusters[0].Replicas).To(gomega.Equal(int32(2)))
	w.Expect(template.Annotations).To(gomega.BeEmpty())
	w.Expect(binding.Annotations).To(gomega.BeEmpty())
	w.Expect(binding.Spec.SchedulingSuspended()).To(gomega.BeFalse())
	w.Eventually(func() []string { return w.told(v1alpha1.ReasonOrderDeleted) }).
		Should(gomega.Equal([]string{"deleted before the pods were gone"}))
}

// TestAPodThatVanishesBetween: a name that is gone before the member took it makes OpenKruise refuse the member's whole
// update. It is taken off the request.
func TestAPodThatVanishesBetween(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(plane, w.order("order", "web-0", "web-2"))
	w.lead(nil)
	w.Eventually(func() string {
		phase, _, _ := w.complete()
		if phase != string(v1alpha1.PhaseFollowing) {
			w.karmadaWithoutMember()
		}
		return phase
	}).Should(gomega.Equal(string(v1alpha1.PhaseFollowing)))
	w.Expect(member.Delete(w.ctx, &corev1.Pod{ObjectMeta: w.meta("web-0")}, client.GracePeriodSeconds(0))).To(gomega.Succeed())
	template := w.cloneSet(0)
	w.Eventually(func() []string {
		w.get(plane, template)
		request, err := v1alpha1.ParseScaleInRequest(template.Annotations[v1alpha1.ScaleInRequestAnnotation])
		w.Expect(err).NotTo(gomega.HaveOccurred())
		return request.Members["member1"].Pods
	}).Should(gomega.Equal([]string{"web-2"}))
	w.expectCarriedOut()
}

// TestAMemberThatTakesTheNamesLate: when its time is over the order is reported as failed, and is carried out all the same as
// soon as the member takes it.
func TestAMemberThatTakesTheNamesLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(plane, w.order("order", "web-0", "web-2"))
	w.lead(nil)
	phase := func() string {
		w.karmadaWithoutMember()
		phase, reason, _ := w.complete()
		return phase + " " + reason
	}
	w.Eventually(phase).Should(gomega.Equal("Following WaitingForPods"))
	w.clock.SetTime(w.clock.Now().Add(61 * time.Second)) // One that failed long ago is looked at rarely.
	w.Eventually(phase).Should(gomega.Equal("Failed TimedOut"))
	w.Eventually(func() []string { return w.told(v1alpha1.ReasonTimedOut) }).
		Should(gomega.Equal([]string{"member1 has not taken the names yet"}))
	w.Eventually(func() float64 { return w.counted(v1alpha1.PhaseFailed) }).Should(gomega.Equal(1.0))
	w.expectCarriedOut()
	w.Expect(w.counted(v1alpha1.PhaseFailed)).To(gomega.Equal(1.0))
	w.Eventually(func() float64 { return w.counted(v1alpha1.PhaseSucceeded) }).Should(gomega.Equal(1.0))
}
