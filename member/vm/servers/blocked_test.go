package servers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/state"
)

// TestBlockedAtOnce: a status that shows a task that failed for good says so in TaskBlocked too. A VMDeployment goes by the task, and
// whoever it told read "no task failed for good" a moment later.
func TestBlockedAtOnce(t *testing.T) {
	server := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", UID: "u"}}
	server.Spec.Machine.Driver = "nowhere"
	api := fake.NewClientBuilder().WithScheme(newScheme(t)).WithStatusSubresource(server).WithObjects(server).Build()
	r := New(Options{}, control.Means{Cache: api, Live: api, Writer: api, Recorder: record.NewFakeRecorder(100)})
	for range 10 {
		if _, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(server)}); err != nil {
			t.Fatal(err)
		}
		if err := api.Get(t.Context(), client.ObjectKeyFromObject(server), server); err != nil {
			t.Fatal(err)
		}
		failed := slices.ContainsFunc(server.Status.Tasks, func(t v1alpha1.Task) bool { return t.State == v1alpha1.TaskFailed })
		if !failed {
			continue
		}
		is := apimeta.FindStatusCondition(server.Status.Conditions, v1alpha1.ConditionTaskBlocked)
		if is.Status != metav1.ConditionTrue || !strings.Contains(is.Message, `driver "nowhere" is not configured here`) {
			t.Errorf("TaskBlocked is %s: %s", is.Status, is.Message)
		}
		return
	}
	t.Errorf("no task failed: %+v", server.Status.Tasks)
}

// TestReadyOfTheTasksBeside: Ready speaks of the tasks as they are written beside it. It said "task attach-monitor-4 is Pending" beside its
// success, and each step of a server took a write more for the right word. What was True and is True again keeps its time.
func TestReadyOfTheTasksBeside(t *testing.T) {
	since, now := metav1.Unix(1e9, 0), time.Unix(1e9+60, 0)
	pending := []v1alpha1.Task{
		{ID: "attach-monitor-4", Type: v1alpha1.TaskAttachMonitor, State: v1alpha1.TaskPending},
		{ID: "attach-load-balancer-4", Type: v1alpha1.TaskAttachLoadBalancer, State: v1alpha1.TaskPending},
	}
	done := slices.Clone(pending)
	for i := range done {
		done[i].State = v1alpha1.TaskSucceeded
	}
	half := []v1alpha1.Task{done[0], pending[1]}
	for name, tc := range map[string]struct {
		before metav1.ConditionStatus
		tasks  []v1alpha1.Task
		want   string
	}{
		"not begun":   {metav1.ConditionFalse, pending, "False: the server is Ready: task attach-monitor-4 is Pending, 0s"},
		"half done":   {metav1.ConditionTrue, half, "False: the server is Ready: task attach-load-balancer-4 is Pending, 1m0s"},
		"all done":    {metav1.ConditionFalse, done, "True: the server serves, 1m0s"},
		"done before": {metav1.ConditionTrue, done, "True: the server serves, 0s"},
	} {
		t.Run(name, func(t *testing.T) {
			server := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Generation: 7}}
			server.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: tc.before, LastTransitionTime: since}}
			w := &work{before: server, after: server.DeepCopy(), now: now, decided: state.Output{
				Row: v1alpha1.ReasonServing, Phase: v1alpha1.ServerReady, Tasks: pending,
			}}
			w.after.Status.Tasks = tc.tasks
			w.conclude()
			is := apimeta.FindStatusCondition(w.after.Status.Conditions, v1alpha1.ConditionReady)
			have := fmt.Sprintf("%s: %s, %s", is.Status, is.Message, is.LastTransitionTime.Sub(since.Time))
			if have != tc.want || is.ObservedGeneration != 7 || is.Reason != v1alpha1.ReasonServing {
				t.Errorf("have %s, %+v; want %s", have, is, tc.want)
			}
		})
	}
}
