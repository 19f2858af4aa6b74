package cronhpa

import (
	"context"
	"testing"

	"github.com/onsi/gomega"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

func TestBoundsOfAnHPAAndBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployment("web", 3)
	w.hpa("web", "web", 2, 8)
	onlyMax := v1alpha1.CronHPARule{Name: "wide", Schedule: w.schedule(20 * minute), TargetMaxReplicas: ptr.To[int32](30)}
	wrong := v1alpha1.CronHPARule{Name: "wrong", Schedule: w.schedule(30 * minute), TargetMinReplicas: ptr.To[int32](9)}
	cron := w.cron("web", hpaRef("web"), boundsAt("peak", w.schedule(10*minute), 10, 40), onlyMax, wrong)
	w.lead(nil)
	_ = w.observed("web")

	w.setClock(10 * minute)
	w.Eventually(func() [2]int32 { return w.bounds("web") }).Should(gomega.Equal([2]int32{10, 40}))
	w.Expect(w.replicas("web")).To(gomega.Equal(int32(3)), "a rule on an autoscaler sets bounds, never replicas")
	w.Eventually(func() string { return w.cronStatus("web").RuleInForce }).Should(gomega.Equal("peak"))

	w.setClock(20 * minute)
	w.Eventually(func() [2]int32 { return w.bounds("web") }).Should(gomega.Equal([2]int32{2, 30}), "the bound left unset is the HPA's own")
	w.Eventually(func() string { return w.cronStatus("web").RuleInForce }).Should(gomega.Equal("wide"))

	w.setClock(30 * minute)
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("False/InvalidBounds"))
	w.Expect(w.bounds("web")).To(gomega.Equal([2]int32{2, 30}))

	w.delete(cron)
	w.gone(cron)
	w.Expect(w.bounds("web")).To(gomega.Equal([2]int32{2, 8}))
	w.Eventually(func() int { return w.events(v1alpha1.CronHPAReasonBoundsRestored) }).Should(gomega.Equal(1))
}

