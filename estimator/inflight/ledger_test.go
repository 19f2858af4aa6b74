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

// crowd is so many bindings, each of which assigned a replica to each of so many members just now.
func crowd(ledger *Ledger, bindings, members int, now time.Time) {
	for i := range bindings {
		one := binding(nil)
		one.Name, one.Spec.Resource.Name = fmt.Sprint(i), fmt.Sprint(i)
		for j := range members {
			one.Spec.Clusters = append(one.Spec.Clusters, workv1alpha2.TargetCluster{Name: fmt.Sprintf("m%d", j), Replicas: 1})
		}
		ledger.Observe(one, now, false)
	}
}

// TestAMembersPromisesCostNoOthers: an answer looks at what its own member was promised, however many others were promised something: one
// look at all took 7 s for 1,000 bindings over 500 members. Counted is memory that the answer takes, which no slow machine changes.
func TestAMembersPromisesCostNoOthers(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	looked := func(members int) (young int, allocated float64) {
		ledger := NewLedger()
		crowd(ledger, 20, members, now)
		return len(ledger.young["m7"]), testing.AllocsPerRun(10, func() {
			if got := ledger.Ahead("m7", now); len(got) != 20 {
				t.Fatalf("%d promises", len(got))
			}
		})
	}
	few, allocatedOfFew := looked(10)
	many, allocatedOfMany := looked(500)
	if few != many || allocatedOfFew != allocatedOfMany {
		t.Errorf("20 promises among those of 10 members: %d looked at, %.0f allocations; among those of 500: %d and %.0f", few, allocatedOfFew,
			many, allocatedOfMany)
	}
}

// TestWhatIsOldIsLookedAtOnce: promises that have been kept, or were waited for long enough, are in nobody's way after the next answer.
func TestWhatIsOldIsLookedAtOnce(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ledger := NewLedger()
	crowd(ledger, 20, 3, now)
	if got := ledger.Ahead("m1", now.Add(Patience)); len(got) != 0 {
		t.Errorf("%d promises", len(got))
	}
	if _, left := ledger.young["m1"]; left || len(ledger.young) != 2 {
		t.Errorf("still to be looked at: %v", ledger.young)
	}
}

// The figure that docs/reference/benchmarks.md shows is of test/bench, TestLedger.
func BenchmarkAhead(b *testing.B) {
	ledger, now := NewLedger(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	crowd(ledger, 1000, 500, now)
	for b.Loop() {
		if got := ledger.Ahead("m7", now); len(got) != 1000 {
			b.Fatalf("%d promises", len(got))
		}
	}
}
