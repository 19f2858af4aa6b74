package cronhpa

import (
	"testing"
	"time"

	"github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/internal/fixture"
)

// TestReadyFollowsTheTarget: nothing is due for long, and Ready says at once what the next firing would meet.
func TestReadyFollowsTheTarget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	deployment := w.deployment("web", 3)
	w.cron("web", workloadRef("web"), replicasAt("out", w.schedule(1000*minute), 10))
	w.lead(nil)
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("True/Scheduled"))

	w.delete(deployment)
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("False/TargetNotFound"))
	w.Eventually(func() int { return w.events(v1alpha1.CronHPAReasonTargetNotFound) }).Should(gomega.Equal(1))
	w.deployment("web", 3)
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("True/Scheduled"))

	owner := w.hpa("owner", "web", 2, 8)
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("False/TargetOwnedByAutoscaler"))
	w.delete(owner)
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("True/Scheduled"))
}

// TestAScaledObjectOwnsItsTarget: KEDA makes an HPA of it in members, and what a rule sets would be set back there. Its kind may come late.
func TestAScaledObjectOwnsItsTarget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployment("web", 3)
	w.cron("web", workloadRef("web"), replicasAt("out", w.schedule(1000*minute), 10))
	w.lead(nil)
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("True/Scheduled"))

	w.create(fixture.ScaledObjectKind())
	scaled := autoscalers.NewScaledObject()
	scaled.SetNamespace(w.namespace)
	scaled.SetName("queue")
	scaled.Object["spec"] = map[string]any{"scaleTargetRef": map[string]any{"name": "web"}}
	w.Eventually(func() error { return apiserver.Create(w.ctx, scaled) }).Should(gomega.Succeed())
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("False/TargetOwnedByAutoscaler"))
	w.Eventually(func() []string { return w.told("web", v1alpha1.CronHPAReasonTargetOwned) }).
		Should(gomega.ContainElement(gomega.ContainSubstring("KEDA's ScaledObject queue")), "events are written behind the status")
	w.delete(scaled)
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("True/Scheduled"))
}

// TestAnAutoscalerThatIsGoneIsSaid likewise.
func TestAnAutoscalerThatIsGoneIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hpa := w.hpa("web", "web", 2, 8)
	w.cron("web", hpaRef("web"), boundsAt("peak", w.schedule(1000*minute), 10, 40))
	w.lead(nil)
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("True/Scheduled"))
	w.delete(hpa)
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("False/TargetNotFound"))
	w.hpa("web", "web", 2, 8)
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("True/Scheduled"))
}

// TestMembersThatKeepTheirReplicas: the control plane's number is set, and nobody is told that it reached a member.
func TestMembersThatKeepTheirReplicas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployment("web", 3)
	w.label("web", `"true"`)
	w.cron("web", workloadRef("web"), replicasAt("out", w.schedule(10*minute), 10))
	w.lead(nil)
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("False/MembersKeepReplicas"))

	w.setClock(10 * minute)
	w.Eventually(func() string { return w.cronStatus("web").RuleInForce }).Should(gomega.Equal("out"))
	w.Expect(w.replicas("web")).To(gomega.Equal(int32(10)))
	w.Expect(w.cronStatus("web").Rules[0].History[0].Message).To(gomega.ContainSubstring("reaches none that runs it"))
	w.Eventually(func() []string { return w.told("web", v1alpha1.CronHPAReasonFiringApplied) }).
		Should(gomega.ConsistOf(gomega.ContainSubstring("reaches none that runs it")))
	w.Expect(w.ready("web")).To(gomega.Equal("False/MembersKeepReplicas"))

	w.label("web", "null")
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("True/Scheduled"))
}

// TestATargetThatIsCutOff: after a rollback no rule scales the template, and the CronHPA says so; the firing comes once the workload is
// adopted again.
func TestATargetThatIsCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.deployment("web", 3)
	w.cron("web", workloadRef("web"), replicasAt("out", w.schedule(10*minute), 10))
	w.lead(nil)
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("True/Scheduled"))
	mark := func(value string) {
		patch := `{"metadata":{"annotations":{"migration.argosy.dev/cut-off":` + value + `}}}`
		w.Expect(apiserver.Patch(w.ctx, d, client.RawPatch(types.MergePatchType, []byte(patch)))).To(gomega.Succeed())
	}
	mark(`"deployment-web"`)
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("False/CutOff"))

	w.setClock(10 * minute)
	w.Eventually(func() string { return results(w.cronStatus("web").Rules[0]) }).Should(gomega.Equal("Failed*1"))
	w.Expect(w.cronStatus("web").Rules[0].History[0].Message).To(gomega.ContainSubstring("cut off from the federation"))
	w.Expect(w.replicas("web")).To(gomega.Equal(int32(3)))

	mark("null")
	w.Eventually(func() int32 { return w.replicas("web") }).Should(gomega.Equal(int32(10)))
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("True/Scheduled"))
}

