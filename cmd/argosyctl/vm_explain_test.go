package main

import (
	"bytes"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// TestVMExplain: the first thing in the way is what a person is told to do about.
func TestVMExplain(t *testing.T) {
	condition := func(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: "the message"}
	}
	server := func(change func(*v1alpha1.Server)) *v1alpha1.Server {
		s := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "payments"}}
		change(s)
		return s
	}
	set := func(change func(*v1alpha1.VMReplicaSet)) *v1alpha1.VMReplicaSet {
		s := &v1alpha1.VMReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "payments"}}
		s.Spec.Replicas, s.Status.ReadyReplicas = ptr.To[int32](3), 2
		change(s)
		return s
	}
	delivery := func(change func(*v1alpha1.VMDeployment)) *v1alpha1.VMDeployment {
		d := &v1alpha1.VMDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "payments"}}
		d.Status.Servers, d.Status.UpdatedServers = 3, 3
		d.Status.Conditions = []metav1.Condition{condition("Complete", "True", "RolloutComplete"), condition("Available", "True", "x")}
		change(d)
		return d
	}
	for name, tc := range map[string]struct {
		object client.Object
		is     string
		next   string
	}{
		"nobody looks": {server(func(*v1alpha1.Server) {}), "not looked at yet, decided by the system", "argosyctl install member-manager"},
		"provisioning": {server(func(s *v1alpha1.Server) {
			s.Status.Phase = v1alpha1.ServerInitializing
			s.Status.Conditions = []metav1.Condition{condition("Ready", "False", v1alpha1.ReasonProvisioning)}
			s.Status.Tasks = []v1alpha1.Task{
				{Type: v1alpha1.TaskCreateMachine, State: v1alpha1.TaskRunning, Attempts: 4, Message: "no room"},
			}
		}), "Initializing, decided by the system: Provisioning, for no machine yet",
			"wait: task CreateMachine is tried again (attempt 4): no room"},
		"a task failed": {server(func(s *v1alpha1.Server) {
			s.Status.Phase = v1alpha1.ServerInitializing
			s.Status.Tasks = []v1alpha1.Task{{Type: v1alpha1.TaskCreateMachine, State: v1alpha1.TaskFailed, Message: "no such zone"}}
		}), "Initializing", "argosyctl vm override payments --state Initializing --once --reason ... -n shop --member member1"},
		"a task failed, and it cannot be reached": {server(func(s *v1alpha1.Server) {
			s.Status.Phase = v1alpha1.ServerUnknown
			s.Status.Tasks = []v1alpha1.Task{{Type: v1alpha1.TaskCreateMachine, State: v1alpha1.TaskFailed, Message: "no such zone"}}
		}), "Unknown", "mend that, then change the Server"},
		"a person decided": {server(func(s *v1alpha1.Server) {
			s.Status.Phase, s.Status.DecidedBy = v1alpha1.ServerOffline, v1alpha1.DecidedByHuman
			s.Spec.Override = &v1alpha1.Override{By: "ann", Reason: "inquiry"}
			s.Status.Conditions = []metav1.Condition{condition("Ready", "False", v1alpha1.ReasonOverride)}
		}), "Offline, decided by ann (inquiry)", "argosyctl vm override payments --remove -n shop --member member1"},
		"a server waits": {server(func(s *v1alpha1.Server) {
			s.Status.Phase = v1alpha1.ServerReady
			s.Status.PendingApprovals = []gatev1alpha1.PendingApproval{{Gate: "out", OperationID: "op-1"}}
		}), "Ready", "argosyctl vm approve server/payments -n shop --member member1"},
		"it serves": {server(func(s *v1alpha1.Server) {
			s.Status.Phase = v1alpha1.ServerReady
			s.Status.Conditions = []metav1.Condition{condition("Ready", "True", v1alpha1.ReasonServing)}
		}), "Ready, decided by the system: Serving, for all of it is true", "nothing; it serves."},
		"no report": {set(func(*v1alpha1.VMReplicaSet) {}), "2 of 3 servers serve", "nobody has reported on it."},
		"beyond the budget": {set(func(s *v1alpha1.VMReplicaSet) {
			s.Status.UnknownReplicas = 1
			s.Status.Conditions = []metav1.Condition{condition("RemediationAllowed", "False", "TooManyUnhealthy")}
		}), "1 cannot be reached", "look at what they have in common"},
		"a template that is not delivered": {set(func(s *v1alpha1.VMReplicaSet) {
			s.Status.Conditions = []metav1.Condition{condition("ReplicaFailure", "True", "TemplateNotSupported")}
		}), "2 of 3 servers serve", "mend what is in the way: the message"},
		"delivered": {delivery(func(d *v1alpha1.VMDeployment) { d.Status.ReadyServers = 3 }), "3 serve with it", "nothing; it is delivered."},
		"delivered, and one died since": {delivery(func(d *v1alpha1.VMDeployment) { d.Status.ReadyServers = 2 }),
			"2 serve with it", "Look at the servers that do not serve: the message"},
		"a member cannot be asked": {delivery(func(d *v1alpha1.VMDeployment) {
			d.Status.ReadyServers = 2
			d.Status.Conditions = []metav1.Condition{
				condition("Complete", "Unknown", "MemberUnreachable"), condition("Progressing", "True", "RollingOut"),
				{Type: "MembersReported", Status: "False", Reason: "MemberUnreachable", Message: "member2 cannot be asked (ClusterNotReachable)"},
			}
		}), "2 serve with it", "nothing of the template. What it says is not of now: member2 cannot be asked (ClusterNotReachable)"},
		"a member has not reported": {delivery(func(d *v1alpha1.VMDeployment) {
			d.Status.Conditions = []metav1.Condition{
				{Type: "Complete", Status: "Unknown", Reason: "MembersUnknown", Message: "not reported by member2"},
			}
		}), "0 serve with it", "wait: nobody knows whether it is delivered. not reported by member2"},
		"a batch": {delivery(func(d *v1alpha1.VMDeployment) {
			d.Status.Conditions = []metav1.Condition{condition("Complete", "False", "RollingOut"), condition("Progressing", "True", "RollingOut")}
		}), "3 of 3 servers have it", "wait: a batch is on its way. the message"},
		"a batch that somebody rejected": {delivery(func(d *v1alpha1.VMDeployment) {
			d.Status.Conditions = []metav1.Condition{
				condition("Progressing", "True", "RollingOut"), condition("AwaitingApproval", "True", "GateWaiting"),
			}
		}), "3 of 3 servers have it", "nothing by itself; another release, or spec.rollbackTo, goes on: the message"},
		"rolled back to what nobody has reported": {delivery(func(d *v1alpha1.VMDeployment) {
			d.Spec.Release.Version, d.Spec.RollbackTo = "1.1", &v1alpha1.RollbackTarget{Revision: "payments-1"}
			d.Status.ReadyServers = 3
		}), "release not reported yet (spec.rollbackTo; spec.release is 1.1), batch", "nothing; it is delivered."},
		"a change that nobody saw": {delivery(func(d *v1alpha1.VMDeployment) { d.Generation, d.Status.ObservedGeneration = 2, 1 }),
			"3 of 3 servers have it", "has seen its last change."},
		"rolled back": {delivery(func(d *v1alpha1.VMDeployment) {
			d.Spec.Release.Version, d.Spec.RollbackTo = "1.1", &v1alpha1.RollbackTarget{Revision: "payments-1"}
			d.Status.Version, d.Status.ReadyServers = "1.0", 3
		}), "release 1.0 (spec.rollbackTo; spec.release is 1.1), batch", "nothing; it is delivered."},
		"a member of a set cannot be asked": {set(func(s *v1alpha1.VMReplicaSet) {
			s.Status.Conditions = []metav1.Condition{
				condition("Available", "Unknown", "MemberUnreachable"), condition("MembersReported", "False", "MemberUnreachable"),
			}
		}), "2 of 3 servers serve", "What it says is not of now: the message"},
		"a change of a set that nobody saw": {set(func(s *v1alpha1.VMReplicaSet) {
			s.Generation, s.Status.ObservedGeneration = 2, 1
			s.Status.Conditions = []metav1.Condition{condition("Progressing", "False", "RolloutComplete")}
		}), "2 of 3 servers serve", "has seen its last change."},
		"as asked, and one does not serve": {set(func(s *v1alpha1.VMReplicaSet) {
			s.Status.Conditions = []metav1.Condition{condition("Available", "True", "x"), condition("Progressing", "False", "RolloutComplete")}
		}), "2 of 3 servers serve", "Look at the servers that do not serve, and at their VMDeployment: the message"},
		"as asked": {set(func(s *v1alpha1.VMReplicaSet) {
			s.Status.ReadyReplicas = 3
			s.Status.Conditions = []metav1.Condition{condition("Available", "True", "x"), condition("Progressing", "False", "RolloutComplete")}
		}), "3 of 3 servers serve", "nothing; it is as asked."},
		"older machines": {set(func(s *v1alpha1.VMReplicaSet) {
			s.Status.HeldReplicas = 2
			s.Status.Conditions = []metav1.Condition{condition("Progressing", "False", "RolloutComplete")}
		}), "2 keep an older machine", "argosyctl vm plan"},
	} {
		t.Run(name, func(t *testing.T) {
			kind := v1alpha1.GroupVersion.WithKind("VMReplicaSet")
			switch tc.object.(type) {
			case *v1alpha1.Server:
				kind = v1alpha1.GroupVersion.WithKind("Server")
			case *v1alpha1.VMDeployment:
				kind = v1alpha1.GroupVersion.WithKind("VMDeployment")
			}
			e := explaining{target: vmPlane(t, true, tc.object), key: client.ObjectKeyFromObject(tc.object), member: "member1", now: vmNoon}
			found, err := e.explain(t.Context(), kind)
			if err != nil || !strings.Contains(found.Is, tc.is) || !strings.Contains(found.Next, tc.next) {
				t.Errorf("%v\nis   %q, want %q\nnext %q, want %q", err, found.Is, tc.is, found.Next, tc.next)
			}
			var out bytes.Buffer
			if err := found.print(&out, vmNoon); err != nil || !strings.HasSuffix(out.String(), "\nNext: "+found.Next+"\n") {
				t.Errorf("%v\n%s", err, &out)
			}
		})
	}
	e := explaining{target: vmPlane(t, true), key: client.ObjectKey{Namespace: "shop", Name: "payments-1"}, now: vmNoon}
	if _, err := e.explain(t.Context(), v1alpha1.GroupVersion.WithKind("Server")); err == nil || !strings.Contains(err.Error(), "--member") {
		t.Errorf("a Server of the control plane: %v", err)
	}
}
