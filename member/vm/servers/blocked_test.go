package servers

import (
	"slices"
	"strings"
	"testing"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/control"
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
