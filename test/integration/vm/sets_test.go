package vm

import (
	"net/http"
	"testing"
	"time"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/machine/httpdriver"
	"github.com/argosy-dev/argosy/test/lab/iaas"
)

// TestMachinesAreMade: a set becomes Servers, and each of them one machine; what is said is what is seen.
func TestMachinesAreMade(t *testing.T) {
	w := newWorld(t)
	w.lead()
	set := w.set("web", 3)
	w.create(set)
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-2 Deploying Running", "web-3 Deploying Running"}))
	w.Expect(w.machines()).To(gomega.ConsistOf("web-1", "web-2", "web-3"))
	w.Eventually(func() []string {
		var ids []string
		for _, s := range w.servers() {
			ids = append(ids, s.Spec.ProviderID)
		}
		return ids
	}).Should(gomega.ConsistOf("vm-1", "vm-2", "vm-3"))
	w.Eventually(func(g gomega.Gomega) {
		for _, s := range w.servers() {
			g.Expect(metav1.IsControlledBy(&s, set)).To(gomega.BeTrue())
			g.Expect(s.Status.Creation).To(gomega.HaveField("State", v1alpha1.CreationDone))
			g.Expect(s.Status.Addresses).NotTo(gomega.BeEmpty())
			g.Expect(s.Status.Lock.Holder).To(gomega.BeEmpty(), "the lock is kept")
			reachable := saysOf(s.Status.Conditions, v1alpha1.ConditionReachable)
			g.Expect(reachable).To(gomega.HavePrefix("Unknown NothingToAsk: the driver says that it runs"))
			g.Expect(saysOf(s.Status.Conditions, v1alpha1.ConditionReady)).To(gomega.HavePrefix("False " + v1alpha1.ReasonNoRelease + ": "))
		}
	}).Should(gomega.Succeed())
	w.Eventually(func(g gomega.Gomega) {
		g.Expect(api.Get(w.ctx, client.ObjectKeyFromObject(set), set)).To(gomega.Succeed())
		g.Expect(set.Status.DeployingReplicas).To(gomega.Equal(int32(3)))
		g.Expect([]int32{set.Status.Replicas, set.Status.UpdatedReplicas, set.Status.ReadyReplicas}).To(gomega.Equal([]int32{3, 3, 0}))
		g.Expect(set.Status.LastSlot).To(gomega.Equal(int64(3)))
		g.Expect(saysOf(set.Status.Conditions, v1alpha1.ConditionProgressing)).To(gomega.HavePrefix("False RolloutComplete"))
	}).Should(gomega.Succeed())

	change(w, set, func(s *v1alpha1.VMReplicaSet) { s.Spec.Replicas = ptr.To[int32](5) })
	w.Eventually(w.machines).Should(gomega.HaveLen(5))
	change(w, set, func(s *v1alpha1.VMReplicaSet) { s.Spec.Replicas = ptr.To[int32](4) })
	w.Eventually(w.machines).Should(gomega.ConsistOf("web-1", "web-2", "web-3", "web-4"))
	w.Eventually(w.servers).Should(gomega.HaveLen(4))
	w.Expect(w.system.Made()).To(gomega.Equal(5))
}

// TestWhatIsNotDelivered: nothing is made of a template that cannot be delivered here, and it is said why.
func TestWhatIsNotDelivered(t *testing.T) {
	w := newWorld(t)
	w.lead()
	other := w.set("other", 2)
	other.Spec.Template.Spec.Machine.Driver = "openstack"
	never := w.set("never", 1)
	never.Spec.Template.Spec.Machine.Image = "no/such"
	w.create(other, never)
	w.Eventually(func() string { return w.says("other", v1alpha1.ConditionReplicaFailure) }).Should(
		gomega.HavePrefix(`True TemplateNotSupported: machine driver "openstack" is not configured here; there is: http`))
	w.Eventually(func() string { return w.says("never", v1alpha1.ConditionReplicaFailure) }).
		Should(gomega.HavePrefix("True ServerCreateFailed: never-1: "))
	w.Expect(w.machines()).To(gomega.BeEmpty())
	w.Expect(w.servers()).To(gomega.HaveLen(1))

	change(w, never, func(s *v1alpha1.VMReplicaSet) { s.Spec.Replicas = ptr.To[int32](0) })
	w.Eventually(w.servers).Should(gomega.BeEmpty())
}

// TestNobodyGivesWayToNobody: machines that are to be replaced by ones that cannot be made here stay.
func TestNobodyGivesWayToNobody(t *testing.T) {
	w := newWorld(t)
	w.lead()
	set := w.set("web", 2)
	set.Spec.UpdateStrategy.OnMachineChange = v1alpha1.MachineChangeReplace
	w.create(set)
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-2 Deploying Running"}))
	change(w, set, func(s *v1alpha1.VMReplicaSet) { s.Spec.Template.Spec.Machine.Driver = "openstack" })
	w.Eventually(func() string { return w.says("web", v1alpha1.ConditionReplicaFailure) }).
		Should(gomega.HavePrefix(`True TemplateNotSupported: machine driver "openstack" is not configured here`))
	w.Consistently(w.seen, time.Second).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-2 Deploying Running"}))
	change(w, set, func(s *v1alpha1.VMReplicaSet) {
		s.Spec.Template.Spec.Machine.Driver, s.Spec.Template.Spec.Machine.Class = httpdriver.Name, "large"
	})
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-3 Deploying Running", "web-4 Deploying Running"}))
}

