package cronhpa

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// journal keeps the order in which a controller wrote scales and results.
type journal struct {
	mu      sync.Mutex
	entries []string
	// refuse makes a write fail; nil lets all through.
	refuse func(subresource string, o client.Object) error
}

func (j *journal) funcs() *interceptor.Funcs {
	return &interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch,
			opts ...client.SubResourcePatchOption) error {
			j.mu.Lock()
			j.entries = append(j.entries, sub)
			var err error
			if j.refuse != nil {
				err = j.refuse(sub, o)
			}
			j.mu.Unlock()
			if err != nil {
				return err
			}
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	}
}

// written is what was written since the last call.
func (j *journal) written() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := j.entries
	j.entries = nil
	return out
}

func (j *journal) count(subresource string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	count := 0
	for _, entry := range j.entries {
		if entry == subresource {
			count++
		}
	}
	return count
}

// TestEveryTargetIsSetBeforeTheFirstResult: of many due at one instant none waits for another's bookkeeping.
func TestEveryTargetIsSetBeforeTheFirstResult(t *testing.T) {
	const crowd = 60
	w := newWorld(t)
	for i := range int32(crowd) {
		name := "web-" + itoa(i)
		w.deployment(name, 3)
		w.cron(name, workloadRef(name), replicasAt("out", w.schedule(10*minute), 10))
	}
	seen := &journal{}
	w.lead(seen.funcs())
	for i := range int32(crowd) {
		_ = w.observed("web-" + itoa(i))
	}
	seen.written()

	w.setClock(10 * minute)
	for i := range int32(crowd) {
		w.Eventually(func() string { return w.cronStatus("web-" + itoa(i)).RuleInForce }).Should(gomega.Equal("out"))
	}
	order := seen.written()
	if before := slices.Index(order, "status"); before < crowd-workers {
		t.Errorf("the first result was written after %d of %d targets: %v", before, crowd, order)
	}
	w.Expect(slices.DeleteFunc(order, func(sub string) bool { return sub == "status" })).To(gomega.HaveLen(crowd), "a target was set twice")
	w.Eventually(func() float64 { return w.measured("argosy_cronhpa_firing_lateness_seconds")[""] }).Should(gomega.Equal(float64(crowd)))
	w.Eventually(func() float64 { return w.measured("argosy_cronhpa_next_wakeup_timestamp_seconds")[""] }).
		Should(gomega.BeNumerically(">", float64(w.clock.Now().Unix())))
}

// TestAResultThatCannotBeWrittenSetsTheTargetOnce: as long as the process lives, what a person scales by hand after the
// firing stands, though its result is still on the way.
func TestAResultThatCannotBeWrittenSetsTheTargetOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployment("web", 3)
	w.cron("web", workloadRef("web"), replicasAt("out", w.schedule(10*minute), 10))
	var refusals atomic.Int32
	armed := false
	seen := &journal{refuse: func(sub string, o client.Object) error {
		if sub == "scale" {
			armed = true
		}
		if sub != "status" || !armed || refusals.Load() == 5 {
			return nil
		}
		refusals.Add(1)
		return conflict("cronhpas", o)
	}}
	w.lead(seen.funcs())
	_ = w.observed("web")
	seen.written()

	w.setClock(10 * minute)
	w.Eventually(func() int { return seen.count("scale") }).Should(gomega.Equal(1))
	w.Eventually(func() int32 { return w.replicas("web") }).Should(gomega.Equal(int32(10)))
	w.scale(6)
	w.Eventually(func() string { return w.cronStatus("web").RuleInForce }).Should(gomega.Equal("out"))
	w.Expect(refusals.Load()).To(gomega.Equal(int32(5)))
	w.Expect(seen.count("scale")).To(gomega.Equal(1), "the firing was applied again")
	w.Expect(w.replicas("web")).To(gomega.Equal(int32(6)))
	w.Expect(results(w.cronStatus("web").Rules[0])).To(gomega.Equal("Applied*1"))
}

// holdingResults refuses every result from the first scale on, until it is released.
func holdingResults() (seen *journal, release func()) {
	armed, held := false, make(chan struct{})
	return &journal{refuse: func(sub string, o client.Object) error {
		armed = armed || sub == "scale"
		select {
		case <-held:
			return nil
		default:
		}
		if sub == "status" && armed {
			return conflict("cronhpas", o)
		}
		return nil
	}}, func() { close(held) }
}

