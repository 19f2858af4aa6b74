package sets

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/control"
)

// TestTakenNames: Servers of others are left alone, and the set says so for as long as it lacks a Server for it: as its condition, and so
// as the event of that.
func TestTakenNames(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	set := &v1alpha1.VMReplicaSet{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "web", UID: "u", Generation: 1, Finalizers: []string{v1alpha1.FinalizerServers},
	}}
	set.Spec.Replicas = ptr.To[int32](1)
	set.Spec.Template.Spec.Machine.Driver = "http"
	objects := []client.Object{set}
	for i := range 3 {
		objects = append(objects, &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("web-%d", i+1)}})
	}
	api := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(set).WithObjects(objects...).Build()
	recorder := record.NewFakeRecorder(10)
	r := New(Options{Drivers: []string{"http"}}, control.Means{Cache: api, Live: api, Writer: api, Recorder: recorder})
	var said []string
	for range 6 {
		if _, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(set)}); err != nil {
			t.Fatal(err)
		}
		if err := api.Get(t.Context(), client.ObjectKeyFromObject(set), set); err != nil {
			t.Fatal(err)
		}
		c := apimeta.FindStatusCondition(set.Status.Conditions, v1alpha1.ConditionReplicaFailure)
		said = append(said, c.Reason+": "+c.Message)
	}
	taken := func(name string) string {
		return "ServerNameTaken: Server " + name + " is there already, and is none of this set's: the next number is taken"
	}
	none := "NoReplicaFailure: nothing is in the way"
	if diff := cmp.Diff([]string{none, taken("web-1"), taken("web-2"), taken("web-3"), none, none}, said); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	close(recorder.Events)
	var events []string
	for event := range recorder.Events {
		events = append(events, event)
	}
	want := []string{
		"Warning ServerNameTaken Server web-1 is there already, and is none of this set's: the next number is taken",
		"Normal NoReplicaFailure nothing is in the way",
	}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Errorf("events (-want +have)\n%s", diff)
	}
	mine := &v1alpha1.Server{}
	if err := api.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "web-4"}, mine); err != nil || !metav1.IsControlledBy(mine, set) {
		t.Errorf("%v %+v", err, mine.OwnerReferences)
	}
}