// TestADeadMachineIsReplaced: within the budget, and by one.
func TestADeadMachineIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.lead()
	set := w.set("web", 3)
	set.Spec.Failover = v1alpha1.Failover{Policy: v1alpha1.FailoverAuto, UnknownTimeoutSeconds: 30}
	w.create(set)
	w.Eventually(w.machines).Should(gomega.HaveLen(3))
	w.Eventually(w.seen).Should(gomega.HaveEach(gomega.HaveSuffix("Deploying Running")))
	w.Expect(w.system.Kill(w.key("web-2"))).To(gomega.BeTrue())
	w.Eventually(w.seen).Should(gomega.ContainElement("web-2 Unknown Stopped"))
	w.Consistently(w.machines, time.Second).Should(gomega.ConsistOf("web-1", "web-2", "web-3"))
	w.clock.pass(31 * time.Second)
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-3 Deploying Running", "web-4 Deploying Running"}))
	w.Expect(w.machines()).To(gomega.ConsistOf("web-1", "web-3", "web-4"))
	w.Expect(w.system.Made()).To(gomega.Equal(4))

	// Two of three at once are beyond 40 %: the fault is likely elsewhere.
	w.system.Kill(w.key("web-1"))
	w.system.Kill(w.key("web-3"))
	w.Eventually(func() string { return w.says("web", v1alpha1.ConditionRemediationAllowed) }).Should(
		gomega.Equal("False TooManyUnhealthy: 2 of 3 are unhealthy, and 1 may be"))
	w.clock.pass(10 * time.Minute)
	w.Consistently(w.machines, time.Second).Should(gomega.ConsistOf("web-1", "web-3", "web-4"))
	w.Expect(w.servers()).To(gomega.HaveLen(3))
}

// TestUnknownStaysUnknown: who cannot be asked about keeps its state, whatever answers in the system's place.
func TestUnknownStaysUnknown(t *testing.T) {
	w := newWorld(t)
	w.lead()
	set := w.set("web", 2)
	set.Spec.Failover = v1alpha1.Failover{Policy: v1alpha1.FailoverAuto, UnknownTimeoutSeconds: 30, MaxUnhealthy: ptr.To(intstr.FromInt32(2))}
	w.create(set)
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-2 Deploying Running"}))
	for _, fault := range []iaas.Fault{iaas.Refused, iaas.Page, iaas.Nonsense, iaas.Overloaded} {
		w.system.Fail(func(*http.Request) iaas.Fault { return fault })
		w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Unknown", "web-2 Deploying Unknown"}), string(fault))
		w.clock.pass(time.Hour)
		w.Consistently(w.seen, time.Second).Should(gomega.Equal([]string{"web-1 Deploying Unknown", "web-2 Deploying Unknown"}), string(fault))
		w.system.Fail(nil)
		w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-2 Deploying Running"}), string(fault))
	}
	w.Expect(w.system.Made()).To(gomega.Equal(2))
}

// TestGoneIsBelievedLate: one that vanished is replaced when it was not found over and over, and not while the system lists nothing at all.
func TestGoneIsBelievedLate(t *testing.T) {
	w := newWorld(t)
	w.lead()
	set := w.set("web", 2)
	set.Spec.Failover = v1alpha1.Failover{Policy: v1alpha1.FailoverAuto, UnknownTimeoutSeconds: 30, MaxUnhealthy: ptr.To(intstr.FromInt32(1))}
	w.create(set)
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-2 Deploying Running"}))
	w.system.Vanish(w.key("web-1"))
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Unknown", "web-2 Deploying Running"}))
	w.clock.pass(time.Minute)
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Unknown Gone", "web-2 Deploying Running"}))
	w.clock.pass(time.Minute)
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-2 Deploying Running", "web-3 Deploying Running"}))

	w.system.Vanish(w.key("web-2"))
	w.system.Vanish(w.key("web-3"))
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-2 Deploying Unknown", "web-3 Deploying Unknown"}))
	w.clock.pass(time.Hour)
	w.Consistently(w.seen, 2*time.Second).Should(gomega.Equal([]string{"web-2 Deploying Unknown", "web-3 Deploying Unknown"}))
}

