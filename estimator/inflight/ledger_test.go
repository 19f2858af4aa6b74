package inflight

import (
	"fmt"
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
		"a new assignment":       {[]step{{0, map[string]int32{"m1": 3}, false, false}}, time.Second, 3},
		"to another member":      {[]step{{0, map[string]int32{"m2": 3}, false, false}}, time.Second, 0},
		"there before we looked": {[]step{{0, map[string]int32{"m1": 3}, true, false}}, time.Second, 0},
		"grown": {
			[]step{{0, map[string]int32{"m1": 3}, true, false}, {time.Minute, map[string]int32{"m1": 5}, false, false}}, time.Minute, 5,
		},
		"shrunk is no promise": {
			[]step{{0, map[string]int32{"m1": 3}, true, false}, {time.Minute, map[string]int32{"m1": 2}, false, false}}, time.Minute, 0,
		},
		"touched without change": {
			[]step{{0, map[string]int32{"m1": 3}, false, false}, {time.Minute, map[string]int32{"m1": 3}, false, false}}, Patience, 0,
		},
		"waited for long enough": {[]step{{0, map[string]int32{"m1": 3}, false, false}}, Patience, 0},
		"binding gone":           {[]step{{0, map[string]int32{"m1": 3}, false, false}, {gone: true}}, time.Second, 0},
		"another member's does not renew": {
			[]step{{0, map[string]int32{"m1": 3}, false, false}, {time.Minute, map[string]int32{"m1": 3, "m2": 1}, false, false}}, Patience, 0,
		},
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

// A binding that assigns nothing young to anybody is still known by its workload's name, until it is gone.
func TestKnows(t *testing.T) {
	ledger := NewLedger()
	ledger.Observe(binding(map[string]int32{"m1": 3}), time.Time{}, true)
	for name, tc := range map[string]struct {
		cluster, namespace, workload string
		want                         bool
	}{"assigned": {"m1", "shop", "web", true}, "another member": {"m2", "shop", "web", false},
		"another workload": {"m1", "shop", "api", false}, "another namespace": {"m1", "web", "web", false}} {
		if got := ledger.Knows(tc.cluster, tc.namespace, tc.workload); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	ledger.Forget("shop", "web-deployment")
	if ledger.Knows("m1", "shop", "web") {
		t.Error("known though its binding is gone")
	}
}

// A member's promises cost what that member was promised, whatever the others were: one lookup for each took 7 s for 1,000 bindings over
// 500 members.
func BenchmarkAhead(b *testing.B) {
	ledger, now := NewLedger(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 1000 {
		one := binding(nil)
		one.Name = fmt.Sprint(i)
		for j := range 500 {
			one.Spec.Clusters = append(one.Spec.Clusters, workv1alpha2.TargetCluster{Name: fmt.Sprintf("m%d", j), Replicas: 1})
		}
		ledger.Observe(one, now, false)
	}
	for b.Loop() {
		if got := ledger.Ahead("m7", now); len(got) != 1000 {
			b.Fatalf("%d promises", len(got))
		}
	}
}
