package component

import (
	"fmt"
	"testing"
	"time"

	"github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
)

// inSteps is a Component of four copies whose changes come to one, after an approval to two, and after a second to all.
func (w *world) inSteps(name string) *v1alpha1.Component {
	c := w.five(name)
	c.Spec.Replicas = ptr.To[int32](4)
	c.Spec.Strategy = v1alpha1.Strategy{Type: v1alpha1.StrategyCanary, Canary: &v1alpha1.CanaryStrategy{Steps: []v1alpha1.CanaryStep{
		{Replicas: intstr.FromInt32(1), Pause: v1alpha1.CanaryPauseApproval},
		{Replicas: intstr.FromString("50%"), Pause: v1alpha1.CanaryPauseSeconds, PauseSeconds: ptr.To[int32](1)},
	}}}
	return c
}

// copies are "image x asked for" of a Deployment; empty where there is none.
func (w *world) copies(name string) string {
	w.t.Helper()
	d := &appsv1.Deployment{ObjectMeta: w.meta(name)}
	if !w.get(d) {
		return ""
	}
	return fmt.Sprintf("%s x%d", d.Spec.Template.Spec.Containers[0].Image, ptr.Deref(d.Spec.Replicas, 1))
}

func (w *world) have(name, want string) {
	w.t.Helper()
	w.Eventually(func() string { return w.copies(name) }).Should(gomega.Equal(want))
}

func (w *world) approve(name string) {
	w.t.Helper()
	w.approvals(name, gatev1alpha1.Approve)
}

// approvals is what admission stores of a person's decision about what waits.
func (w *world) approvals(name string, decision gatev1alpha1.ApprovalDecision) {
	w.t.Helper()
	change(w, w.five(name), func(c *v1alpha1.Component) {
		at := metav1.NewTime(time.Now()) //nolint:forbidigo // A person's.
		c.Spec.Approvals = append(c.Spec.Approvals, gatev1alpha1.Approval{
			Gate: gatev1alpha1.GateCanary, OperationID: c.Status.PendingApprovals[0].OperationID, Decision: decision, By: "ann", At: &at,
			Reason: "so",
		})
	})
}

// TestCanary: a change comes to one copy, and no further without a person; the copies of before go one by one as those of the change
// serve; in the end there is one Deployment again. Its undoing puts everything back.
func TestCanary(t *testing.T) {
	w := newWorld(t)
	kill := w.lead(nil)
	w.create(w.inSteps("demo"))
	w.serves("demo", 0)
	w.says("demo", v1alpha1.ConditionReady, "True ReplicasReady")
	change(w, w.five("demo"), func(c *v1alpha1.Component) { c.Spec.Image = "python-demo:2" })
	w.have("demo-canary", "python-demo:2 x1")
	w.Expect(w.copies("demo")).To(gomega.Equal("python-demo:latest x4"), "nobody goes before the new copy serves")
	w.serves("demo-canary", 0)
	w.have("demo", "python-demo:latest x3")
	w.serves("demo", 0)
	message := w.says("demo", v1alpha1.ConditionProgressing, "True CanaryPaused")
	w.Expect(message).To(gomega.ContainSubstring("waits for an approval of operation op-"))
	kill()
	w.lead(nil)
	w.Consistently(func() string { return w.copies("demo") + ", " + w.copies("demo-canary") }, "2s").
		Should(gomega.Equal("python-demo:latest x3, python-demo:2 x1"), "nobody approved")
	c := w.five("demo")
	w.get(c)
	w.Expect(c.Status.UpdatedReplicas).To(gomega.BeEquivalentTo(1))
	w.Expect(c.Status.Replicas).To(gomega.BeEquivalentTo(4))

	// Undone: as it was, and the second Deployment is gone.
	change(w, c, func(c *v1alpha1.Component) { c.Spec.Image = "python-demo:latest" })
	w.have("demo", "python-demo:latest x4")
	w.serves("demo", 0)
	w.have("demo-canary", "")
	w.says("demo", v1alpha1.ConditionProgressing, "False RolloutComplete")
	w.Eventually(func() any { w.get(c); return c.Status.Canary }).Should(gomega.BeNil())

	// Once more, to the end.
	change(w, c, func(c *v1alpha1.Component) { c.Spec.Image = "python-demo:3" })
	w.have("demo-canary", "python-demo:3 x1")
	w.serves("demo-canary", 0)
	w.have("demo", "python-demo:latest x3")
	w.serves("demo", 0)
	w.says("demo", v1alpha1.ConditionProgressing, "True CanaryPaused")
	w.Eventually(func() int { w.get(c); return len(c.Status.PendingApprovals) }).Should(gomega.Equal(1))
	w.approve("demo")
	w.have("demo-canary", "python-demo:3 x2")
	w.serves("demo-canary", 0)
	w.have("demo", "python-demo:3 x4")
	w.Expect(w.copies("demo-canary")).To(gomega.Equal("python-demo:3 x2"), "it stays until the others serve")
	w.serves("demo", 0)
	w.have("demo-canary", "")
	w.says("demo", v1alpha1.ConditionProgressing, "False RolloutComplete")
	w.Eventually(func() v1alpha1.CanaryState { w.get(c); return c.Status.Canary.State }).Should(gomega.Equal(v1alpha1.CanaryCompleted))
}

