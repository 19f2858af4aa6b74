package reschedule

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/flowcontrol"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/reschedule/decide"
)

// asked are the requests to a member, by verb and kind.
type asked struct {
	mu    sync.Mutex
	count map[string]int
	fails bool
}

func (a *asked) one(what string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count[what]++
	if a.fails {
		return errors.New("connection refused")
	}
	return nil
}

func (a *asked) funcs() interceptor.Funcs {
	return interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
			kind, _ := c.GroupVersionKindFor(o)
			if err := a.one("get " + kind.Kind); err != nil {
				return err
			}
			return c.Get(ctx, key, o, options...)
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			kind, _ := c.GroupVersionKindFor(list)
			if err := a.one("list " + kind.Kind); err != nil {
				return err
			}
			return c.List(ctx, list, options...)
		},
	}
}

// deployment of a name, with pods that have a node, of which some are not ready, and pods that are refused since a moment.
func deployment(t *testing.T, name string, run, crash, refused int, since time.Time) []client.Object {
	t.Helper()
	out := []client.Object{
		fixture.Parse(t, fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, namespace: shop, uid: d-%[1]s, generation: 1}
spec: {replicas: %[2]d, selector: {matchLabels: {app: %[1]s}}}
status: {observedGeneration: 1, replicas: %[2]d, updatedReplicas: %[2]d, readyReplicas: %[3]d}
`, name, run+refused, run-crash)).Unstructured(),
		fixture.Parse(t, fmt.Sprintf(`
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: %[1]s-1, namespace: shop, uid: r-%[1]s, labels: {app: %[1]s},
  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: %[1]s, uid: d-%[1]s, controller: true}]}
