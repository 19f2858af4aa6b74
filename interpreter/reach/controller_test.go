package reach

import (
	"context"
	"testing"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/interpreter"
)

var start = time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)

func cluster(ready metav1.ConditionStatus, reason string, since time.Time) *clusterv1alpha1.Cluster {
	c := &clusterv1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "member1"}}
	c.Status.Conditions = []metav1.Condition{{
		Type: clusterv1alpha1.ClusterConditionReady, Status: ready, Reason: reason, LastTransitionTime: metav1.NewTime(since),
	}}
	return c
}

func work(namespace, name, manifest string, reported bool) *workv1alpha1.Work {
	w := &workv1alpha1.Work{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	w.Spec.Workload.Manifests = []workv1alpha1.Manifest{{RawExtension: runtime.RawExtension{Raw: []byte(manifest)}}}
	w.Status.Conditions = []metav1.Condition{{Type: workv1alpha1.WorkApplied, Status: metav1.ConditionTrue, Reason: "AppliedSuccessful"}}
	if reported {
		w.Status.ManifestStatuses = []workv1alpha1.ManifestStatus{{}}
	}
	return w
}

const (
	cloneSet  = `{"apiVersion":"apps.kruise.io/v1alpha1","kind":"CloneSet"}`
	configMap = `{"apiVersion":"v1","kind":"ConfigMap"}`
	// Karmada interprets it itself; its status is ours.
	deployment = `{"apiVersion":"apps/v1","kind":"Deployment"}`
)

// rig is the controller on a fake karmada-apiserver.
type rig struct {
	*Controller
	client.Client
	clock   *clocktesting.FakeClock
	patches int
}

func newRig(t *testing.T, objects ...client.Object) *rig {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clusterv1alpha1.Install, workv1alpha1.Install} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	r := &rig{clock: clocktesting.NewFakeClock(start)}
	r.Client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithStatusSubresource(&workv1alpha1.Work{}, &clusterv1alpha1.Cluster{}).
		WithInterceptorFuncs(interceptor.Funcs{SubResourcePatch: func(
			ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption,
		) error {
			r.patches++
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		}}).Build()
	r.Controller = &Controller{
		Clusters: r.Client, Reader: r.Client, Writer: r.Client, Catalog: interpreter.NewCatalog(interpreter.Families()), Clock: r.clock,
	}
	return r
}

func (r *rig) look(t *testing.T) time.Duration {
	t.Helper()
	result, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Name: "member1"}})
	if err != nil {
		t.Fatal(err)
	}
	return result.RequeueAfter
}

// marked are the names of the Works that say their member cannot be asked.
func (r *rig) marked(t *testing.T) (names string) {
	t.Helper()
	var list workv1alpha1.WorkList
	if err := r.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	for _, w := range list.Items {
		if meta.IsStatusConditionFalse(w.Status.Conditions, ConditionMemberReachable) {
			names += w.Name + " "
		}
		if !meta.IsStatusConditionTrue(w.Status.Conditions, workv1alpha1.WorkApplied) {
			t.Errorf("Work %s lost Karmada's own condition", w.Name)
		}
	}
	return names
}

func (r *rig) become(t *testing.T, c *clusterv1alpha1.Cluster) {
	t.Helper()
	var now clusterv1alpha1.Cluster
	if err := r.Get(t.Context(), client.ObjectKeyFromObject(c), &now); err != nil {
		t.Fatal(err)
	}
	now.Status = c.Status
	if err := r.Status().Update(t.Context(), &now); err != nil {
		t.Fatal(err)
	}
}

