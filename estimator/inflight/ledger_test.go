package inflight

import (
	"testing"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

func binding(replicas map[string]int32) *workv1alpha2.ResourceBinding {
	b := &workv1alpha2.ResourceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-deployment"},
		Spec: workv1alpha2.ResourceBindingSpec{Resource: workv1alpha2.ObjectReference{Kind: "Deployment", Namespace: "shop", Name: "web"}}}
	for name, count := range replicas {
		b.Spec.Clusters = append(b.Spec.Clusters, workv1alpha2.TargetCluster{Name: name, Replicas: count})
	}
	return b
}

func TestPromises(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	type step struct {
		after    time.Duration
		replicas map[string]int32
		settled  bool
		gone     bool
	}
	tests := map[string]struct {
		steps []step
		ask   time.Duration
		want  int32
	}{
		"a new assignment":                {[]step{{0, map[string]int32{"m1": 3}, false, false}}, time.Second, 3},
		"to another member":               {[]step{{0, map[string]int32{"m2": 3}, false, false}}, time.Second, 0},
		"there before we looked":          {[]step{{0, map[string]int32{"m1": 3}, true, false}}, time.Second, 0},
		"grown":                           {[]step{{0, map[string]int32{"m1": 3}, true, false}, {time.Minute, map[string]int32{"m1": 5}, false, false}}, time.Minute, 5},
		"shrunk is no promise":            {[]step{{0, map[string]int32{"m1": 3}, true, false}, {time.Minute, map[string]int32{"m1": 2}, false, false}}, time.Minute, 0},
		"touched without change":          {[]step{{0, map[string]int32{"m1": 3}, false, false}, {time.Minute, map[string]int32{"m1": 3}, false, false}}, Patience, 0},
		"waited for long enough":          {[]step{{0, map[string]int32{"m1": 3}, false, false}}, Patience, 0},
		"binding gone":                    {[]step{{0, map[string]int32{"m1": 3}, false, false}, {gone: true}}, time.Second, 0},
		"another member's does not renew": {[]step{{0, map[string]int32{"m1": 3}, false, false}, {time.Minute, map[string]int32{"m1": 3, "m2": 1}, false, false}}, Patience, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			ledger := NewLedger()
			for _, s := range tc.steps {
				if s.gone {
					ledger.Forget("shop", "web-deployment")
					continue
				}
				ledger.Observe(binding(s.replicas), begin.Add(s.after), s.settled)
			}
			got := int32(0)
			for _, promise := range ledger.Ahead("m1", begin.Add(tc.ask)) {
				got += promise.Replicas
			}
			if got != tc.want {
				t.Errorf("%d replicas promised, want %d", got, tc.want)
			}
		})
	}
}

// A process that starts finds bindings that are there already; what was scheduled just before is still a promise.
func TestPromisesSurviveARestart(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		ago  *time.Duration
		want int
	}{"never scheduled": {nil, 0}, "scheduled a moment ago": {ptr.To(10 * time.Second), 1}, "scheduled long ago": {ptr.To(Patience), 0}} {
		ledger, b := NewLedger(), binding(map[string]int32{"m1": 3})
		if tc.ago != nil {
			b.Status.LastScheduledTime = &metav1.Time{Time: now.Add(-*tc.ago)}
		}
		ledger.Observe(b, now, true)
		if got := ledger.Ahead("m1", now); len(got) != tc.want {
			t.Errorf("%s: %d promises, want %d", name, len(got), tc.want)
		}
	}
}
