package servers

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/probe"
	"github.com/argosy-dev/argosy/member/vm/state"
)

// TestJudgedAnew: a check of health that follows a deployment, or a person's word, goes by what the server answers from then on. One whose
// release was deployed once more failed for good in the same second, by the answers of before.
func TestJudgedAnew(t *testing.T) {
	for name, tc := range map[string]struct {
		row  string
		want metav1.ConditionStatus
	}{
		"deployed":                    {v1alpha1.ReasonReleaseChanging, metav1.ConditionUnknown},
		"deployed at a person's word": {v1alpha1.ReasonOverride, metav1.ConditionUnknown},
		"out of service until well":   {v1alpha1.ReasonUnhealthy, metav1.ConditionFalse},
	} {
		t.Run(name, func(t *testing.T) {
			server := &v1alpha1.Server{}
			server.Namespace, server.Name, server.UID = "shop", "web-1", "u"
			server.Spec.HealthCheck = &v1alpha1.HealthCheck{TCPSocket: &v1alpha1.TCPSocketCheck{Port: 80}}
			server.Status.Release = &v1alpha1.DeployedRelease{Version: "1"}
			server.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.0.2.1"}}
			server.Status.Conditions = []metav1.Condition{{
				Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonHealthCheckFailed,
			}}
			w := &work{before: server, after: server.DeepCopy(), decided: state.Output{Row: tc.row}, now: time.Unix(1e9, 0)}
			r := &Reconciler{prober: probe.New(probe.Options{Tell: func(types.NamespacedName) {}})}
			r.health(w)
			task := &v1alpha1.Task{Type: v1alpha1.TaskCheckHealth, State: v1alpha1.TaskPending}
			for range 2 {
				r.checkHealth(w, task)
			}
			if task.State != v1alpha1.TaskRunning {
				t.Errorf("the task is %s: %s", task.State, task.Message)
			}
			r.health(w)
			if is := apimeta.FindStatusCondition(w.after.Status.Conditions, v1alpha1.ConditionHealthy); is.Status != tc.want {
				t.Errorf("Healthy is %s: %s", is.Status, is.Message)
			}
		})
	}
}

// TestABlindProberFailsNoRelease: while so many servers that were up fail that the fault is likely elsewhere, a service that does not
// answer either may well be up: its release is waited with, and failed once the others answer and it does not.
func TestABlindProberFailsNoRelease(t *testing.T) {
	noon := time.Unix(1e9, 0)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := silent.Close(); err != nil { // whoever is asked there refuses
		t.Fatal(err)
	}
	port := int32(silent.Addr().(*net.TCPAddr).Port)
	check := &v1alpha1.HealthCheck{
		TCPSocket: &v1alpha1.TCPSocketCheck{Port: port}, PeriodSeconds: 1, TimeoutSeconds: 1, FailureThreshold: 1,
		StartupSeconds: ptr.To[int32](0),
	}
	for _, others := range []int{1, 2} {
		p := probe.New(probe.Options{Tell: func(types.NamespacedName) {}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = p.Start(ctx)
		}()
		server := &v1alpha1.Server{}
		server.Namespace, server.Name, server.UID = "shop", "web-0", "u"
		server.Spec.HealthCheck, server.Status.Release = check, &v1alpha1.DeployedRelease{Version: "2"}
		server.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}}
		set := &v1alpha1.VMReplicaSet{}
		set.Name = "web"
		w := &work{
			before: server, after: server.DeepCopy(), set: set, now: noon, decided: state.Output{Row: v1alpha1.ReasonReleaseChanging},
		}
		for i := range others {
			name := types.NamespacedName{Namespace: "shop", Name: fmt.Sprintf("web-%d", i+1)}
			p.Watch(probe.Target{
				UID: types.UID(name.Name), Name: name, Set: types.NamespacedName{Namespace: "shop", Name: "web"}, Address: "127.0.0.1", Check: check,
				Epoch: "1", Verdict: probe.Healthy,
			})
		}
		r := &Reconciler{prober: p}
		task := &v1alpha1.Task{Type: v1alpha1.TaskCheckHealth, State: v1alpha1.TaskRunning}
		g := gomega.NewWithT(t)
		g.SetDefaultEventuallyTimeout(time.Minute)
		g.Eventually(func() (string, error) {
			r.checkHealth(w, task)
			return string(task.State) + " " + task.Message, nil
		}).Should(gomega.HavePrefix(map[int]string{
			1: "Failed the service does not come up: ", 2: "Running it does not answer, and is not judged for it: 2 of 2 servers fail",
		}[others]))
		cancel()
		<-ended
	}
}

// TestABootBeginsAnew: what was known of a service is not of a machine that booted since, whoever knew it, and it has the time of a start.
func TestABootBeginsAnew(t *testing.T) {
	for name, tc := range map[string]struct {
		boot string
		want probe.Verdict
		up   bool
	}{
		"the same boot": {"b1", probe.Healthy, true},
		"another boot":  {"b2", probe.NotKnown, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", UID: "u"}}
			server.Spec.HealthCheck = &v1alpha1.HealthCheck{TCPSocket: &v1alpha1.TCPSocketCheck{Port: 80}}
			server.Status.Release, server.Status.Phase = &v1alpha1.DeployedRelease{Version: "1"}, v1alpha1.ServerReady
			server.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0.1"}}
			server.Status.Machine = &v1alpha1.MachineStatus{State: v1alpha1.MachineRunning, BootID: "b1"}
			server.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionTrue}}
			w := &work{before: server, after: server.DeepCopy()}
			w.after.Status.Machine.BootID = tc.boot
			if target, asked := w.target(); !asked || target.Verdict != tc.want || target.Up != tc.up {
				t.Errorf("asked %v, verdict %s, up %v; want %s, %v", asked, target.Verdict, target.Up, tc.want, tc.up)
			}
		})
	}
}
