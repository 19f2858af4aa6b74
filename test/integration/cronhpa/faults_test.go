package cronhpa

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/onsi/gomega"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

func itoa(n int32) string { return strconv.Itoa(int(n)) }

// signal is a channel, and what closes it. A controller that is told to end may come once more to where that is called.
func signal() (<-chan struct{}, func()) {
	reached := make(chan struct{})
	return reached, sync.OnceFunc(func() { close(reached) })
}

// stuckAt is a client whose writes of one subresource reach the server or not, and never return: the process can only be
// killed there.
func stuckAt(subresource string, written bool) (*interceptor.Funcs, <-chan struct{}) {
	reached, reach := signal()
	var armed atomic.Bool
	return &interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch,
			opts ...client.SubResourcePatchOption) error {
			if sub == "scale" {
				armed.Store(true)
			}
			if sub != subresource || !armed.Load() {
				return c.SubResource(sub).Patch(ctx, o, p, opts...)
			}
			var err error
			if written {
				err = c.SubResource(sub).Patch(ctx, o, p, opts...)
			}
			reach()
			<-ctx.Done()
			if err == nil {
				err = ctx.Err()
			}
			return err
		},
	}, reached
}

func TestLeaderKilledBetweenDueAndDone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		subresource string
		written     bool
	}{
		"before the scale was written":     {"scale", false},
		"after the scale, before it knew":  {"scale", true},
		"before the result was written":    {"status", false},
		"after the result, before it knew": {"status", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.deployment("web", 3)
			w.cron("web", workloadRef("web"), replicasAt("out", w.schedule(10*minute), 10))
			funcs, reached := stuckAt(tc.subresource, tc.written)
			kill := w.lead(funcs)
			_ = w.observed("web")
			w.setClock(10 * minute)
			w.Eventually(reached).Should(gomega.BeClosed())
			kill()

			w.setClock(11 * minute)
			w.lead(nil)
			w.Eventually(func() string { return w.cronStatus("web").RuleInForce }).Should(gomega.Equal("out"))
			w.Expect(w.replicas("web")).To(gomega.Equal(int32(10)))
			w.Consistently(func() string { return results(w.cronStatus("web").Rules[0]) }, "300ms").
				Should(gomega.Equal("Applied*1"), "lost, or handled twice")
		})
	}
}

// conflict is what an API server answers to a write that was derived from an older object.
func conflict(resource string, o client.Object) error {
	return apierrors.NewConflict(schema.GroupResource{Resource: resource}, o.GetName(), errors.New("the object has been modified"))
}

// conflictOnEveryWrite refuses the first tries of each write with a conflict.
func conflictOnEveryWrite(tries int) *interceptor.Funcs {
	var mu sync.Mutex
	seen := map[string]int{}
	refuse := func(what string, o client.Object) error {
		mu.Lock()
		defer mu.Unlock()
		key := what + o.GetName()
		if seen[key]++; seen[key]%(tries+1) != 0 {
			return conflict(what, o)
		}
		return nil
	}
	return &interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			if err := refuse(o.GetObjectKind().GroupVersionKind().Kind, o); err != nil {
				return err
			}
			return c.Patch(ctx, o, p, opts...)
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch,
			opts ...client.SubResourcePatchOption) error {
			if err := refuse(sub, o); err != nil {
				return err
			}
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	}
}

func TestConflictsOnEveryWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployment("web", 3)
	w.cron("web", workloadRef("web"), replicasAt("out", w.schedule(10*minute), 10))
	w.hpa("api", "api", 2, 8)
	w.cron("api", hpaRef("api"), boundsAt("out", w.schedule(10*minute), 10, 40))
	w.lead(conflictOnEveryWrite(2))
	_, _ = w.observed("web"), w.observed("api")
	w.setClock(10 * minute)
	w.Eventually(func() string { return w.cronStatus("web").RuleInForce }).Should(gomega.Equal("out"))
	w.Expect(w.replicas("web")).To(gomega.Equal(int32(10)))
	w.Eventually(func() string { return w.cronStatus("api").RuleInForce }).Should(gomega.Equal("out"))
	w.Expect(w.bounds("api")).To(gomega.Equal([2]int32{10, 40}))
	original := w.cronStatus("api").OriginalBounds
	w.Expect([2]int32{*original.MinReplicas, original.MaxReplicas}).To(gomega.Equal([2]int32{2, 8}), "its own bounds were lost")
	w.delete(&v1alpha1.CronHPA{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "api"}})
	w.Eventually(func() [2]int32 { return w.bounds("api") }).Should(gomega.Equal([2]int32{2, 8}))
}

func (w *world) delete(o client.Object) {
	w.t.Helper()
	w.Expect(apiserver.Delete(w.ctx, o)).To(gomega.Succeed())
}

func (w *world) gone(o client.Object) {
	w.t.Helper()
	w.Eventually(func() bool {
		return apierrors.IsNotFound(apiserver.Get(w.ctx, client.ObjectKeyFromObject(o), o))
	}).Should(gomega.BeTrue())
}

