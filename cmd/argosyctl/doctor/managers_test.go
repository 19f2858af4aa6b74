package doctor

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

var managersNow = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// TestMemberManagers: how bad it is that a Deployment is missing is what the member's own objects say.
func TestMemberManagers(t *testing.T) {
	const bound = 3
	ago := func(d time.Duration) time.Time { return managersNow.Add(-d) }
	led := func(d time.Duration) *Leader { return &Leader{Holder: "node-1", Renewed: ago(d)} }
	for name, tc := range map[string]struct {
		manager Manager
		// asked is false of a member that did not answer.
		silent bool
		want   Severity
		says   string
	}{
		"a process, as in the lab, that looked at everything": {manager: Manager{Ready: -1, Held: 3}},
		"a process that has a moment": {
			manager: Manager{Ready: -1, Held: 3, Unseen: 1, Since: ago(unseenLong - time.Second)},
		},
		"nobody looks": {
			manager: Manager{Ready: -1, Held: 3, Unseen: 2, Since: ago(10 * time.Minute)}, want: Problem,
			says: "nobody looked at 2 of 3 Components and VM objects there since they were changed, the first 10m0s ago, " +
				"and argosy-member-manager is not seen",
		},
		"kinds that are not there": {
			manager: Manager{Ready: -1}, want: Problem,
			says: "3 Components and VM objects are dispatched there, the member holds none, and argosy-member-manager is not seen",
		},
		"a Deployment that is ready":             {manager: Manager{Ready: 2, Held: 3}},
		"a Deployment of another name":           {manager: Manager{Ready: -1, Held: 3, Lease: led(3 * time.Second)}},
		"a Lease that another name holds beside": {manager: Manager{Ready: 0, Held: 3, Lease: led(3 * time.Second)}},
		"a Deployment that is not ready": {
			manager: Manager{Ready: 0, Held: 3, Lease: led(time.Hour)}, want: Problem,
			says: "no argosy-member-manager is ready there: the 3 Components and VM objects of it stay as they are",
		},
		"one that led": {
			manager: Manager{Ready: -1, Held: 3, Lease: led(time.Hour)}, want: Problem,
			says: "no argosy-member-manager leads there, the last did 1h0m0s ago: the 3 Components and VM objects of it stay as they are",
		},
		"one that was stopped": {
			manager: Manager{Ready: -1, Held: 3, Lease: &Leader{Renewed: ago(time.Second)}}, want: Problem,
			says: "no argosy-member-manager leads there, the last did 1s ago: the 3 Components and VM objects of it stay as they are",
		},
		"one that runs and does not act": {
			manager: Manager{Ready: 1, Held: 3, Unseen: 1, Since: ago(unseenLong)}, want: Problem,
			says: "argosy-member-manager runs there, and nobody looked at 1 of 3 Components and VM objects there since they were changed, " +
				"the first 2m0s ago",
		},
		"a member that did not answer": {silent: true},
	} {
		t.Run(name, func(t *testing.T) {
			facts := Facts{Hosting: Hosting{Bound: map[string]int{"member1": bound}, Managers: map[string]Manager{"member2": {Ready: -1}}}}
			if !tc.silent {
				facts.Hosting.Managers["member1"] = tc.manager
			}
			found := memberManagers(facts, managersNow)
			if tc.want == "" {
				if len(found) != 0 {
					t.Fatalf("found %+v, want nothing", found)
				}
				return
			}
			if len(found) != 1 {
				t.Fatalf("found %+v, want one finding", found)
			}
			got := found[0]
			if got.Remedy == "" {
				t.Error("it says nothing to do")
			}
			if diff := cmp.Diff(Finding{Severity: tc.want, Object: "Cluster/member1", Message: tc.says, Remedy: got.Remedy}, got); diff != "" {
				t.Errorf("finding (-want +got):\n%s", diff)
			}
		})
	}
}

// TestManagerOf reads what a member shows.
func TestManagerOf(t *testing.T) {
	const namespace, name = "argosy-system", "argosy-member-manager"
	at := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: managersNow.Add(-d).Local()} }
	object := func(kind, name string, generation, seen int64) *unstructured.Unstructured {
		u := &unstructured.Unstructured{}
		switch kind {
		case "Component":
			u.SetAPIVersion("component.luojilab.com/v1alpha1")
		default:
			u.SetAPIVersion("vm.argosy.dev/v1alpha1")
		}
		u.SetKind(kind)
		u.SetNamespace("shop")
		u.SetName(name)
		u.SetGeneration(generation)
		u.SetCreationTimestamp(*at(time.Hour))
		wrote := func(subresource string, when *metav1.Time) metav1.ManagedFieldsEntry {
			return metav1.ManagedFieldsEntry{
				Manager: "karmada", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: u.GetAPIVersion(), Time: when,
				FieldsType: "FieldsV1", FieldsV1: &metav1.FieldsV1{Raw: []byte("{}")}, Subresource: subresource,
			}
		}
		u.SetManagedFields([]metav1.ManagedFieldsEntry{wrote("", at(5*time.Minute)), wrote("status", at(time.Minute))})
		if seen > 0 {
			u.Object["status"] = map[string]any{"observedGeneration": seen}
		}
		return u
	}
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: coordinationv1.LeaseSpec{
		HolderIdentity: ptr.To("node-1"), RenewTime: &metav1.MicroTime{Time: managersNow.Local()}}}
	for name, tc := range map[string]struct {
		objects []client.Object
		want    Manager
	}{
		"nothing": {want: Manager{Ready: -1}},
		"a Deployment and its Lease": {
			objects: []client.Object{lease, &appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Status: appsv1.DeploymentStatus{ReadyReplicas: 2}}},
			want: Manager{Ready: 2, Lease: &Leader{Holder: "node-1", Renewed: managersNow}},
		},
		"objects that somebody looked at": {
			objects: []client.Object{object("Component", "cart", 2, 2), object("VMReplicaSet", "payments", 1, 1)},
			want:    Manager{Ready: -1, Held: 2},
		},
		"objects that changed since": {
			objects: []client.Object{object("Component", "cart", 2, 1), object("VMDeployment", "orders", 1, 1)},
			want:    Manager{Ready: -1, Held: 2, Unseen: 1, Since: managersNow.Add(-5 * time.Minute)},
		},
		"objects that nobody ever looked at": {
			objects: []client.Object{object("Component", "cart", 1, 0), object("VMReplicaSet", "payments", 1, 0)},
			want:    Manager{Ready: -1, Held: 2, Unseen: 2, Since: managersNow.Add(-5 * time.Minute)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := managerOf(t.Context(), fake.NewClientBuilder().WithReturnManagedFields().WithObjects(tc.objects...).Build())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("manager (-want +got):\n%s", diff)
			}
		})
	}
}
