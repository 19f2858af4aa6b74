package vm

import (
	"testing"
	"time"

	"github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// TestMadeAgainAtOnce: a set that is deleted and made again under its name, before the one of before is gone, ends with machines of its own
// and none of the other's.
func TestMadeAgainAtOnce(t *testing.T) {
	w := newWorld(t)
	w.lead()
	running := []string{"web-1 Deploying Running", "web-2 Deploying Running"}
	first, second := w.set("web", 2), w.set("web", 2)
	for _, set := range []*v1alpha1.VMReplicaSet{first, second} {
		set.Spec.RemovalPolicy = v1alpha1.RemovalDelete
	}
	w.create(first)
	w.Eventually(w.seen).Should(gomega.Equal(running))
	before := map[string]bool{w.key("web-1"): true, w.key("web-2"): true}
	w.Expect(api.Delete(w.ctx, first)).To(gomega.Succeed())
	w.Eventually(func() error { return api.Create(w.ctx, second) }).Should(gomega.Succeed())
	w.Eventually(w.seen).Should(gomega.Equal(running))
	w.Expect(w.machines()).To(gomega.ConsistOf("web-1", "web-2"))
	for _, name := range []string{"web-1", "web-2"} {
		w.Expect(before).NotTo(gomega.HaveKey(w.key(name)), "a machine of the set of before")
	}
	w.Expect(w.system.Made()).To(gomega.Equal(4))
}

// TestTwoManagers that lead at once, as one that was cut off does beside its follower: each makes the Servers that the other makes, each
// machine is made once, and each that goes is gone.
func TestTwoManagers(t *testing.T) {
	w := newWorld(t)
	w.leadAs("one")
	w.leadAs("other")
	set := w.set("web", 4)
	w.create(set)
	w.Eventually(w.seen).Should(gomega.And(gomega.HaveLen(4), gomega.HaveEach(gomega.HaveSuffix("Deploying Running"))))
	w.Expect(w.system.Made()).To(gomega.Equal(4))
	w.Expect(w.machines()).To(gomega.ConsistOf("web-1", "web-2", "web-3", "web-4"))
	change(w, set, func(s *v1alpha1.VMReplicaSet) { *s.Spec.Replicas = 2 })
	w.Eventually(w.machines).Should(gomega.ConsistOf("web-1", "web-2"))
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-2 Deploying Running"}))
	w.Expect(api.Get(w.ctx, client.ObjectKeyFromObject(set), set)).To(gomega.Succeed())
	w.Expect(set.Status.LastSlot).To(gomega.Equal(int64(4)), "numbers that were ever used")
	w.Expect(w.system.Made()).To(gomega.Equal(4))
}

// TestDiesAfterTheRollout: a release that is delivered stays so when a server dies long after, and says who does not serve. One that is
// born gets it, and nobody is asked again.
func TestDiesAfterTheRollout(t *testing.T) {
	w, store := newGuests(t)
	w.lead()
	set := probed(w.guests("web", 2))
	set.Spec.Failover.MaxUnhealthy = ptr.To(intstr.FromInt32(2))
	deployment := w.deployment(store.release("1.0", startup))
	deployment.Spec.Strategy.Batches = []intstr.IntOrString{intstr.FromString("100%")}
	deployment.Spec.Strategy.PauseBetween = v1alpha1.PauseApproval
	deployment.Spec.Gates = []gatev1alpha1.Gate{{Name: "release", Stage: gatev1alpha1.StageCode}}
	w.create(set, deployment)
	asked := func() []gatev1alpha1.PendingApproval {
		w.Expect(api.Get(w.ctx, client.ObjectKeyFromObject(deployment), deployment)).To(gomega.Succeed())
		return deployment.Status.PendingApprovals
	}
	w.Eventually(asked).Should(gomega.HaveLen(1))
	w.Expect(approve(w, w.as("ann", approver), deployment, asked()[0])).To(gomega.Succeed())
	says := func(kind string) func() string { return func() string { return w.deploymentSays(kind) } }
	w.Eventually(says(v1alpha1.ConditionComplete)).Should(gomega.HavePrefix("True RolloutComplete"))
	w.Expect(w.deploymentSays(v1alpha1.ConditionAvailable)).
		To(gomega.Equal("True MinimumServersAvailable: 2 of 2 servers serve, and 1 must"))

	// The decision is nobody's any more, as an old one is after a while.
	change(w, deployment, func(d *v1alpha1.VMDeployment) { d.Spec.Approvals = nil })
	w.Expect(w.system.Kill(w.key("web-2"))).To(gomega.BeTrue())
	w.Eventually(says(v1alpha1.ConditionAvailable)).
		Should(gomega.Equal("True MinimumServersAvailable: 1 of 2 servers serve, and 1 must: web-2 is Unknown"))
	w.clock.pass(time.Hour)
	change(w, deployment, func(d *v1alpha1.VMDeployment) { d.Spec.ProgressDeadlineSeconds = ptr.To[int32](60) })
	w.Eventually(says(v1alpha1.ConditionComplete)).Should(gomega.HavePrefix("True RolloutComplete"))
	w.Expect(w.deploymentSays(v1alpha1.ConditionStalled)).To(gomega.HavePrefix("False RollingOut"))
	w.scale(set, 3)
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Ready Running", "web-2 Unknown Stopped", "web-3 Ready Running"}))
	w.Expect(asked()).To(gomega.BeEmpty())
	w.Expect(w.answer("web-3")).To(gomega.Equal("1.0"))
}

// TestReadyWithoutAMachine: a person who says that a server is Ready which has no machine is told that there is none; nothing says that it
// serves.
func TestReadyWithoutAMachine(t *testing.T) {
	w := newWorld(t)
	w.lead()
	set := w.set("web", 1)
	set.Spec.Gates = []gatev1alpha1.Gate{{Name: "make", Stage: gatev1alpha1.StageProvision}}
	w.create(set)
	w.Eventually(w.pending).Should(gomega.HaveLen(1))
	w.force("web-1", v1alpha1.ServerReady)
	says := func(kind string) func() string {
		return func() string { return saysOf(w.server("web-1").Status.Conditions, kind) }
	}
	w.Eventually(says(v1alpha1.ConditionTaskBlocked)).Should(gomega.And(
		gomega.HavePrefix("True TaskFailed: task attach-monitor-"),
		gomega.HaveSuffix("there is no machine, and nothing makes one in state Ready")))
	w.Expect(says(v1alpha1.ConditionReady)()).To(gomega.HavePrefix("False Override: "))
	w.Expect(says(v1alpha1.ConditionMonitored)()).To(gomega.BeEmpty())
	w.Expect(w.machines()).To(gomega.BeEmpty())
	w.Expect(patch(w.ctx, w.as("olga", operator), w.server("web-1"), `{"spec":{"override":null}}`)).To(gomega.Succeed())
	w.Eventually(w.pending).Should(gomega.HaveLen(1))
	w.Expect(approve(w, w.as("ann", approver), set, w.pending()[0])).To(gomega.Succeed())
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running"}))
}

// TestAClockThatWasBehind: a leader whose clock is an hour behind stamps what it sees, and dies. To the next nothing has lasted for an
// hour: a server that is unreachable since a moment is given up no earlier than any.
func TestAClockThatWasBehind(t *testing.T) {
	w := newWorld(t)
	w.clock.pass(-time.Hour)
	kill := w.leadAs("behind")
	set := w.set("web", 3)
	set.Spec.Failover = v1alpha1.Failover{Policy: v1alpha1.FailoverAuto, UnknownTimeoutSeconds: 300}
	w.create(set)
	w.Eventually(w.seen).Should(gomega.And(gomega.HaveLen(3), gomega.HaveEach(gomega.HaveSuffix("Deploying Running"))))
	w.Expect(w.system.Kill(w.key("web-2"))).To(gomega.BeTrue())
	w.Eventually(w.seen).Should(gomega.ContainElement("web-2 Unknown Stopped"))
	kill()
	w.clock.pass(time.Hour)
	w.leadAs("right")
	due := func() string { return saysOf(w.server("web-2").Status.Conditions, v1alpha1.ConditionFailoverDue) }
	w.Eventually(due).Should(gomega.ContainSubstring(", watched by this leader since "))
	w.clock.pass(4 * time.Minute)
	w.Consistently(w.machines, time.Second).Should(gomega.ConsistOf("web-1", "web-2", "web-3"))
	w.clock.pass(2 * time.Minute)
	w.Eventually(w.machines).Should(gomega.ConsistOf("web-1", "web-3", "web-4"))
}