// label sets the label by which the members keep their replicas.
func (w *world) label(name, value string) {
	w.t.Helper()
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	patch := `{"metadata":{"labels":{"resourcetemplate.karmada.io/retain-replicas":` + value + `}}}`
	w.Expect(apiserver.Patch(w.ctx, d, client.RawPatch(types.MergePatchType, []byte(patch)))).To(gomega.Succeed())
}

// TestAFiringThatIsGivenUpSaysSo: whoever creates the target after the deadline is not left to wait.
func TestAFiringThatIsGivenUpSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rule := replicasAt("up", w.schedule(10*minute), 4)
	rule.StartingDeadlineSeconds = ptr.To[int32](30)
	w.cron("web", workloadRef("web"), rule)
	w.lead(nil)
	_ = w.observed("web")
	w.setClock(10 * minute)
	w.Eventually(func() string { return results(w.cronStatus("web").Rules[0]) }).Should(gomega.Equal("Failed*1"))
	w.setClock(10*minute + 31*time.Second)
	w.Eventually(func() string { return results(w.cronStatus("web").Rules[0]) }).Should(gomega.Equal("Missed*1"))
	message := w.cronStatus("web").Rules[0].History[0].Message
	w.Expect(message).To(gomega.ContainSubstring("given up"))
	w.Expect(message).To(gomega.ContainSubstring("Deployment web does not exist"))
	w.Eventually(func() []string { return w.told("web", v1alpha1.CronHPAReasonFiringMissed) }).
		Should(gomega.ConsistOf(gomega.ContainSubstring("is not tried again")))
}

// federate makes an HPA and the FedHPA that the alias controller keeps for it.
func (w *world) federate(name, workload string, minimum, maximum int32) {
	w.t.Helper()
	hpa := w.hpa(name, workload, minimum, maximum)
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"`+v1alpha1.FederateAnnotation+`":"true"}}}`))
	w.Expect(apiserver.Patch(w.ctx, hpa, patch)).To(gomega.Succeed())
	w.create(&v1alpha1.FedHPA{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name, OwnerReferences: []metav1.OwnerReference{
			*metav1.NewControllerRef(hpa, autoscalingv2.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler")),
		}},
		Spec: v1alpha1.FedHPASpec{ScaleTargetRef: workloadRef(workload), MinReplicas: minimum, MaxReplicas: maximum},
	})
}

// TestTwoNamesOfOneAutoscaler: an HPA and the FedHPA made from it are one target.
func TestTwoNamesOfOneAutoscaler(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.federate("web", "web", 2, 6)
	w.hpa("plain", "other", 2, 6)
	w.create(&v1alpha1.FedHPA{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "plain"},
		Spec:       v1alpha1.FedHPASpec{ScaleTargetRef: workloadRef("another"), MinReplicas: 2, MaxReplicas: 6},
	})
	w.cron("first", hpaRef("web"), boundsAt("via-hpa", w.schedule(20*minute), 3, 9))
	w.cron("plain", hpaRef("plain"), boundsAt("via-hpa", w.schedule(20*minute), 3, 9))
	second := &v1alpha1.CronHPA{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "second"},
		Spec: v1alpha1.CronHPASpec{
			ScaleTargetRef: fedRef("web"), Rules: []v1alpha1.CronHPARule{boundsAt("via-fedhpa", w.schedule(10*minute), 4, 5)},
		},
	}
	got := w.ask(second)
	w.Expect(got.Allowed).To(gomega.BeFalse())
	w.Expect(got.Result.Message).To(gomega.ContainSubstring("the same autoscaler as FedHPA web"))
	apart := second.DeepCopy()
	apart.Spec.ScaleTargetRef = fedRef("plain")
	w.Expect(w.ask(apart).Allowed).To(gomega.BeTrue(), "an HPA and a FedHPA that have but their name in common")

	// Past admission the older goes on and the younger says so, and offers nothing.
	w.cron("second", fedRef("web"), boundsAt("via-fedhpa", w.schedule(10*minute), 4, 5))
	w.lead(nil)
	w.Eventually(func() string { return w.ready("second") }).Should(gomega.Equal("False/TargetSharedByCronHPAs"))
	w.setClock(10 * minute)
	w.Eventually(func() v1alpha1.FiringResult { return w.cronStatus("second").LastResult }).Should(gomega.Equal(v1alpha1.FiringFailed))
	w.Expect(w.cronStatus("second").Bounds).To(gomega.BeNil())
	w.setClock(20 * minute)
	w.Eventually(func() [2]int32 { return w.bounds("web") }).Should(gomega.Equal([2]int32{3, 9}))
}