// TestABoundAPersonSetIsTheHPAsOwn, as an edited spec is a FedHPA's: the rule in force holds, and what the person set comes back after it.
func TestABoundAPersonSetIsTheHPAsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hpa("web", "web", 2, 8)
	cron := w.cron("web", hpaRef("web"), boundsAt("peak", w.schedule(10*minute), 10, 40))
	w.lead(nil)
	_ = w.observed("web")
	w.setClock(10 * minute)
	w.Eventually(func() string { return w.cronStatus("web").RuleInForce }).Should(gomega.Equal("peak"))
	h := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "web"}}
	w.Expect(apiserver.Patch(w.ctx, h, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"maxReplicas":25}}`)))).To(gomega.Succeed())
	w.Consistently(func() [2]int32 { return w.bounds("web") }, "500ms").
		Should(gomega.Equal([2]int32{10, 25}), "written again within the minute")
	w.setClock(11*minute + 1)
	w.Eventually(func() [2]int32 { return w.bounds("web") }).Should(gomega.Equal([2]int32{10, 40}))
	w.Eventually(func() []string { return w.told("web", v1alpha1.CronHPAReasonBoundsHeld) }).
		Should(gomega.ConsistOf(gomega.ContainSubstring("minReplicas 2, maxReplicas 25")))
	w.delete(cron)
	w.gone(cron)
	w.Expect(w.bounds("web")).To(gomega.Equal([2]int32{2, 25}))
}

// TestBoundsFollowTheSpec as they do on a FedHPA: an edited rule at once, a rule that is taken out at once.
func TestBoundsFollowTheSpec(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hpa("web", "web", 2, 4)
	cron := w.cron("web", hpaRef("web"), boundsAt("peak", w.schedule(10*minute), 5, 9), boundsAt("other", w.schedule(1000*minute), 1, 2))
	w.lead(nil)
	_ = w.observed("web")
	w.setClock(10 * minute)
	w.Eventually(func() string { return w.cronStatus("web").RuleInForce }).Should(gomega.Equal("peak"))

	edit := func(change func(*v1alpha1.CronHPASpec)) {
		t.Helper()
		w.Eventually(func() error {
			if err := apiserver.Get(w.ctx, client.ObjectKeyFromObject(cron), cron); err != nil {
				return err
			}
			change(&cron.Spec)
			return apiserver.Update(w.ctx, cron)
		}).Should(gomega.Succeed())
	}
	edit(func(s *v1alpha1.CronHPASpec) { s.Rules[0].TargetMaxReplicas = ptr.To[int32](12) })
	w.Eventually(func() [2]int32 { return w.bounds("web") }).Should(gomega.Equal([2]int32{5, 12}))
	w.Expect(w.cronStatus("web").RuleInForce).To(gomega.Equal("peak"))
	edit(func(s *v1alpha1.CronHPASpec) { s.Rules[0].TargetMinReplicas = nil })
	w.Eventually(func() [2]int32 { return w.bounds("web") }).Should(gomega.Equal([2]int32{2, 12}), "the bound left unset is the HPA's own")

	edit(func(s *v1alpha1.CronHPASpec) { s.Rules = s.Rules[1:] })
	w.Eventually(func() [2]int32 { return w.bounds("web") }).Should(gomega.Equal([2]int32{2, 4}))
	w.Eventually(func() *v1alpha1.OriginalBounds { return w.cronStatus("web").OriginalBounds }).Should(gomega.BeNil())
	w.Expect(w.cronStatus("web").RuleInForce).To(gomega.BeEmpty())
	w.Eventually(func() int { return w.events(v1alpha1.CronHPAReasonBoundsRestored) }).Should(gomega.Equal(1))
	w.delete(cron)
	w.gone(cron)
	w.Expect(w.bounds("web")).To(gomega.Equal([2]int32{2, 4}))
}

func TestAnHPACreatedAgainHasBoundsOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.hpa("web", "web", 2, 8)
	cron := w.cron("web", hpaRef("web"), boundsAt("peak", w.schedule(10*minute), 10, 40), boundsAt("more", w.schedule(20*minute), 20, 50))
	w.lead(nil)
	_ = w.observed("web")
	w.setClock(10 * minute)
	w.Eventually(func() string { return w.cronStatus("web").RuleInForce }).Should(gomega.Equal("peak"))
	w.delete(first)
	w.hpa("web", "web", 3, 9)
	w.Eventually(func() [2]int32 { return w.bounds("web") }).
		Should(gomega.Equal([2]int32{10, 40}), "the rule in force holds for the one made again")
	w.setClock(20 * minute)
	w.Eventually(func() string { return w.cronStatus("web").RuleInForce }).Should(gomega.Equal("more"))
	w.Expect(w.bounds("web")).To(gomega.Equal([2]int32{20, 50}))
	w.delete(cron)
	w.gone(cron)
	w.Expect(w.bounds("web")).To(gomega.Equal([2]int32{3, 9}))
}

// TestOwnBoundsSurviveACrash kills the controller around each write of a second rule: what is put back in the end is the
// HPA's own, never what a rule wrote.
func TestOwnBoundsSurviveACrash(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ written bool }{
		"before the bounds were written": {false},
		"after the bounds were written":  {true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.hpa("web", "web", 2, 8)
			cron := w.cron("web", hpaRef("web"), boundsAt("peak", w.schedule(10*minute), 10, 40), boundsAt("more", w.schedule(20*minute), 20, 50))
			kill := w.lead(nil)
			_ = w.observed("web")
			w.setClock(10 * minute)
			w.Eventually(func() string { return w.cronStatus("web").RuleInForce }).Should(gomega.Equal("peak"))
			kill()

			reached, reach := signal()
			kill = w.lead(&interceptor.Funcs{
				Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
					if _, ours := o.(*v1alpha1.CronHPA); ours {
						return c.Patch(ctx, o, p, opts...)
					}
					if tc.written {
						w.Expect(c.Patch(ctx, o, p, opts...)).To(gomega.Succeed())
					}
					reach()
					<-ctx.Done()
					return ctx.Err()
				},
			})
			w.setClock(20 * minute)
			w.Eventually(reached).Should(gomega.BeClosed())
			kill()

			w.lead(nil)
			w.Eventually(func() string { return w.cronStatus("web").RuleInForce }).Should(gomega.Equal("more"))
			w.Expect(w.bounds("web")).To(gomega.Equal([2]int32{20, 50}))
			w.delete(cron)
			w.gone(cron)
			w.Expect(w.bounds("web")).To(gomega.Equal([2]int32{2, 8}))
		})
	}
}