// TestAMemberGoesAndComes: its Works are marked once, after a moment, and no longer once it is back.
func TestAMemberGoesAndComes(t *testing.T) {
	r := newRig(t, cluster("False", "ClusterNotReachable", start),
		work("karmada-es-member1", "web", cloneSet, true), work("karmada-es-member1", "new", cloneSet, false),
		work("karmada-es-member1", "config", configMap, true), work("karmada-es-member2", "elsewhere", cloneSet, true),
		work("karmada-es-member1", "api", deployment, true))
	if after := r.look(t); after != settle || r.marked(t) != "" {
		t.Fatalf("looked again after %s, marked %q: watches need a moment", after, r.marked(t))
	}
	r.clock.Step(settle)
	for range 2 {
		if after := r.look(t); after != 0 || r.marked(t) != "api web " {
			t.Fatalf("marked %q, again after %s", r.marked(t), after)
		}
	}
	if r.patches != 2 {
		t.Errorf("%d writes, want 2", r.patches)
	}
	r.become(t, cluster("True", "ClusterReady", r.clock.Now()))
	r.clock.Step(time.Minute)
	r.look(t)
	if r.marked(t) != "" || r.patches != 4 {
		t.Errorf("back, and marked %q after %d writes", r.marked(t), r.patches)
	}
}

// TestWhoIsLookedThrough: after a restart of ours, members that may have come back meanwhile, and no others.
func TestWhoIsLookedThrough(t *testing.T) {
	for name, tc := range map[string]struct {
		cluster *clusterv1alpha1.Cluster
		want    bool
	}{
		"back for an hour":         {cluster("True", "ClusterReady", start.Add(-time.Hour)), true},
		"ready since long ago":     {cluster("True", "ClusterReady", start.Add(-48*time.Hour)), false},
		"gone since long ago":      {cluster("Unknown", "ClusterStatusUnknown", start.Add(-48*time.Hour)), true},
		"has never said anything":  {&clusterv1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "member1"}}, false},
		"went only just this time": {cluster("False", "ClusterNotReachable", start.Add(-time.Second)), false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, tc.cluster)
			listed := false
			r.Reader = interceptor.NewClient(r.Client.(client.WithWatch), interceptor.Funcs{List: func(
				ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption,
			) error {
				listed = true
				return c.List(ctx, list, opts...)
			}})
			r.look(t)
			if listed != tc.want {
				t.Errorf("looked through its Works: %v", listed)
			}
		})
	}
}

// TestTurns: Karmada writes a Cluster's status every few seconds, and only what it says of Ready matters.
func TestTurns(t *testing.T) {
	beat := cluster("False", "ClusterNotReachable", start)
	beat.ResourceVersion = "2"
	if turns().Update(event.UpdateEvent{ObjectOld: cluster("False", "ClusterNotReachable", start), ObjectNew: beat}) {
		t.Error("a heartbeat")
	}
	if !turns().Update(event.UpdateEvent{ObjectOld: cluster("True", "ClusterReady", start), ObjectNew: beat}) {
		t.Error("a member that went passed unseen")
	}
}

func TestUnreachable(t *testing.T) {
	r := newRig(t, cluster("False", "ClusterNotReachable", start))
	c := &Clusters{Reader: r.Client}
	for name, want := range map[string]string{"member1": "Ready is False since 2026-11-28T10:00:00Z: ClusterNotReachable", "unjoined": ""} {
		if have, err := c.Unreachable(t.Context(), name); err != nil || have != want {
			t.Errorf("%s: %q, %v; want %q", name, have, err, want)
		}
	}
	trimmed, err := TrimCluster(&clusterv1alpha1.Cluster{
		Spec:   clusterv1alpha1.ClusterSpec{APIEndpoint: "https://m"},
		Status: clusterv1alpha1.ClusterStatus{KubernetesVersion: "v1", Conditions: []metav1.Condition{{Type: "Ready"}}},
	})
	if got := trimmed.(*clusterv1alpha1.Cluster); err != nil || got.Spec.APIEndpoint != "" || got.Status.KubernetesVersion != "" ||
		len(got.Status.Conditions) != 1 {
		t.Errorf("kept %+v, %v", got, err)
	}
}
