package cronhpa

import (
	"testing"
	"time"

	"github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

const minute = time.Minute

func TestAFiringSetsReplicasOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployment("web", 3)
	w.cron("web", workloadRef("web"), replicasAt("out", w.schedule(10*minute), 10), replicasAt("in", w.schedule(30*minute), 2))
	w.lead(nil)

	status := w.observed("web")
	w.Expect(status.NextRunTime.Time).To(gomega.BeTemporally("==", w.start.Add(10*minute)))
	w.Expect(w.replicas("web")).To(gomega.Equal(int32(3)), "scaled before anything was due")
	w.Expect(w.ready("web")).To(gomega.Equal("True/Scheduled"))

	w.setClock(10 * minute)
	w.Eventually(func() string { return w.cronStatus("web").RuleInForce }).Should(gomega.Equal("out"))
	w.Expect(w.replicas("web")).To(gomega.Equal(int32(10)))
	status = w.cronStatus("web")
	w.Expect(status.LastResult).To(gomega.Equal(v1alpha1.FiringApplied))
	w.Expect(status.NextRunTime.Time).To(gomega.BeTemporally("==", w.start.Add(30*minute)))
	w.Expect(status.Rules[0].History).To(gomega.HaveLen(1))
	w.Eventually(func() int { return w.events(v1alpha1.CronHPAReasonFiringApplied) }).Should(gomega.Equal(1))

	// A person scales by hand: that stands until the next firing.
	w.scale(6)
	w.setClock(29 * minute)
	w.Consistently(func() int32 { return w.replicas("web") }, "500ms").Should(gomega.Equal(int32(6)))
	w.setClock(30 * minute)
	w.Eventually(func() int32 { return w.replicas("web") }).Should(gomega.Equal(int32(2)))
}

// scale does what kubectl scale deployment/web does.
func (w *world) scale(replicas int32) {
	w.t.Helper()
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "web"}}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":`+itoa(replicas)+`}}`))
	w.Expect(apiserver.SubResource("scale").Patch(w.ctx, d, patch)).To(gomega.Succeed())
}

func TestFiringsMissedDuringAnAbsence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployment("web", 3)
	hourly := w.start.Add(-5 * minute).Format("4 * * * *")
	w.cron("web", workloadRef("web"), replicasAt("first", w.schedule(10*minute), 7), replicasAt("hourly", hourly, 4))
	late := w.deployment("late", 3)
	rule := replicasAt("out", w.schedule(10*minute), 10)
	rule.StartingDeadlineSeconds = ptr.To[int32](60)
	w.cron(late.Name, workloadRef(late.Name), rule)
	kill := w.lead(nil)
	_, _ = w.observed("web"), w.observed("late")
	kill()

	w.setClock(5*time.Hour + 10*minute)
	w.lead(nil)
	w.Eventually(func() string { return w.cronStatus("web").RuleInForce }).Should(gomega.Equal("hourly"))
	w.Expect(w.replicas("web")).To(gomega.Equal(int32(4)), "the latest due firing, not those before it")
	status := w.cronStatus("web")
	w.Expect(results(status.Rules[0])).To(gomega.Equal("Missed*1"))
	w.Expect(results(status.Rules[1])).To(gomega.Equal("Applied*1 Missed*4"))

	w.Eventually(func() v1alpha1.FiringResult { return w.cronStatus("late").LastResult }).Should(gomega.Equal(v1alpha1.FiringMissed))
	w.Expect(w.replicas("late")).To(gomega.Equal(int32(3)), "applied beyond its deadline")
	w.Eventually(func() []string { return w.told("late", v1alpha1.CronHPAReasonFiringMissed) }).
		Should(gomega.ConsistOf(gomega.ContainSubstring("scale by hand if it is still wanted")))
	w.Eventually(func() []string { return w.told("web", v1alpha1.CronHPAReasonFiringMissed) }).Should(gomega.HaveLen(2))
}

// results is a rule's history in one line, newest first.
func results(rule v1alpha1.CronHPARuleStatus) string {
	out := ""
	for i, f := range rule.History {
		if i > 0 {
			out += " "
		}
		out += string(f.Result) + "*" + itoa(f.Count)
	}
	return out
}

func TestRulesDueAtOneInstant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployment("web", 3)
	at := w.schedule(10 * minute)
	w.cron("web", workloadRef("web"), replicasAt("first", at, 8), replicasAt("last", at, 5))
	w.lead(nil)
	_ = w.observed("web")
	w.setClock(10 * minute)
	w.Eventually(func() string { return w.cronStatus("web").RuleInForce }).Should(gomega.Equal("last"))
	w.Expect(w.replicas("web")).To(gomega.Equal(int32(5)))
	w.Expect(results(w.cronStatus("web").Rules[0])).To(gomega.Equal("Superseded*1"))
	w.Eventually(func() int { return w.events(v1alpha1.CronHPAReasonRulesOverlap) }).Should(gomega.Equal(1))
}

