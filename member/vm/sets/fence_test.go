package sets

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/control"
)

// TestFenced: told to stop is not stopped; a driver that cannot be asked three times over was asked enough for BestEffort.
func TestFenced(t *testing.T) {
	for name, tc := range map[string]struct {
		machine       v1alpha1.MachineState
		task          v1alpha1.Task
		tried, fenced bool
	}{
		"not asked for":   {machine: v1alpha1.MachineRunning},
		"begun":           {machine: v1alpha1.MachineRunning, task: v1alpha1.Task{State: v1alpha1.TaskRunning, Attempts: 2}},
		"in vain":         {machine: v1alpha1.MachineRunning, task: v1alpha1.Task{State: v1alpha1.TaskRunning, Attempts: 3}, tried: true},
		"told, and runs":  {machine: v1alpha1.MachineRunning, task: v1alpha1.Task{State: v1alpha1.TaskSucceeded}, tried: true},
		"told, and stops": {machine: v1alpha1.MachineStopped, task: v1alpha1.Task{State: v1alpha1.TaskSucceeded}, tried: true, fenced: true},
		"gone":            {machine: v1alpha1.MachineGone, fenced: true},
		"unknown":         {machine: v1alpha1.MachineUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			server := &v1alpha1.Server{}
			server.Status.Machine = &v1alpha1.MachineStatus{State: tc.machine}
			if tc.task.State != "" {
				tc.task.Type = v1alpha1.TaskFenceMachine
				server.Status.Tasks = []v1alpha1.Task{{Type: v1alpha1.TaskDetachLoadBalancer, State: v1alpha1.TaskSucceeded}, tc.task}
			}
			if have := member(server); have.FenceTried != tc.tried || have.Fenced != tc.fenced {
				t.Errorf("tried %v fenced %v, want %v %v", have.FenceTried, have.Fenced, tc.tried, tc.fenced)
			}
		})
	}
}

// TestNobodyIsFencedByACache: who is to be stopped is looked at where it is surely known how many others are sick: beyond the budget nobody
// is touched, though the cache shows fewer.
func TestNobodyIsFencedByACache(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	set := &v1alpha1.VMReplicaSet{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "web", UID: "u", Finalizers: []string{v1alpha1.FinalizerServers},
	}}
	set.Spec.Replicas, set.Spec.Template.Spec.Machine.Driver = ptr.To[int32](3), "http"
	set.Spec.Failover = v1alpha1.Failover{Policy: v1alpha1.FailoverAuto, MaxInFlight: 1, Fence: v1alpha1.FenceRequired}
	set.Spec.Failover.MaxUnhealthy = ptr.To(intstr.FromInt32(1))
	with := func(sick int) client.WithWatch {
		objects := []client.Object{set.DeepCopy()}
		for i := range 3 {
			server := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{
				Namespace: "shop", Name: fmt.Sprintf("web-%d", i+1), UID: types.UID(fmt.Sprint(i)), Labels: map[string]string{v1alpha1.LabelSet: "web"},
			}}
			if err := controllerutil.SetControllerReference(set, server, scheme); err != nil {
				t.Fatal(err)
			}
			server.Spec.Machine.Driver, server.Status.Phase = "http", v1alpha1.ServerReady
			server.Status.Machine = &v1alpha1.MachineStatus{State: v1alpha1.MachineRunning}
			if i < sick {
				server.Status.Phase, server.Status.Operation = v1alpha1.ServerUnknown, &v1alpha1.Operation{ID: "op-" + server.Name}
				server.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionFailoverDue, Status: metav1.ConditionTrue}}
			}
			objects = append(objects, server)
		}
		return fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(set).WithObjects(objects...).Build()
	}
	for sick, fenced := range map[int]string{1: "op-web-1", 3: ""} {
		cache, live := with(1), with(sick)
		r := New(Options{Drivers: []string{"http"}}, control.Means{
			Cache: cache, Live: live, Writer: live, Recorder: record.NewFakeRecorder(10),
		})
		if _, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(set)}); err != nil {
			t.Fatal(err)
		}
		have := &v1alpha1.Server{}
		if err := live.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "web-1"}, have); err != nil {
			t.Fatal(err)
		}
		if have.Annotations[v1alpha1.AnnotationFence] != fenced {
			t.Errorf("%d are sick, and the cache shows one: fence %q, want %q", sick, have.Annotations[v1alpha1.AnnotationFence], fenced)
		}
	}
}
