package reschedule

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/flowcontrol"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/reschedule/decide"
)

// TestPromises: what others were given counts against a member's room while it does not run and for a minute; what the cache does not show
// yet counts too, and what belongs to a binding that is gone does not.
func TestPromises(t *testing.T) {
	now := time.Unix(100000, 0)
	moved := func(ago time.Duration) decide.Memory {
		return decide.Memory{At: now.Add(-ago), CoolDown: time.Minute, Moved: []decide.Transfer{{From: "member1", To: "member2", Replicas: 3}}}
	}
	scheme := runtime.NewScheme()
	if err := workv1alpha2.Install(scheme); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		shown, own  *decide.Memory
		ready       string
		wantGiven   int32
		wantRecent  int32
		wantOwnLeft int
	}{
		"nothing":                  {},
		"a moment ago":             {shown: ptr.To(moved(time.Second)), wantGiven: 3, wantRecent: 3},
		"it runs":                  {shown: ptr.To(moved(time.Second)), ready: `{"readyReplicas":3}`, wantRecent: 3},
		"long ago":                 {shown: ptr.To(moved(2 * time.Minute))},
		"of a clock that was back": {shown: ptr.To(moved(-time.Hour))},
		"not shown yet": {shown: ptr.To(moved(time.Hour)), own: ptr.To(moved(0)),
			ready: `{"readyReplicas":3}`, wantGiven: 3, wantRecent: 3, wantOwnLeft: 1},
		"shown by now": {shown: ptr.To(moved(0)), own: ptr.To(moved(0)), ready: `{"readyReplicas":3}`, wantRecent: 3},
	} {
		t.Run(name, func(t *testing.T) {
			builder := fake.NewClientBuilder().WithScheme(scheme).WithIndex(&workv1alpha2.ResourceBinding{}, movedIndex, indexMoved)
			key := types.NamespacedName{Namespace: "shop", Name: "other"}
			c := &Controller{clock: clocktesting.NewFakeClock(now), ledger: &ledger{own: map[types.NamespacedName]decide.Memory{}}}
			if tc.own != nil {
				c.ledger.own[key] = *tc.own
			}
			if tc.shown != nil {
				b := &workv1alpha2.ResourceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name,
					Annotations: map[string]string{mark.RescheduleMoved: tc.shown.String()}}}
				b.Spec.Clusters = []workv1alpha2.TargetCluster{{Name: "member2", Replicas: 3}}
				if tc.ready != "" {
					b.Status.AggregatedStatus = []workv1alpha2.AggregatedStatusItem{{ClusterName: "member2",
						Status: &runtime.RawExtension{Raw: []byte(tc.ready)}}}
				}
				builder.WithObjects(b)
			}
			c.cache = builder.Build()
			seen := &gathered{world: decide.World{Clusters: []decide.Cluster{{Name: "member2"}}}}
			if _, err := c.promises(t.Context(), types.NamespacedName{Namespace: "shop", Name: "web"}, seen); err != nil {
				t.Fatal(err)
			}
			got := seen.world.Clusters[0]
			if got.Promised != tc.wantGiven || got.Recent != tc.wantRecent || len(c.ledger.own) != tc.wantOwnLeft {
				t.Errorf("promised %d, moved %d, remembered %d, want %d, %d, %d", got.Promised, got.Recent, len(c.ledger.own), tc.wantGiven,
					tc.wantRecent, tc.wantOwnLeft)
			}
		})
	}
}

// TestALostAnswerIsRemembered: a write whose answer never came may have been made, and counts; one that was refused does not.
func TestALostAnswerIsRemembered(t *testing.T) {
	now := time.Unix(100000, 0)
	scheme := runtime.NewScheme()
	if err := workv1alpha2.Install(scheme); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"answered":             {want: true},
		"the connection broke": {errors.New("http2: client connection lost"), true},
		"a gateway timed out":  {apierrors.NewTimeoutError("etcdserver: request timed out", 1), true},
		"somebody was first":   {apierrors.NewConflict(workv1alpha2.Resource("resourcebindings"), "web", errors.New("changed")), false},
		"it may not":           {apierrors.NewForbidden(workv1alpha2.Resource("resourcebindings"), "web", errors.New("no")), false},
	} {
		t.Run(name, func(t *testing.T) {
			b := &workv1alpha2.ResourceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
			b.Spec.Replicas = 3
			inner := fake.NewClientBuilder().WithScheme(scheme).WithObjects(b).Build()
			c := &Controller{ledger: &ledger{own: map[types.NamespacedName]decide.Memory{}}, writer: interceptor.NewClient(inner, interceptor.Funcs{
				Patch: func(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, options ...client.PatchOption) error {
					return cmp.Or(tc.err, c.Patch(ctx, o, patch, options...))
				},
			})}
			if err := inner.Get(t.Context(), client.ObjectKeyFromObject(b), b); err != nil {
				t.Fatal(err)
			}
			undo, ok := c.ledger.note(0, client.ObjectKeyFromObject(b), decide.Memory{At: now})
			if !ok {
				t.Fatal("nobody else noted anything, and this was not")
			}
			err := c.write(t.Context(), b, decide.Decision{Targets: []decide.Target{{Cluster: "member2", Replicas: 3}},
				Memory: &decide.Memory{At: now}}, undo)
			if !errors.Is(err, tc.err) {
				t.Fatalf("error %v, want %v", err, tc.err)
			}
			if _, remembered := c.ledger.own[client.ObjectKeyFromObject(b)]; remembered != tc.want {
				t.Errorf("remembered %t, want %t", remembered, tc.want)
			}
		})
	}
}

