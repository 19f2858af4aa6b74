package nemesis

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func ground() Ground {
	return Ground{
		Processes: []string{"argosy/controller-manager", "argosy/webhook", "karmada/scheduler", "member1/kube-controller-manager"},
		Members:   []string{"member1", "member2", "member3"}, Apps: []string{"plain", "fed"},
	}
}

func TestScheduleIsOfItsSeed(t *testing.T) {
	t.Parallel()
	once, again := Schedule(7, 2*time.Minute, All(), ground()), Schedule(7, 2*time.Minute, All(), ground())
	if diff := cmp.Diff(once, again); diff != "" {
		t.Errorf("one seed, two schedules:\n%s", diff)
	}
	if cmp.Equal(once, Schedule(8, 2*time.Minute, All(), ground())) {
		t.Error("two seeds, one schedule")
	}
}

func TestScheduleKeepsTargetsApart(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		length := 90 * time.Second
		faults := Schedule(seed, length, All(), ground())
		seen := map[string]bool{}
		for i, f := range faults {
			seen[f.Name] = true
			if f.At < 0 || f.At+f.For > length {
				t.Errorf("seed %d: %s does not end in %s", seed, f, length)
			}
			for _, other := range faults[:i] {
				if f.meets(other) {
					t.Errorf("seed %d: %s meets %s", seed, f, other)
				}
			}
		}
		if !seen[Kill] {
			t.Errorf("seed %d: nothing is killed", seed)
		}
	}
}