func TestRunOnceSuspendAndResume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployment("web", 3)
	once := replicasAt("once", "*/10 * * * *", 9)
	once.RunOnce = true
	asleep := replicasAt("asleep", w.schedule(60*minute), 1)
	asleep.Suspend = true
	w.cron("web", workloadRef("web"), once, asleep)
	w.lead(nil)
	_ = w.observed("web")

	w.setClock(12 * minute)
	w.Eventually(func() int32 { return w.replicas("web") }).Should(gomega.Equal(int32(9)))
	w.Eventually(func() bool { return w.cronStatus("web").Rules[0].Finished }).Should(gomega.BeTrue())
	w.scale(2)
	w.setClock(70 * minute)
	w.Consistently(func() int32 { return w.replicas("web") }, "500ms").Should(gomega.Equal(int32(2)), "a finished or suspended rule fired")

	// Resumed after its time: what it slept through never comes due.
	c := &v1alpha1.CronHPA{}
	w.Eventually(func() error {
		if err := apiserver.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: "web"}, c); err != nil {
			return err
		}
		c.Spec.Rules[1].Suspend = false
		return apiserver.Update(w.ctx, c)
	}).Should(gomega.Succeed())
	w.Eventually(func() int64 { return w.cronStatus("web").ObservedGeneration }).Should(gomega.Equal(c.Generation))
	w.Consistently(func() int32 { return w.replicas("web") }, "300ms").Should(gomega.Equal(int32(2)))
	w.Expect(w.cronStatus("web").Rules[1].NextRunTime).NotTo(gomega.BeNil())
}

func TestClockGoingBackwards(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployment("web", 3)
	w.cron("web", workloadRef("web"), replicasAt("out", w.schedule(10*minute), 10), replicasAt("in", w.schedule(40*minute), 4))
	kill := w.lead(nil)
	_ = w.observed("web")
	w.setClock(11 * minute)
	w.Eventually(func() string { return w.cronStatus("web").RuleInForce }).Should(gomega.Equal("out"))
	kill()
	w.scale(5)

	// The next leader's clock is behind: the firing lies ahead of it, and is handled all the same.
	w.setClock(9 * minute)
	w.lead(nil)
	w.touch("web")
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("False/ClockBackwards"))
	w.Eventually(func() []string { return w.told("web", v1alpha1.CronHPAReasonClockBackwards) }).
		Should(gomega.ConsistOf(gomega.ContainSubstring("check the clocks of the machines that run argosy-controller-manager")))
	w.setClock(12 * minute)
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("True/Scheduled"))
	w.Expect(w.replicas("web")).To(gomega.Equal(int32(5)), "fired twice")
	w.setClock(40 * minute)
	w.Eventually(func() int32 { return w.replicas("web") }).Should(gomega.Equal(int32(4)))
}

// touch changes something that is no timetable, so that the controller looks.
func (w *world) touch(name string) {
	w.t.Helper()
	c := &v1alpha1.CronHPA{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	w.Expect(apiserver.Patch(w.ctx, c, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"failedHistoryLimit":5}}`)))).
		To(gomega.Succeed())
}

func TestAFedHPAIsOfferedBoundsAndNeverWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fed := &v1alpha1.FedHPA{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "web"},
		Spec: v1alpha1.FedHPASpec{
			ScaleTargetRef: workloadRef("web"), MinReplicas: 2, MaxReplicas: 8,
			Metrics: []autoscalingv2.MetricSpec{{
				Type: autoscalingv2.ResourceMetricSourceType,
				Resource: &autoscalingv2.ResourceMetricSource{
					Name:   corev1.ResourceCPU,
					Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: ptr.To[int32](60)},
				},
			}},
		},
	}
	w.create(fed)
	target := autoscalingv2.CrossVersionObjectReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: "FedHPA", Name: "web"}
	onlyMin := v1alpha1.CronHPARule{Name: "day", Schedule: w.schedule(10 * minute), TargetMinReplicas: ptr.To[int32](6)}
	w.cron("web", target, onlyMin, boundsAt("peak", w.schedule(20*minute), 10, 40))
	w.lead(nil)
	w.Expect(w.observed("web").Bounds).To(gomega.BeNil(), "bounds are offered before any rule fired")

	w.setClock(10 * minute)
	w.Eventually(func() *v1alpha1.ReplicaBounds { return w.cronStatus("web").Bounds }).
		Should(gomega.Equal(&v1alpha1.ReplicaBounds{RuleName: "day", MinReplicas: ptr.To[int32](6)}))
	w.setClock(20 * minute)
	w.Eventually(func() *v1alpha1.ReplicaBounds { return w.cronStatus("web").Bounds }).
		Should(gomega.Equal(&v1alpha1.ReplicaBounds{RuleName: "peak", MinReplicas: ptr.To[int32](10), MaxReplicas: ptr.To[int32](40)}))

	after := &v1alpha1.FedHPA{}
	w.Expect(apiserver.Get(w.ctx, client.ObjectKeyFromObject(fed), after)).To(gomega.Succeed())
	w.Expect(after.ResourceVersion).To(gomega.Equal(fed.ResourceVersion), "the FedHPA was written")
}
