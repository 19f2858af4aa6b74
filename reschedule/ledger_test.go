package reschedule

import (
	"cmp"
	"context"
	"errors"
	"testing"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
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
			if err := c.promises(t.Context(), types.NamespacedName{Namespace: "shop", Name: "web"}, seen); err != nil {
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
			err := c.write(t.Context(), b, decide.Decision{Targets: []decide.Target{{Cluster: "member2", Replicas: 3}},
				Memory: &decide.Memory{At: now}})
			if !errors.Is(err, tc.err) {
				t.Fatalf("error %v, want %v", err, tc.err)
			}
			if _, remembered := c.ledger.own[client.ObjectKeyFromObject(b)]; remembered != tc.want {
				t.Errorf("remembered %t, want %t", remembered, tc.want)
			}
		})
	}
}