spec: {}
`, name)).Unstructured(),
	}
	yes := true
	for i := range run + refused {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("%s-1-%d", name, i),
			Labels: map[string]string{"app": name},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: name + "-1", UID: types.UID("r-" + name),
				Controller: &yes}}}}
		if i < run {
			p.Spec.NodeName = "node"
		} else {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
				Reason: corev1.PodReasonUnschedulable, LastTransitionTime: metav1.NewTime(since)}}
		}
		out = append(out, p)
	}
	return out
}

// TestWhatMembersAreAsked: of whom nothing can move nearly nothing is read, and what all workloads of a namespace have in common is read
// once for all of them.
func TestWhatMembersAreAsked(t *testing.T) {
	now := time.Date(2026, 11, 29, 7, 0, 0, 0, time.UTC)
	long, young := now.Add(-time.Hour), now.Add(-time.Minute)
	donor := map[string]int{"list PodList": 2, "get Deployment": 1, "list ReplicaSetList": 1, "list EventList": 2}
	for name, tc := range map[string]struct {
		objects []client.Object
		// looks at workload "web"; all of them at one moment but where later is set.
		looks   int
		later   time.Duration
		ifWaits bool
		want    map[string]int
		wantErr error
		// wantRefused of the pods that were read.
		wantRefused int
	}{
		"a donor with nine pods that wait": {objects: deployment(t, "web", 3, 0, 9, long), looks: 1, ifWaits: true, want: donor, wantRefused: 9},
		"pods that wait for a minute": {objects: deployment(t, "web", 3, 0, 2, young), looks: 1, ifWaits: true, wantRefused: 2,
			want: map[string]int{"list PodList": 2, "get Deployment": 1, "list ReplicaSetList": 1}},
		"twenty that crash": {objects: deployment(t, "web", 3, 1, 0, long), looks: 20, ifWaits: true, wantErr: errNobodyWaits,
			want: map[string]int{"list PodList": 1}},
		"the same, after the list is stale": {objects: deployment(t, "web", 3, 1, 0, long), looks: 3, later: listFresh, ifWaits: true,
			wantErr: errNobodyWaits, want: map[string]int{"list PodList": 3}},
		"somebody else waits": {objects: append(deployment(t, "web", 3, 1, 0, long), deployment(t, "other", 0, 0, 2, long)...),
			looks: 1, ifWaits: true,
			wantErr: errNobodyWaits, want: map[string]int{"list PodList": 1, "get Deployment": 1}},
		"a receiver that is whole": {objects: deployment(t, "web", 4, 0, 0, long), looks: 1, want: map[string]int{"get Deployment": 1}},
		"a receiver that is not whole": {objects: deployment(t, "web", 3, 1, 0, long), looks: 1,
			want: map[string]int{"get Deployment": 1, "list ReplicaSetList": 1, "list PodList": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			requests := &asked{count: map[string]int{}}
			clk := clocktesting.NewFakeClock(now)
			c := &Controller{members: one{member(t, tc.objects...).WithInterceptorFuncs(requests.funcs()).Build()}, clock: clk}
			b := bindingOf(policyv1alpha1.Placement{})
			b.Spec.Resource = workv1alpha2.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web"}
			for range tc.looks {
				got, err := c.workload(t.Context(), lookedAt(b, now), "member1", tc.ifWaits)
				if !errors.Is(err, tc.wantErr) {
					t.Fatalf("error %v, want %v", err, tc.wantErr)
				}
				if n := refusedIn(got); n != tc.wantRefused {
					t.Errorf("%d refused pods, want %d", n, tc.wantRefused)
				}
				clk.Step(tc.later)
			}
			if diff := cmp.Diff(tc.want, requests.count); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func refusedIn(w *decide.Workload) (n int) {
	if w == nil {
		return 0
	}
	for _, p := range w.Pods {
		if !p.Refused.IsZero() {
			n++
		}
	}
	return n
}

// TestAFullMemberIsNotRead: where the estimator has no room nothing is read, and where it does not answer nothing is either; where it has,
// the member's workload is.
func TestAFullMemberIsNotRead(t *testing.T) {
	now := time.Date(2026, 11, 29, 7, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		free       map[string]int32
		deaf       bool
		silent     bool
		wantGets   int
		wantReason string
	}{
		"full":           {wantReason: decide.ReasonAsked},
		"says nothing":   {deaf: true, wantReason: decide.ReasonUnheard},
		"has room":       {free: map[string]int32{"member2": 5}, wantGets: 1, wantReason: decide.ReasonMoved},
		"cannot be read": {free: map[string]int32{"member2": 5}, silent: true, wantGets: 1, wantReason: decide.ReasonNoRoom},
	} {
		t.Run(name, func(t *testing.T) {
			requests := &asked{count: map[string]int{}, fails: tc.silent}
			c := &Controller{members: one{member(t, deployment(t, "web", 4, 0, 0, now)...).WithInterceptorFuncs(requests.funcs()).Build()},
				clock: clocktesting.NewFakeClock(now), estimator: &counting{free: tc.free, asked: map[string]int{}, silent: tc.deaf},
				measures: newMeasures(), limit: flowcontrol.NewFakeAlwaysRateLimiter()}
			b := bindingOf(policyv1alpha1.Placement{}, workv1alpha2.TargetCluster{Name: "member1", Replicas: 2},
				workv1alpha2.TargetCluster{Name: "member2", Replicas: 4})
			b.Spec.Replicas = 6
			b.Spec.Resource = workv1alpha2.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web"}
			seen := lookedAt(b, now)
			seen.world.Settings.MovesPerMinute = 10
			seen.world.Binding = decide.Binding{Replicas: 6, Divided: true, Settled: true}
			seen.joined = []*clusterv1alpha1.Cluster{{}, {}}
			seen.world.Clusters = []decide.Cluster{
				{Name: "member1", Assigned: 2, Workload: &decide.Workload{Replicas: 2, Pods: []decide.Pod{{Name: "a", Scheduled: true},
					{Name: "b", Refused: now.Add(-time.Hour)}}}},
				{Name: "member2", Assigned: 4, Unasked: true},
			}
			c.askRoom(t.Context(), seen, 0)
			if got := decide.Next(seen.world); got.Reason != tc.wantReason {
				t.Errorf("%s: %s, want %s", got.Reason, got.Message, tc.wantReason)
			}
			if got := requests.count["get Deployment"]; got != tc.wantGets || len(requests.count) > min(tc.wantGets, 1) {
				t.Errorf("requests: %v, want %d reads of the Deployment and no other", requests.count, tc.wantGets)
			}
		})
	}
}
