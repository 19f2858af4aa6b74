package reschedule

import (
	"context"
	"strings"
	"testing"
	"time"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/reschedule/decide"
)

// one is the only member there is.
type one struct{ client client.Client }

func (o one) Client(context.Context, string) (client.Client, error) { return o.client, nil }

const workloads = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, uid: d, generation: 2, labels: {component.luojilab.com/component: front},
  ownerReferences: [{apiVersion: component.luojilab.com/v1beta1, kind: Component, name: front, uid: c, controller: true}]}
spec: {replicas: 2, selector: {matchLabels: {app: web}}}
status: {observedGeneration: 2, replicas: 2, updatedReplicas: 2}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web-1, namespace: shop, uid: r, labels: {app: web},
  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: d, controller: true}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1-a, namespace: shop, uid: pa, labels: {app: web},
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-1, uid: r, controller: true}]}
spec: {nodeName: node}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1-b, namespace: shop, uid: pb, labels: {app: web},
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-1, uid: r, controller: true}]}
spec: {volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]}
status:
  conditions: [{type: PodScheduled, status: "False", reason: Unschedulable, message: no cpu, lastTransitionTime: "2026-11-28T21:00:00Z"}]
---
apiVersion: v1
kind: Pod
metadata: {name: gated, namespace: shop, uid: pg, labels: {app: web},
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-1, uid: r, controller: true}]}
status:
  conditions: [{type: PodScheduled, status: "False", reason: SchedulingGated, lastTransitionTime: "2026-11-28T21:00:00Z"}]
