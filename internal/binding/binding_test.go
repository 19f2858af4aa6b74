package binding

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// TestOf: two groups may have a kind of one name, and Karmada names the bindings of both alike.
func TestOf(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := workv1alpha2.Install(scheme); err != nil {
		t.Fatal(err)
	}
	stored := &workv1alpha2.ResourceBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-statefulset"},
	}
	stored.Spec.Resource = workv1alpha2.ObjectReference{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "web"}
	reader := fake.NewClientBuilder().WithScheme(scheme).WithObjects(stored).Build()
	key := client.ObjectKey{Namespace: "shop", Name: "web"}
	for kind, want := range map[schema.GroupKind]bool{
		{Group: "apps", Kind: "StatefulSet"}:           true,
		{Group: "apps.kruise.io", Kind: "StatefulSet"}: false,
		{Group: "apps", Kind: "Deployment"}:            false,
	} {
		got, err := Of(t.Context(), reader, key, kind)
		if err != nil || (got != nil) != want {
			t.Errorf("binding of %s: %v, %v", kind, got, err)
		}
	}
}

// TestReadings of one binding.
func TestReadings(t *testing.T) {
	b := &workv1alpha2.ResourceBinding{ObjectMeta: metav1.ObjectMeta{Generation: 3}}
	b.Status.SchedulerObservedGeneration = 2
	if Settled(b) || Divided(b) || Held(b, "m1") || ClaimedBy(b) != "" || Reported(&b.Status, "m1") != nil {
		t.Errorf("an empty binding says something: %+v", b)
	}
	b.Status.SchedulerObservedGeneration = 3
	b.Spec.Placement = &policyv1alpha1.Placement{
		ReplicaScheduling: &policyv1alpha1.ReplicaSchedulingStrategy{ReplicaSchedulingType: policyv1alpha1.ReplicaSchedulingTypeDivided},
	}
	b.Spec.GracefulEvictionTasks = []workv1alpha2.GracefulEvictionTask{{FromCluster: "m2"}}
	b.Status.AggregatedStatus = []workv1alpha2.AggregatedStatusItem{{ClusterName: "m1", Applied: true}}
	b.Labels = map[string]string{policyv1alpha1.PropagationPolicyPermanentIDLabel: "id"}
	b.Annotations = map[string]string{policyv1alpha1.PropagationPolicyNameAnnotation: "web"}
	b.Spec.Suspension = &workv1alpha2.Suspension{Suspension: policyv1alpha1.Suspension{
		DispatchingOnClusters: &policyv1alpha1.SuspendClusters{ClusterNames: []string{"m1"}},
	}}
	if !Settled(b) || !Divided(b) || Reported(&b.Status, "m1") == nil {
		t.Errorf("not read: settled %v, divided %v", Settled(b), Divided(b))
	}
	if !Held(b, "m1") || Held(b, "m2") {
		t.Errorf("dispatching is suspended to m1 alone: %v, %v", Held(b, "m1"), Held(b, "m2"))
	}
	if diff := cmp.Diff([]string{"m2"}, Evicting(b)); diff != "" {
		t.Errorf("evicting (-want +got):\n%s", diff)
	}
	if got := ClaimedBy(b); got != "PropagationPolicy web" {
		t.Errorf("claimed by %q", got)
	}
	b.Spec.Suspension.Dispatching = ptr.To(true)
	if !Held(b, "m2") {
		t.Error("dispatching is suspended to all")
	}
}

func TestMadeAfter(t *testing.T) {
	for name, tc := range map[string]struct {
		madeFrom, version string
		want              bool
	}{
		"made from that version":                  {"7", "7", false},
		"made from an older one":                  {"6", "7", false},
		"made from a later one":                   {"8", "7", true},
		"of more digits":                          {"10", "9", true},
		"of fewer digits":                         {"9", "10", false},
		"no version was noted":                    {"5", "", true},
		"versions that are no numbers":            {"b", "a", true},
		"versions that are no numbers, and alike": {"a", "a", false},
	} {
		t.Run(name, func(t *testing.T) {
			b := &workv1alpha2.ResourceBinding{}
			b.Spec.Resource.ResourceVersion = tc.madeFrom
			if have := MadeAfter(b, tc.version); have != tc.want {
				t.Errorf("MadeAfter(%q, %q) is %v", tc.madeFrom, tc.version, have)
			}
		})
	}
}