func TestTargetMissingThenCreated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cron("web", workloadRef("web"), replicasAt("out", w.schedule(10*minute), 10))
	w.lead(nil)
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("False/TargetNotFound"))
	w.Eventually(func() []string { return w.told("web", v1alpha1.CronHPAReasonTargetNotFound) }).
		Should(gomega.ConsistOf(gomega.ContainSubstring("create it, or correct spec.scaleTargetRef")))

	w.setClock(10 * minute)
	w.Eventually(func() v1alpha1.FiringResult { return w.cronStatus("web").LastResult }).Should(gomega.Equal(v1alpha1.FiringFailed))
	first := w.deployment("web", 3)
	w.setClock(12 * minute)
	w.Eventually(func() int32 { return w.replicas("web") }).Should(gomega.Equal(int32(10)))
	w.Eventually(func() string { return results(w.cronStatus("web").Rules[0]) }).Should(gomega.Equal("Applied*1"))
	w.Expect(w.ready("web")).To(gomega.Equal("True/Scheduled"))

	// Deleted and created again: the new one keeps its replicas until the next firing, which finds it.
	w.delete(first)
	w.deployment("web", 4)
	w.setClock(20 * minute)
	w.Consistently(func() int32 { return w.replicas("web") }, "300ms").Should(gomega.Equal(int32(4)))
	next := w.cronStatus("web").NextRunTime.Time
	w.clock.SetTime(next)
	w.Eventually(func() int32 { return w.replicas("web") }).Should(gomega.Equal(int32(10)))
}

func TestTargetsThatCannotBeScaled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "settings"}})
	w.deployment("owned", 3)
	w.hpa("owner", "owned", 2, 8)
	w.deployment("shared", 3)
	at := w.schedule(10 * minute)
	ref := func(apiVersion, kind, name string) autoscalingv2.CrossVersionObjectReference {
		return autoscalingv2.CrossVersionObjectReference{APIVersion: apiVersion, Kind: kind, Name: name}
	}
	w.cron("noscale", ref("v1", "ConfigMap", "settings"), replicasAt("out", at, 1))
	w.cron("nokind", ref("example.com/v1", "Rocket", "x"), replicasAt("out", at, 1))
	w.cron("nogroup", ref("apps/v1", "FedHPA", "x"), boundsAt("out", at, 1, 2))
	w.cron("owned", workloadRef("owned"), replicasAt("out", at, 9))
	first := w.cron("shared-a", workloadRef("shared"), replicasAt("out", at, 7))
	w.cron("shared-b", workloadRef("shared"), replicasAt("out", at, 9))
	w.lead(nil)

	want := map[string]struct{ ready, says string }{
		"noscale": {
			"False/TargetNotScalable",
			"ConfigMap settings exists but its kind has no scale subresource in karmada-apiserver: add it to the CRD there",
		},
		"nokind": {
			"False/TargetKindUnknown",
			"karmada-apiserver serves no kind Rocket in example.com/v1: install its CRD there, or correct spec.scaleTargetRef",
		},
		"nogroup": {"False/TargetKindUnknown", "no autoscaler FedHPA in apiVersion apps/v1: did you mean autoscaling.argosy.dev/v1alpha1?"},
		"owned":   {"False/TargetOwnedByAutoscaler", "belong to HorizontalPodAutoscaler owner: target that"},
		"shared-b": {
			"False/TargetSharedByCronHPAs", "CronHPA shared-a was there first for Deployment shared: move the rules into it and delete this one",
		},
		"shared-a": {"True/Scheduled", ""},
	}
	for name, tc := range want {
		w.Eventually(func() string { return w.ready(name) }).Should(gomega.Equal(tc.ready), name)
		if _, reason, _ := strings.Cut(tc.ready, "/"); tc.says != "" {
			w.Eventually(func() []string { return w.told(name, reason) }).Should(gomega.ConsistOf(gomega.ContainSubstring(tc.says)), name)
		}
	}
	w.setClock(10 * minute)
	for name := range want {
		if name != "shared-a" {
			w.Eventually(func() v1alpha1.FiringResult { return w.cronStatus(name).LastResult }).Should(gomega.Equal(v1alpha1.FiringFailed), name)
		}
	}
	w.Eventually(func() int32 { return w.replicas("shared") }).Should(gomega.Equal(int32(7)))
	w.Expect(w.replicas("owned")).To(gomega.Equal(int32(3)))

	// Its firing failed within its deadline (none): with the first out of the way the second has its turn, and does not wait for its next try.
	w.delete(first)
	w.Eventually(func() int32 { return w.replicas("shared") }).Should(gomega.Equal(int32(9)))
}

func TestAnObjectNobodyValidated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployment("web", 3)
	badZone := replicasAt("zone", w.schedule(5*minute), 1)
	badZone.TimeZone = "Mars/Olympus"
	badDate := replicasAt("date", w.schedule(5*minute), 1)
	badDate.ExcludeDates = []string{"02-31"}
	w.cron("web", workloadRef("web"), replicasAt("cron", "61 * * * *", 1), badZone, badDate, replicasAt("good", w.schedule(10*minute), 10))
	w.lead(nil)
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("False/InvalidSpec"))
	var message string
	for _, c := range w.cronStatus("web").Conditions {
		if c.Type == v1alpha1.CronHPASpecValid {
			message = c.Message
		}
	}
	for _, field := range []string{"spec.rules[0].schedule", "spec.rules[1].timeZone", "spec.rules[2].excludeDates[0]"} {
		w.Expect(message).To(gomega.ContainSubstring(field))
	}
	w.Eventually(func() []string { return w.told("web", v1alpha1.CronHPAReasonInvalidSpec) }).Should(gomega.ConsistOf(message))
	w.setClock(10 * minute)
	w.Eventually(func() int32 { return w.replicas("web") }).Should(gomega.Equal(int32(10)), "the rule that can be read has to work")
}

func TestARuleThatNeverFires(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployment("web", 3)
	w.cron("web", workloadRef("web"), replicasAt("leap", "0 0 30 2 *", 1))
	w.lead(nil)
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("False/NeverFires"))
	w.Eventually(func() []string { return w.told("web", v1alpha1.CronHPAReasonNeverFires) }).
		Should(gomega.ConsistOf(gomega.ContainSubstring("spec.rules[0] (leap) never fires within ten years: check schedule and excludeDates")))
}
