package vm

import (
	"fmt"
	"testing"
	"time"

	"github.com/onsi/gomega"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// Roles for people, deploy/member-manager/users.yaml.
const (
	approver = "argosy-vm-approver"
	operator = "argosy-vm-operator"
	karmada  = "system:serviceaccount:karmada-cluster:karmada-member1"
)

func approve(w *world, who client.Client, o client.Object, p gatev1alpha1.PendingApproval) error {
	approval := fmt.Sprintf(`{"spec":{"approvals":[{"gate":%q,"operationID":%q,"decision":"Approve"}]}}`, p.Gate, p.OperationID)
	return patch(w.ctx, who, o, approval)
}

// TestScaleInAsks: behind a gate at stage Offline nobody goes until a person says so; forged, late and doubled approvals open nothing.
func TestScaleInAsks(t *testing.T) {
	w := newWorld(t)
	w.lead()
	set := w.set("web", 3)
	set.Spec.Gates = []gatev1alpha1.Gate{{Name: "take-out", Stage: gatev1alpha1.StageOffline}}
	w.create(set)
	w.Eventually(w.seen).Should(gomega.HaveLen(3))
	w.Eventually(w.seen).Should(gomega.HaveEach(gomega.HaveSuffix("Deploying Running")))
	change(w, set, func(s *v1alpha1.VMReplicaSet) { s.Spec.Replicas = ptr.To[int32](2) })
	w.Eventually(func() []gatev1alpha1.PendingApproval { return w.pending() }).Should(gomega.HaveLen(1))
	waiting := w.pending()[0]
	w.Expect(waiting.Server).To(gomega.Equal("web-3"))
	w.Expect(w.says("web", v1alpha1.ConditionAwaitingApproval)).To(gomega.HavePrefix("True GateWaiting"))

	for name, tc := range map[string]struct {
		user, role, body, want string
	}{
		"in another's name": {
			"bob", approver, `{"spec":{"approvals":[{"gate":"take-out","operationID":"` + waiting.OperationID +
				`","decision":"Approve","by":"ann","at":"2020-01-01T00:00:00Z"}]}}`, "bob cannot decide in the name of ann",
		},
		"of what does not wait": {
			"bob", approver, `{"spec":{"approvals":[{"gate":"take-out","operationID":"op-late","decision":"Approve"}]}}`,
			"no operation op-late waits",
		},
		"doubled": {
			"bob", approver, `{"spec":{"approvals":[{"gate":"take-out","operationID":"` + waiting.OperationID +
				`","decision":"Approve"},{"gate":"take-out","operationID":"` + waiting.OperationID + `","decision":"Approve"}]}}`, "Duplicate value",
		},
		"by an approver who changes more": {
			"bob", approver, `{"spec":{"replicas":1}}`, "spec.replicas: bob may approve operations and no more",
		},
		"by a program": {
			"system:serviceaccount:ci:robot", approver, `{"spec":{"approvals":[{"gate":"take-out","operationID":"` + waiting.OperationID +
				`","decision":"Approve"}]}}`, "is a program",
		},
	} {
		err := patch(w.ctx, w.as(tc.user, tc.role), set, tc.body)
		w.Expect(err).To(gomega.MatchError(gomega.ContainSubstring(tc.want)), name)
	}
	w.Consistently(w.machines, time.Second).Should(gomega.HaveLen(3))
	w.Expect(w.seen()).To(gomega.HaveEach(gomega.HaveSuffix("Deploying Running")), "it goes on as it is")

	w.Expect(approve(w, w.as("ann", approver), set, waiting)).To(gomega.Succeed())
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-2 Deploying Running"}))
	w.Expect(w.machines()).To(gomega.ConsistOf("web-1", "web-2"))
	w.Expect(api.Get(w.ctx, client.ObjectKeyFromObject(set), set)).To(gomega.Succeed())
	w.Expect(set.Spec.Approvals[0].By).To(gomega.Equal("ann"))

	// The same decision opens nothing for the next one.
	change(w, set, func(s *v1alpha1.VMReplicaSet) { s.Spec.Replicas = ptr.To[int32](1) })
	w.Eventually(func() []gatev1alpha1.PendingApproval { return w.pending() }).Should(gomega.HaveLen(1))
	w.Expect(w.pending()[0].OperationID).NotTo(gomega.Equal(waiting.OperationID))
	w.Consistently(w.machines, time.Second).Should(gomega.HaveLen(2))
}

// TestKarmadaCarriesApprovals: what was stamped in the control plane is taken as it comes, and what bears no stamp opens nothing.
func TestKarmadaCarriesApprovals(t *testing.T) {
	w := newWorld(t)
	w.lead()
	set := w.set("web", 1)
	set.Spec.Gates = []gatev1alpha1.Gate{{Name: "make", Stage: gatev1alpha1.StageProvision}}
	w.create(set)
	w.Eventually(func() []gatev1alpha1.PendingApproval { return w.pending() }).Should(gomega.HaveLen(1))
	waiting := w.pending()[0]
	carried := gatev1alpha1.Approval{Gate: waiting.Gate, OperationID: waiting.OperationID, Decision: gatev1alpha1.Approve}
	push := w.as(karmada, "system:masters")
	write := func(a gatev1alpha1.Approval) {
		w.Eventually(func() error {
			if err := push.Get(w.ctx, client.ObjectKeyFromObject(set), set); err != nil {
				return err
			}
			set.Spec.Approvals = []gatev1alpha1.Approval{a}
			return push.Update(w.ctx, set)
		}).Should(gomega.Succeed())
	}
	write(carried)
	w.Consistently(w.machines, time.Second).Should(gomega.BeEmpty(), "nobody's approval")
	carried.By, carried.At = "system:serviceaccount:ci:robot", ptr.To(metav1.Now())
	write(carried)
	w.Consistently(w.machines, time.Second).Should(gomega.BeEmpty(), "a program's approval")
	carried.By = "ann"
	write(carried)
	w.Eventually(w.machines).Should(gomega.ConsistOf("web-1"))
	w.Expect(api.Get(w.ctx, client.ObjectKeyFromObject(set), set)).To(gomega.Succeed())
	w.Expect(set.Spec.Approvals[0].By).To(gomega.Equal("ann"))
}

// TestManualFailoverAsks: where nobody says otherwise a person decides about an unreachable server.
func TestManualFailoverAsks(t *testing.T) {
	w := newWorld(t)
	w.lead()
	set := w.set("web", 2)
	set.Spec.Failover = v1alpha1.Failover{UnknownTimeoutSeconds: 30, MaxUnhealthy: ptr.To(intstr.FromInt32(1))}
	w.create(set)
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-2 Deploying Running"}))
	w.system.Kill(w.key("web-1"))
	w.Eventually(w.seen).Should(gomega.ContainElement("web-1 Unknown Stopped"))
	w.clock.pass(time.Minute)
	w.Eventually(func() []gatev1alpha1.PendingApproval { return w.pending() }).Should(gomega.HaveLen(1))
	w.Consistently(w.machines, time.Second).Should(gomega.ConsistOf("web-1", "web-2"))
	w.Expect(approve(w, w.as("ann", approver), set, w.pending()[0])).To(gomega.Succeed())
	w.Eventually(w.machines).Should(gomega.ConsistOf("web-2", "web-3"))
}

// TestAPersonIsAboveTheFacts: an override holds a server where it is said, bears its giver's name, and no program's is taken.
func TestAPersonIsAboveTheFacts(t *testing.T) {
	w := newWorld(t)
	w.lead()
	w.create(w.set("web", 1))
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running"}))
	server := &v1alpha1.Server{ObjectMeta: w.meta("web-1")}
	const ready = `{"spec":{"override":{"state":"Ready","reason":"deployed by hand"%s}}}`
	for name, tc := range map[string]struct{ user, role, body, want string }{
		"by an approver":    {"bob", approver, fmt.Sprintf(ready, ""), "may not override a state"},
		"in another's name": {"bob", operator, fmt.Sprintf(ready, `,"by":"ann"`), "bob cannot decide in the name of ann"},
		"by a program":      {"system:serviceaccount:ci:robot", operator, fmt.Sprintf(ready, ""), "is a program"},
	} {
		w.Expect(patch(w.ctx, w.as(tc.user, tc.role), server, tc.body)).To(gomega.MatchError(gomega.ContainSubstring(tc.want)), name)
	}
	w.Expect(patch(w.ctx, w.as("bob", operator), server, fmt.Sprintf(ready, ""))).To(gomega.Succeed())
	w.Eventually(func() string {
		w.Expect(api.Get(w.ctx, client.ObjectKeyFromObject(server), server)).To(gomega.Succeed())
		c := apimeta.FindStatusCondition(server.Status.Conditions, v1alpha1.ConditionReady)
		return fmt.Sprintf("%s %s %s by %s", server.Status.Phase, c.Status, server.Status.DecidedBy, server.Spec.Override.By)
	}).Should(gomega.Equal("Ready True Human by bob"))
	w.Expect(patch(w.ctx, w.as("bob", operator), server, `{"spec":{"override":null}}`)).To(gomega.Succeed())
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running"}))
}