// TestADeletedSetAsks: machines outlive the set's deletion until a person decides, and then go.
func TestADeletedSetAsks(t *testing.T) {
	for name, tc := range map[string]struct {
		policy v1alpha1.RemovalPolicy
		asks   bool
		left   int
	}{
		"Approve": {policy: v1alpha1.RemovalApprove, asks: true},
		"Delete":  {policy: v1alpha1.RemovalDelete},
		"Keep":    {policy: v1alpha1.RemovalKeep, left: 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.lead()
			set := w.set("web", 2)
			set.Spec.RemovalPolicy = tc.policy
			w.create(set)
			w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-2 Deploying Running"}))
			w.Expect(api.Delete(w.ctx, set)).To(gomega.Succeed())
			if tc.asks {
				w.Eventually(func() []gatev1alpha1.PendingApproval { return w.pending() }).Should(gomega.HaveLen(1))
				w.Consistently(w.machines, time.Second).Should(gomega.HaveLen(2))
				waiting := w.pending()[0]
				w.Expect(waiting.Gate).To(gomega.Equal(gatev1alpha1.GateRemoval))
				w.Expect(approve(w, w.as("ann", approver), set, waiting)).To(gomega.Succeed())
			}
			w.Eventually(func() string { return w.says("web", v1alpha1.ConditionProgressing) }).Should(gomega.Equal("gone"))
			w.Expect(w.servers()).To(gomega.BeEmpty())
			w.Expect(w.machines()).To(gomega.HaveLen(tc.left))
		})
	}
}

// TestASetThatWasTornAway: somebody takes its finalizer off a set whose machines wait for a person, and the garbage collector deletes its
// Servers, which the test does here. The machines stay; each Server asks by itself, and goes once a person said so.
func TestASetThatWasTornAway(t *testing.T) {
	w := newWorld(t)
	w.lead()
	set := w.set("web", 2)
	w.create(set)
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-2 Deploying Running"}))
	w.Expect(api.Delete(w.ctx, set)).To(gomega.Succeed())
	w.Eventually(func() []gatev1alpha1.PendingApproval { return w.pending() }).Should(gomega.HaveLen(1))
	w.Expect(patch(w.ctx, api, set, `{"metadata":{"finalizers":null}}`)).To(gomega.Succeed())
	w.Eventually(func() string { return w.says("web", v1alpha1.ConditionProgressing) }).Should(gomega.Equal("gone"))
	for _, name := range []string{"web-1", "web-2"} {
		w.Expect(api.Delete(w.ctx, &v1alpha1.Server{ObjectMeta: w.meta(name)})).To(gomega.Succeed())
	}
	asks := func() (out []string) {
		for _, s := range w.servers() {
			for _, p := range s.Status.PendingApprovals {
				out = append(out, s.Name+" "+p.Gate)
			}
		}
		return out
	}
	w.Eventually(asks).Should(gomega.ConsistOf("web-1 removal", "web-2 removal"))
	w.Consistently(w.machines, 2*time.Second).Should(gomega.HaveLen(2))
	w.Expect(w.seen()).To(gomega.Equal([]string{"web-1 Deploying Running", "web-2 Deploying Running"}), "they go on as they are")

	server := w.server("web-1")
	w.Expect(approve(w, w.as("ann", approver), server, server.Status.PendingApprovals[0])).To(gomega.Succeed())
	w.Eventually(w.machines).Should(gomega.ConsistOf("web-2"))
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-2 Deploying Running"}))
	w.Consistently(w.machines, time.Second).Should(gomega.ConsistOf("web-2"))
}

// TestATokenIsNeeded: without its Secret nothing is made and nothing fails for good; with it, it is.
func TestATokenIsNeeded(t *testing.T) {
	w := newWorld(t)
	w.lead()
	set := w.set("web", 1)
	set.Spec.Template.Spec.Machine.CredentialsRef = &v1alpha1.LocalReference{Name: "later"}
	w.create(set)
	w.Eventually(func() string {
		for _, s := range w.servers() {
			for _, task := range s.Status.Tasks {
				if task.Message != "" {
					return string(task.State) + " " + task.Message
				}
			}
		}
		return ""
	}).Should(gomega.HavePrefix("Running reading Secret later: "))
	w.Expect(w.machines()).To(gomega.BeEmpty())
	w.create(&corev1.Secret{ObjectMeta: w.meta("later"), Data: map[string][]byte{"token": []byte(token)}})
	w.Eventually(func() []string {
		w.clock.pass(10 * time.Minute) // over the wait before the next try
		change(w, set, func(s *v1alpha1.VMReplicaSet) { s.Annotations = map[string]string{"look": w.clock.Now().String()} })
		return w.machines()
	}, 3*time.Minute, time.Second).Should(gomega.ConsistOf("web-1"))
}

// TestTheSecretGoesFirst: a namespace that is deleted loses the Secret before the machines, and they are removed all the same.
func TestTheSecretGoesFirst(t *testing.T) {
	w := newWorld(t)
	w.lead()
	set := w.set("web", 2)
	set.Spec.RemovalPolicy = v1alpha1.RemovalDelete
	w.create(set)
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-2 Deploying Running"}))
	w.Expect(api.Delete(w.ctx, &corev1.Secret{ObjectMeta: w.meta("machines")})).To(gomega.Succeed())
	w.Expect(api.Delete(w.ctx, set)).To(gomega.Succeed())
	w.Eventually(w.machines).Should(gomega.BeEmpty())
	w.Eventually(func() string { return w.says("web", v1alpha1.ConditionProgressing) }).Should(gomega.Equal("gone"))
}