// TestASpecChangedBeforeTheResultIsWritten: the firing is due under the new spec, whose number is the one that counts.
func TestASpecChangedBeforeTheResultIsWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployment("web", 3)
	cron := w.cron("web", workloadRef("web"), replicasAt("out", w.schedule(10*minute), 10))
	seen, release := holdingResults()
	w.lead(seen.funcs())
	_ = w.observed("web")
	seen.written()
	w.setClock(10 * minute)
	w.Eventually(func() int32 { return w.replicas("web") }).Should(gomega.Equal(int32(10)))
	w.Eventually(func() int { return seen.count("status") }).Should(gomega.BeNumerically(">", 0))
	w.Eventually(func() error {
		if err := apiserver.Get(w.ctx, client.ObjectKeyFromObject(cron), cron); err != nil {
			return err
		}
		cron.Spec.Rules[0].TargetReplicas = ptr.To[int32](12)
		return apiserver.Update(w.ctx, cron)
	}).Should(gomega.Succeed())
	w.Eventually(func() int32 { return w.replicas("web") }).Should(gomega.Equal(int32(12)))
	release()
	w.Eventually(func() string { return w.cronStatus("web").RuleInForce }).Should(gomega.Equal("out"))
	entry := w.cronStatus("web").Rules[0].History[0]
	w.Expect(entry.Result).To(gomega.Equal(v1alpha1.FiringApplied))
	w.Expect(*entry.Replicas).To(gomega.Equal(int32(12)), "the history tells what is not so")
}

// TestFiringsAMinuteApartWhileResultsLag: a result that is written after the next firing came due tells both as applied,
// neither as missed.
func TestFiringsAMinuteApartWhileResultsLag(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployment("web", 3)
	w.cron("web", workloadRef("web"), replicasAt("out", w.schedule(10*minute), 10), replicasAt("more", w.schedule(11*minute), 20))
	seen, release := holdingResults()
	w.lead(seen.funcs())
	_ = w.observed("web")
	seen.written()
	w.setClock(10 * minute)
	w.Eventually(func() int32 { return w.replicas("web") }).Should(gomega.Equal(int32(10)))
	w.Eventually(func() int { return seen.count("status") }).Should(gomega.BeNumerically(">", 0))
	w.setClock(11 * minute)
	release()
	w.Eventually(func() string { return w.cronStatus("web").RuleInForce }).Should(gomega.Equal("more"))
	w.Expect(w.replicas("web")).To(gomega.Equal(int32(20)))
	status := w.cronStatus("web")
	w.Expect(results(status.Rules[0])).To(gomega.Equal("Applied*1"))
	w.Expect(results(status.Rules[1])).To(gomega.Equal("Applied*1"))
}

// TestSomebodyBehindTheAPIServerIsInTheWay: an admission webhook that is down makes the API server answer with an error of
// its own. That is told, tried again, counted once, and over when the webhook is back.
func TestSomebodyBehindTheAPIServerIsInTheWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployment("web", 3)
	w.cron("web", workloadRef("web"), replicasAt("out", w.schedule(10*minute), 10))
	tries := 0
	seen := &journal{refuse: func(sub string, _ client.Object) error {
		if sub != "scale" {
			return nil
		}
		if tries++; tries > 3 {
			return nil
		}
		return apierrors.NewInternalError(errors.New(`failed calling webhook "keeper.example.com": connection refused`))
	}}
	w.lead(seen.funcs())
	_ = w.observed("web")
	w.setClock(10 * minute)
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("False/FiringFailed"))
	entry := w.cronStatus("web").Rules[0].History[0]
	w.Expect(entry.Message).To(gomega.And(gomega.ContainSubstring("tried again"), gomega.ContainSubstring("keeper.example.com")))
	w.Eventually(func() int32 {
		w.clock.SetTime(w.clock.Now().Add(time.Second))
		return w.replicas("web")
	}).Should(gomega.Equal(int32(10)))
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("True/Scheduled"))
	w.Eventually(func() int { return w.events(v1alpha1.CronHPAReasonFiringFailed) }).Should(gomega.Equal(1))
	w.Expect(w.firings(v1alpha1.FiringFailed)).To(gomega.Equal(1.0))
	w.Eventually(func() float64 { return w.firings(v1alpha1.FiringApplied) }).Should(gomega.Equal(1.0))
	w.Expect(results(w.cronStatus("web").Rules[0])).To(gomega.Equal("Applied*1"))
}

// TestScaledToZero is said while it is in force.
func TestScaledToZero(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployment("web", 3)
	w.cron("web", workloadRef("web"), replicasAt("night", w.schedule(10*minute), 0), replicasAt("day", w.schedule(20*minute), 4))
	w.lead(nil)
	_ = w.observed("web")
	scalable := func() string {
		c := meta.FindStatusCondition(w.cronStatus("web").Conditions, v1alpha1.CronHPATargetScalable)
		return c.Reason + ": " + c.Message
	}
	w.Expect(scalable()).To(gomega.And(gomega.HavePrefix("TargetFound"), gomega.ContainSubstring("--enable-empty-workload-propagation")))
	w.setClock(10 * minute)
	w.Eventually(scalable).Should(gomega.HavePrefix("ScaledToZero: rule night is in force"))
	w.Expect(w.replicas("web")).To(gomega.Equal(int32(0)))
	w.setClock(20 * minute)
	w.Eventually(func() int32 { return w.replicas("web") }).Should(gomega.Equal(int32(4)))
	w.Eventually(scalable).Should(gomega.HavePrefix("TargetFound"))
}
