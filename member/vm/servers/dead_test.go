package servers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/code"
	"github.com/argosy-dev/argosy/member/vm/facts"
	"github.com/argosy-dev/argosy/member/vm/pool"
	"github.com/argosy-dev/argosy/member/vm/probe"
)

// TestADeadServerLeavesItsPool by the probe that makes as many failed ones as failureThreshold asks for, so after that many periods: one
// look at the Server and one at its pool are all that follows, neither drain nor another period. A machine that its driver says is stopped
// waits for no probe at all.
func TestADeadServerLeavesItsPool(t *testing.T) {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	check := &v1alpha1.HealthCheck{
		TCPSocket: &v1alpha1.TCPSocketCheck{Port: 8080}, PeriodSeconds: 5, SuccessThreshold: 1, FailureThreshold: 3,
	}
	serving := func() *v1alpha1.Server {
		out := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", UID: "u", Generation: 1}}
		out.Spec.Release, out.Spec.HealthCheck = &v1alpha1.Release{Version: "1", System: "http"}, check
		out.Spec.LoadBalancers = []v1alpha1.LoadBalancer{{Name: "public", Driver: "service", Pool: "web", Port: 8080}}
		out.Status = v1alpha1.ServerStatus{
			Phase: v1alpha1.ServerReady, ObservedGeneration: 1, Release: code.Deployed(*out.Spec.Release),
			EnvironmentHash: facts.Environment(nil, ""), Creation: &v1alpha1.Creation{State: v1alpha1.CreationDone},
			Machine:   &v1alpha1.MachineStatus{State: v1alpha1.MachineRunning},
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0.1"}},
			Operation: &v1alpha1.Operation{Sequence: 3, Kind: v1alpha1.OperationOnline, Target: "online"},
			Tasks:     []v1alpha1.Task{{Type: v1alpha1.TaskAttachLoadBalancer, State: v1alpha1.TaskSucceeded}},
			Conditions: []metav1.Condition{
				{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonServing},
				{Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonHealthCheckPassed},
				{Type: v1alpha1.ConditionReachable, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonHeartbeatFresh},
			},
			LoadBalancers: []v1alpha1.Attachment{{
				Name: "public", Driver: "service", Pool: "web", State: v1alpha1.Attached, Address: "10.0.0.1", Port: 8080,
				Weight: ptr.To[int32](100),
			}},
		}
		return out
	}
	// look once at the Server and at its pool: the members that are left of it, and the Server's row.
	look := func(server *v1alpha1.Server) (members int, row string) {
		t.Helper()
		r := &Reconciler{}
		w := &work{before: server, after: server.DeepCopy(), mind: &mind{}, now: noon}
		r.decide(w)
		if err := r.act(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		out := pool.Decide(pool.Input{Key: pool.Key{Driver: "service", Pool: "web"}, Servers: []*v1alpha1.Server{w.after}, Now: noon})
		return len(out.Members()), w.decided.Row
	}
	if members, row := look(serving()); members != 1 || row != v1alpha1.ReasonServing {
		t.Fatalf("before: %d members, %s", members, row)
	}
	watch, server := probe.Resume(probe.Healthy, true, noon), serving()
	var left []int
	for period := range 3 {
		due := noon.Add(time.Duration(period+1) * 5 * time.Second)
		if watch = watch.Note(check, probe.Result{Due: due, Started: due}); watch.Verdict == probe.Unhealthy {
			server.Status.Conditions[1].Status, server.Status.Conditions[1].Reason = metav1.ConditionFalse, v1alpha1.ReasonHealthCheckFailed
		}
		members, _ := look(server)
		left = append(left, members)
	}
	if diff := cmp.Diff([]int{1, 1, 0}, left); diff != "" {
		t.Errorf("members after each failed probe (-want +have)\n%s", diff)
	}
	stopped := serving()
	stopped.Status.Machine.State = v1alpha1.MachineStopped
	stopped.Status.Conditions[2].Status, stopped.Status.Conditions[2].Reason = metav1.ConditionFalse, v1alpha1.ReasonMachineStopped
	if members, row := look(stopped); members != 0 || row != v1alpha1.ReasonUnreachable {
		t.Errorf("of a stopped machine: %d members, %s", members, row)
	}
}
