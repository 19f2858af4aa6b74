package gauges

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

func TestGauges(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	pending := func(gate, id string, ago time.Duration) gatev1alpha1.PendingApproval {
		return gatev1alpha1.PendingApproval{Gate: gate, OperationID: id, Since: &metav1.Time{Time: now.Add(-ago)}}
	}
	server := func(name string, phase v1alpha1.ServerPhase, kind v1alpha1.OperationKind, tasks ...v1alpha1.Task) *v1alpha1.Server {
		s := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		s.Spec.Machine.Driver, s.Status.Phase, s.Status.Tasks = "http", phase, tasks
		s.Status.Operation = &v1alpha1.Operation{Kind: kind}
		return s
	}
	serving := server("a", v1alpha1.ServerReady, v1alpha1.OperationOnline,
		v1alpha1.Task{Type: v1alpha1.TaskAttachMonitor, State: v1alpha1.TaskSucceeded})
	blocked := server("b", v1alpha1.ServerInitializing, v1alpha1.OperationProvision,
		v1alpha1.Task{Type: v1alpha1.TaskCreateMachine, State: v1alpha1.TaskFailed, Message: "no such zone"})
	retried := server("c", v1alpha1.ServerInitializing, v1alpha1.OperationProvision,
		v1alpha1.Task{Type: v1alpha1.TaskCreateMachine, State: v1alpha1.TaskRunning, Message: "503"})
	retried.Status.Operation.StartedAt = &metav1.Time{Time: now.Add(-3 * time.Hour)}
	asked := server("d", v1alpha1.ServerReady, v1alpha1.OperationOffline)
	asked.Spec.Gates = []gatev1alpha1.Gate{{Name: "out", Stage: gatev1alpha1.StageOffline}}
	asked.Status.PendingApprovals = []gatev1alpha1.PendingApproval{pending("out", "op-1", time.Minute)}
	unseen := metav1.Condition{Type: v1alpha1.ConditionReachable, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonProberBlind}
	for _, s := range []*v1alpha1.Server{blocked, retried} {
		s.Labels, s.Status.Conditions = map[string]string{v1alpha1.LabelSet: "set"}, []metav1.Condition{unseen}
	}
	fresh := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "e"}}
	fresh.Spec.Machine.Driver = "http"
	set := &v1alpha1.VMReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "set"}}
	set.Spec.Gates = asked.Spec.Gates
	set.Status.Conditions = []metav1.Condition{{
		Type: v1alpha1.ConditionRemediationAllowed, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonTooManyUnhealthy,
	}}
	set.Status.PendingApprovals = []gatev1alpha1.PendingApproval{
		pending("out", "op-1", time.Minute), pending("removal", "op-2", time.Hour), pending("failover", "op-3", time.Second),
	}
	release := &v1alpha1.VMDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "set"}}
	release.Status.PendingApprovals = []gatev1alpha1.PendingApproval{pending("batch", "op-4", 2*time.Hour)}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(serving, blocked, retried, asked, fresh, set, release).Build()
	registry := prometheus.NewRegistry()
	g, err := New(api, clocktesting.NewFakeClock(now), registry)
	if err != nil {
		t.Fatal(err)
	}
	look := func(want string) {
		t.Helper()
		if err := g.look(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
			t.Error(err)
		}
	}
	look(`# HELP argosy_vm_longest_operation_seconds By kind, for how long the operation goes on that goes on longest, and waits for nobody.
# TYPE argosy_vm_longest_operation_seconds gauge
argosy_vm_longest_operation_seconds{kind="Provision"} 10800
# HELP argosy_vm_oldest_approval_seconds For how long the operation has waited for a person that has waited longest; 0: none waits.
# TYPE argosy_vm_oldest_approval_seconds gauge
argosy_vm_oldest_approval_seconds 7200
# HELP argosy_vm_operations_waiting Operations of Servers that do not go on, by kind and reason: Approval, Blocked, Retry.
# TYPE argosy_vm_operations_waiting gauge
argosy_vm_operations_waiting{kind="Offline",reason="Approval"} 1
argosy_vm_operations_waiting{kind="Provision",reason="Blocked"} 1
argosy_vm_operations_waiting{kind="Provision",reason="Retry"} 1
# HELP argosy_vm_pending_approvals Operations that wait for a person, by the stage of their gate.
# TYPE argosy_vm_pending_approvals gauge
argosy_vm_pending_approvals{stage="Batch"} 1
argosy_vm_pending_approvals{stage="Failover"} 1
argosy_vm_pending_approvals{stage="Offline"} 1
argosy_vm_pending_approvals{stage="Removal"} 1
# HELP argosy_vm_prober_blind VMReplicaSets of which so many servers fail or are silent at once that nobody is taken out for it.
# TYPE argosy_vm_prober_blind gauge
argosy_vm_prober_blind 1
# HELP argosy_vm_remediation_blocked VMReplicaSets of which nobody is failed over: too many servers are unhealthy at once.
# TYPE argosy_vm_remediation_blocked gauge
argosy_vm_remediation_blocked 1
# HELP argosy_vm_servers Servers by phase and machine driver.
# TYPE argosy_vm_servers gauge
argosy_vm_servers{driver="http",phase="Initializing"} 2
argosy_vm_servers{driver="http",phase="New"} 1
argosy_vm_servers{driver="http",phase="Ready"} 2
# HELP argosy_vm_tasks_blocked Tasks of Servers that failed for good, by type: a person must decide.
# TYPE argosy_vm_tasks_blocked gauge
argosy_vm_tasks_blocked{type="CreateMachine"} 1
`)
	for _, gone := range []*v1alpha1.Server{blocked, retried, asked, fresh} {
		if err := api.Delete(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
	}
	for _, gone := range []client.Object{set, release} {
		if err := api.Delete(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
	}
	look(`# HELP argosy_vm_oldest_approval_seconds For how long the operation has waited for a person that has waited longest; 0: none waits.
# TYPE argosy_vm_oldest_approval_seconds gauge
argosy_vm_oldest_approval_seconds 0
# HELP argosy_vm_prober_blind VMReplicaSets of which so many servers fail or are silent at once that nobody is taken out for it.
# TYPE argosy_vm_prober_blind gauge
argosy_vm_prober_blind 0
# HELP argosy_vm_remediation_blocked VMReplicaSets of which nobody is failed over: too many servers are unhealthy at once.
# TYPE argosy_vm_remediation_blocked gauge
argosy_vm_remediation_blocked 0
# HELP argosy_vm_servers Servers by phase and machine driver.
# TYPE argosy_vm_servers gauge
argosy_vm_servers{driver="http",phase="Ready"} 1
`)
}

// TestGoesOn: an operation that lasts is told of unless it is over, or somebody is waited for.
func TestGoesOn(t *testing.T) {
	running := v1alpha1.Task{Type: v1alpha1.TaskInstallPackages, State: v1alpha1.TaskRunning}
	is := func(state v1alpha1.TaskState) v1alpha1.Task {
		return v1alpha1.Task{Type: v1alpha1.TaskInstallPackages, State: state}
	}
	for name, tc := range map[string]struct {
		change func(*v1alpha1.Server)
		want   bool
	}{
		"a script that hangs":  {want: true, change: func(*v1alpha1.Server) {}},
		"tried again for ever": {want: true, change: func(s *v1alpha1.Server) { s.Status.Tasks[0].Message = "503" }},
		"not begun":            {want: true, change: func(s *v1alpha1.Server) { s.Status.Tasks[0] = is(v1alpha1.TaskPending) }},
		"over":                 {change: func(s *v1alpha1.Server) { s.Status.Tasks[0] = is(v1alpha1.TaskSucceeded) }},
		"failed for good":      {change: func(s *v1alpha1.Server) { s.Status.Tasks[0] = is(v1alpha1.TaskFailed) }},
		"rejected": {change: func(s *v1alpha1.Server) {
			s.Status.Tasks[0] = v1alpha1.Task{State: v1alpha1.TaskSkipped, Gate: "code"}
		}},
		"at a gate": {change: func(s *v1alpha1.Server) {
			s.Status.PendingApprovals = []gatev1alpha1.PendingApproval{{Gate: "code", OperationID: "op-1"}}
		}},
		"sick":        {change: func(s *v1alpha1.Server) { s.Status.Tasks[0].Type = v1alpha1.TaskCheckHealth }},
		"paused":      {change: func(s *v1alpha1.Server) { s.Spec.Paused = true }},
		"unreachable": {change: func(s *v1alpha1.Server) { s.Status.Operation.Kind = v1alpha1.OperationFailover }},
		"none":        {change: func(s *v1alpha1.Server) { s.Status.Operation = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			s := &v1alpha1.Server{}
			s.Status.Operation = &v1alpha1.Operation{Kind: v1alpha1.OperationEnvironment, StartedAt: &metav1.Time{}}
			s.Status.Tasks = []v1alpha1.Task{running}
			tc.change(s)
			if have := goesOn(s); have != tc.want {
				t.Errorf("goes on: %v, want %v", have, tc.want)
			}
		})
	}
}