// meanwhile is an estimator that has room for three in member3 and none elsewhere; when it is first asked about that, something else
// happens.
type meanwhile struct {
	do func()
}

func (m *meanwhile) Free(_ context.Context, cluster string, _ *workv1alpha2.ResourceBinding) (int32, bool) {
	if cluster != "member3" {
		return 0, true
	}
	if do := m.do; do != nil {
		m.do = nil
		do()
	}
	return 3, true
}

// waitsFor a cluster that the binding has not: two of four replicas in member1 wait, and member2 was found full.
func waitsFor(t *testing.T, name string, now time.Time) *gathered {
	t.Helper()
	b := bindingOf(policyv1alpha1.Placement{ClusterAffinity: ptr.To(in("member1", "member2", "member3"))},
		workv1alpha2.TargetCluster{Name: "member1", Replicas: 4}, workv1alpha2.TargetCluster{Name: "member2", Replicas: 2})
	b.Namespace, b.Name = "shop", name
	seen := lookedAt(b, now)
	seen.world.Full, seen.world.Settings.MovesPerMinute = 9, 100
	seen.world.Binding = decide.Binding{Replicas: 6, Divided: true, Settled: true}
	ago, runs := now.Add(-time.Hour), decide.Pod{Scheduled: true}
	seen.world.Clusters = []decide.Cluster{
		{Name: "member1", Assigned: 4, Workload: &decide.Workload{Replicas: 4, Pods: []decide.Pod{runs, runs, {Refused: ago}, {Refused: ago}}}},
		{Name: "member2", Assigned: 2, Room: ptr.To[int32](0), Workload: &decide.Workload{Replicas: 2, Pods: []decide.Pod{runs, runs}}},
	}
	var err error
	if seen.filters, err = newPlacement(b); err != nil {
		t.Fatal(err)
	}
	return seen
}

// TestOneRoomForTwo: while one binding waits for an estimator's answer another may take the room, and nobody waits for the other. Who was
// first has it, and the other gets what is left of it.
func TestOneRoomForTwo(t *testing.T) {
	now := time.Unix(100000, 0)
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{workv1alpha2.Install, clusterv1alpha1.Install} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithIndex(&workv1alpha2.ResourceBinding{}, movedIndex, indexMoved)
	for _, cluster := range members("member1", "member2", "member3") {
		cluster.Status.Conditions = []metav1.Condition{{Type: clusterv1alpha1.ClusterConditionReady, Status: metav1.ConditionTrue}}
		builder.WithObjects(&cluster)
	}
	estimator := &meanwhile{}
	c := &Controller{clock: clocktesting.NewFakeClock(now), ledger: &ledger{own: map[types.NamespacedName]decide.Memory{}},
		cache: builder.Build(), estimator: estimator, measures: newMeasures(), limit: flowcontrol.NewFakeAlwaysRateLimiter()}
	claim := func(name string) (moved int32) {
		decision, _, err := c.claim(t.Context(), types.NamespacedName{Namespace: "shop", Name: name}, waitsFor(t, name, now))
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range decision.Moved {
			moved += one.Replicas
		}
		return moved
	}
	var desk int32
	estimator.do = func() {
		if !c.ledger.mu.TryLock() {
			t.Fatal("the ledger is locked while an estimator is asked")
		}
		c.ledger.mu.Unlock()
		desk = claim("desk")
	}
	if web := claim("web"); desk != 2 || web != 1 {
		t.Errorf("of room for three, who was first took %d, want 2, and the other %d, want 1", desk, web)
	}
}

// TestLongAgoIsNotRead: of bindings that were moved at some time a look reads those of about the last minute.
func TestLongAgoIsNotRead(t *testing.T) {
	now := time.Date(2026, 11, 29, 7, 0, 30, 0, time.UTC)
	scheme := runtime.NewScheme()
	if err := workv1alpha2.Install(scheme); err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithIndex(&workv1alpha2.ResourceBinding{}, movedIndex, indexMoved)
	for name, note := range map[string]string{
		"now": decide.Memory{At: now}.String(), "a-minute-ago": decide.Memory{At: now.Add(-promised)}.String(),
		"ahead": decide.Memory{At: now.Add(promised)}.String(), "long-ago": decide.Memory{At: now.Add(-time.Hour)}.String(),
		"never": "", "by-somebody": "yesterday",
	} {
		builder.WithObjects(&workv1alpha2.ResourceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name,
			Annotations: map[string]string{mark.RescheduleMoved: note}}})
	}
	c := &Controller{cache: builder.Build()}
	shown, err := c.movedLately(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for key := range shown {
		got = append(got, key.Name)
	}
	slices.Sort(got)
	if want := []string{"a-minute-ago", "ahead", "now"}; !slices.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
}