---
apiVersion: v1
kind: Pod
metadata: {name: stranger, namespace: shop, uid: ps, labels: {app: web}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop}
spec: {volumeName: disk-7}
---
apiVersion: v1
kind: Event
metadata: {name: up, namespace: shop}
involvedObject: {kind: Pod, name: web-1-b, uid: pb}
reason: TriggeredScaleUp
lastTimestamp: "2026-11-28T21:01:00Z"
---
apiVersion: component.luojilab.com/v1beta1
kind: Component
metadata: {name: front, namespace: shop, uid: c}
spec: {replicas: 2}
`

// member is one that selects by the fields a real one does.
func member(t *testing.T, objects ...client.Object) *fake.ClientBuilder {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithIndex(&corev1.Event{}, "reason", func(o client.Object) []string { return []string{o.(*corev1.Event).Reason} }).
		WithIndex(&corev1.Pod{}, "spec.nodeName", func(o client.Object) []string { return []string{o.(*corev1.Pod).Spec.NodeName} })
}

// lookedAt is a binding whose pods may move once they were refused for five minutes.
func lookedAt(b *workv1alpha2.ResourceBinding, now time.Time) *gathered {
	return &gathered{binding: b, world: decide.World{Now: now, Settings: decide.Settings{Unschedulable: 5 * time.Minute}}}
}

// TestWorkload: of a member's workload those pods count that its chain of controllers leads to, and of those that wait all is read that
// keeps a replica where it is. A Component's are those of what was made of it.
func TestWorkload(t *testing.T) {
	var objects []client.Object
	for _, text := range strings.Split(workloads, "---\n") {
		objects = append(objects, fixture.Parse(t, text).Unstructured())
	}
	at := time.Date(2026, 11, 28, 21, 0, 0, 0, time.UTC)
	c := &Controller{members: one{member(t, objects...).Build()}, clock: clocktesting.NewFakeClock(at.Add(time.Hour))}
	want := &decide.Workload{Replicas: 2, Pods: []decide.Pod{
		{Name: "gated"}, {Name: "web-1-a", Scheduled: true},
		{Name: "web-1-b", Refused: at, Why: "no cpu", Volume: "data", Answered: at.Add(time.Minute)},
	}}
	for _, of := range []workv1alpha2.ObjectReference{
		{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web"},
		{APIVersion: "component.luojilab.com/v1beta1", Kind: "Component", Namespace: "shop", Name: "front"},
	} {
		b := bindingOf(policyv1alpha1.Placement{})
		b.Spec.Resource = of
		got, err := c.workload(t.Context(), lookedAt(b, at.Add(time.Hour)), "member1", true)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got.Pods {
			got.Pods[i].Refused, got.Pods[i].Answered = got.Pods[i].Refused.UTC(), got.Pods[i].Answered.UTC()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", of.Kind, diff)
		}
	}
	b := bindingOf(policyv1alpha1.Placement{})
	b.Spec.Resource.Name = "absent"
	if got, err := c.workload(t.Context(), lookedAt(b, at), "member1", false); got != nil || err != nil {
		t.Errorf("absent: %+v, %v", got, err)
	}
}

// TestAmid: what a workload is in the middle of.
func TestAmid(t *testing.T) {
	for text, want := range map[string]string{
		`{metadata: {generation: 2}, status: {observedGeneration: 2}}`: "",
		`{metadata: {generation: 3}, status: {observedGeneration: 2}}`: "its controller has not seen its last change",
		`{spec: {paused: true}}`:                                       "its rollout is paused",
		`{spec: {updateStrategy: {paused: true}}}`:                     "its rollout is paused",
		`{spec: {updateStrategy: {partition: 0}}}`:                     "",
		`{spec: {updateStrategy: {partition: "50%"}}}`:                 "its rollout is held at partition 50%",
		`{spec: {updateStrategy: {rollingUpdate: {partition: 2}}}}`:    "its rollout is held at partition 2",
		`{status: {replicas: 3, updatedReplicas: 1}}`:                  "its pods are of two revisions",
		`{status: {replicas: 3}}`:                                      "its pods are of two revisions",
		`{spec: {updateStrategy: {rollingUpdate: {partition: "0%"}}}}`: "",
	} {
		if got := amid(fixture.Parse(t, "{apiVersion: apps/v1, kind: Deployment, "+strings.TrimPrefix(text, "{")).Unstructured()); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestLacks: a member that reports fewer ready replicas than it was assigned, or nothing.
func TestLacks(t *testing.T) {
	with := func(status string) *workv1alpha2.ResourceBinding {
		b := bindingOf(policyv1alpha1.Placement{}, workv1alpha2.TargetCluster{Name: "member1", Replicas: 2},
			workv1alpha2.TargetCluster{Name: "member2"})
		if status != "" {
			b.Status.AggregatedStatus = []workv1alpha2.AggregatedStatusItem{{ClusterName: "member1",
				Status: &runtime.RawExtension{Raw: []byte(status)}}}
		}
		return b
	}
	for status, want := range map[string]bool{"": true, `{"readyReplicas":1}`: true, `{"readyReplicas":2}`: false, `{}`: true, `x`: true} {
		if got := lacks(with(status)); got != want {
			t.Errorf("%q lacks: %v", status, got)
		}
	}
	if cameUp(nil, "member1") || cameUp(with(""), "member1") || cameUp(with(`{"readyReplicas":2}`), "member9") ||
		!cameUp(with(`{"readyReplicas":2}`), "member1") {
		t.Error("a move came up where, and only where, the member reports all it was assigned as ready")
	}
	duplicated := with("")
	duplicated.Spec.Placement.ReplicaScheduling = nil
	if lacks(duplicated) {
		t.Error("a duplicated one is looked at")
	}
}

// TestBindingFacts reads of a binding what decides of it.
func TestBindingFacts(t *testing.T) {
	yes := true
	for name, tc := range map[string]struct {
		change func(*workv1alpha2.ResourceBinding)
		holds  func(decide.Binding) bool
	}{
		"dynamic": {func(*workv1alpha2.ResourceBinding) {}, func(b decide.Binding) bool { return b.Divided && !b.StaticWeights && !b.Settled }},
		"scheduled": {func(b *workv1alpha2.ResourceBinding) {
			b.Status.Conditions = []metav1.Condition{{Type: workv1alpha2.Scheduled, Status: metav1.ConditionTrue}}
		}, func(b decide.Binding) bool { return b.Settled }},
		"a rebalancer asks": {func(b *workv1alpha2.ResourceBinding) {
			b.Status.Conditions = []metav1.Condition{{Type: workv1alpha2.Scheduled, Status: metav1.ConditionTrue}}
			b.Status.LastScheduledTime, b.Spec.RescheduleTriggeredAt = &metav1.Time{Time: time.Unix(1, 0)}, &metav1.Time{Time: time.Unix(2, 0)}
		}, func(b decide.Binding) bool { return !b.Settled }},
		"static weights": {func(b *workv1alpha2.ResourceBinding) { b.Spec.Placement.ReplicaScheduling.WeightPreference = nil },
			func(b decide.Binding) bool { return b.StaticWeights }},
		"aggregated": {func(b *workv1alpha2.ResourceBinding) {
			b.Spec.Placement.ReplicaScheduling.ReplicaDivisionPreference = policyv1alpha1.ReplicaDivisionPreferenceAggregated
			b.Spec.Placement.ReplicaScheduling.WeightPreference = nil
		}, func(b decide.Binding) bool { return b.Aggregated && !b.StaticWeights }},
		"duplicated": {func(b *workv1alpha2.ResourceBinding) { b.Spec.Placement.ReplicaScheduling = nil },
			func(b decide.Binding) bool { return !b.Divided }},
		"a job": {func(b *workv1alpha2.ResourceBinding) { b.Spec.Resource.Kind = "BroadcastJob" },
			func(b decide.Binding) bool { return b.Alone.Job == "BroadcastJob" }},
		"another scheduler": {func(b *workv1alpha2.ResourceBinding) { b.Spec.SchedulerName = "mine" },
			func(b decide.Binding) bool { return b.Alone.Scheduler == "mine" }},
		"dispatching": {func(b *workv1alpha2.ResourceBinding) {
			b.Spec.Suspension = &workv1alpha2.Suspension{Suspension: policyv1alpha1.Suspension{Dispatching: &yes}}
		}, func(b decide.Binding) bool { return b.Alone.Suspended == "dispatching" }},
		"scheduling": {func(b *workv1alpha2.ResourceBinding) { b.Spec.Suspension = &workv1alpha2.Suspension{Scheduling: &yes} },
			func(b decide.Binding) bool { return b.Alone.Suspended == "scheduling" }},
		"evicting": {func(b *workv1alpha2.ResourceBinding) {
			b.Spec.GracefulEvictionTasks = []workv1alpha2.GracefulEvictionTask{{FromCluster: "member9"}}
		}, func(b decide.Binding) bool { return len(b.Alone.Evicting) == 1 }},
	} {
		b := bindingOf(policyv1alpha1.Placement{}, workv1alpha2.TargetCluster{Name: "member1", Replicas: 2})
		tc.change(b)
		if got := bindingFacts(b); !tc.holds(got) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