// TestCanaryWithoutItsDeployment: whoever deletes the Deployment while a change waits, or was rejected, does not let the change through.
func TestCanaryWithoutItsDeployment(t *testing.T) {
	w := newWorld(t)
	kill := w.lead(nil)
	w.create(w.inSteps("demo"))
	w.serves("demo", 0)
	w.says("demo", v1alpha1.ConditionReady, "True ReplicasReady")
	change(w, w.five("demo"), func(c *v1alpha1.Component) { c.Spec.Image = "python-demo:2" })
	w.have("demo-canary", "python-demo:2 x1")
	w.serves("demo-canary", 0)
	w.have("demo", "python-demo:latest x3")
	w.serves("demo", 0)
	w.says("demo", v1alpha1.ConditionProgressing, "True CanaryPaused")
	w.approvals("demo", gatev1alpha1.Reject)
	w.Eventually(func() string { _, message := w.condition("demo", v1alpha1.ConditionProgressing); return message }).
		Should(gomega.ContainSubstring("ann rejected the next step"))

	first := w.deployment("demo")
	w.Expect(api.Delete(w.ctx, first)).To(gomega.Succeed())
	w.Eventually(func() bool { return w.deployment("demo").UID != first.UID }).Should(gomega.BeTrue())
	w.Expect(w.image("demo")).To(gomega.Equal("python-demo:latest"))
	w.says("demo", v1alpha1.ConditionReady, "Unknown NotObserved")
	w.serves("demo", 0)
	w.have("demo", "python-demo:latest x3")
	w.Expect(w.copies("demo-canary")).To(gomega.Equal("python-demo:2 x1"))

	// And once more, while nobody looks.
	kill()
	w.Expect(api.Delete(w.ctx, w.deployment("demo"))).To(gomega.Succeed())
	w.lead(nil)
	w.have("demo", "python-demo:latest x3")
	w.serves("demo", 0)
	w.Eventually(func() string { _, message := w.condition("demo", v1alpha1.ConditionProgressing); return message }).
		Should(gomega.ContainSubstring("ann rejected the next step"))
}

// TestCanaryOfStatefulSet goes by its partition.
func TestCanaryOfStatefulSet(t *testing.T) {
	w := newWorld(t)
	w.lead(nil)
	first := w.inSteps("demo")
	first.Spec.WorkloadType = v1alpha1.WorkloadStatefulSet
	w.create(first)
	// is plays the controller: so many copies are of the change.
	is := func(updated int32) {
		w.Eventually(func() error {
			s := &appsv1.StatefulSet{ObjectMeta: w.meta("demo")}
			if !w.get(s) {
				return fmt.Errorf("no StatefulSet")
			}
			s.Status = appsv1.StatefulSetStatus{
				ObservedGeneration: s.Generation, Replicas: 4, ReadyReplicas: 4, AvailableReplicas: 4, UpdatedReplicas: updated,
				CurrentRevision: "a", UpdateRevision: "b",
			}
			if updated == 4 {
				s.Status.CurrentRevision = "b"
			}
			return api.Status().Update(w.ctx, s)
		}).Should(gomega.Succeed())
	}
	keeps := func(want string) {
		w.t.Helper()
		w.Eventually(func() string {
			s := &appsv1.StatefulSet{ObjectMeta: w.meta("demo")}
			if !w.get(s) {
				return "none"
			}
			kept := int32(0)
			if rolling := s.Spec.UpdateStrategy.RollingUpdate; rolling != nil {
				kept = ptr.Deref(rolling.Partition, 0)
			}
			return fmt.Sprintf("%s, %d kept", s.Spec.Template.Spec.Containers[0].Image, kept)
		}).Should(gomega.Equal(want))
	}
	keeps("python-demo:latest, 0 kept")
	is(4)
	w.says("demo", v1alpha1.ConditionReady, "True ReplicasReady")
	c := change(w, w.five("demo"), func(c *v1alpha1.Component) { c.Spec.Image = "python-demo:2" })
	keeps("python-demo:2, 3 kept")
	is(1)
	w.says("demo", v1alpha1.ConditionProgressing, "True CanaryPaused")
	// Whoever deletes it does not let the change through: the pods of before come first, and the change when they were seen.
	w.Expect(api.Delete(w.ctx, &appsv1.StatefulSet{ObjectMeta: w.meta("demo")})).To(gomega.Succeed())
	keeps("python-demo:latest, 0 kept")
	is(4)
	keeps("python-demo:2, 3 kept")
	is(1)
	w.says("demo", v1alpha1.ConditionProgressing, "True CanaryPaused")
	w.Eventually(func() int { w.get(c); return len(c.Status.PendingApprovals) }).Should(gomega.Equal(1))
	w.approve("demo")
	keeps("python-demo:2, 2 kept")
	is(2)
	keeps("python-demo:2, 0 kept")
	is(4)
	w.says("demo", v1alpha1.ConditionProgressing, "False RolloutComplete")
}
