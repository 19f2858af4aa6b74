package workload

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestGenerateIsOfItsSeed(t *testing.T) {
	t.Parallel()
	members, length := []string{"member1", "member2", "member3"}, 2*time.Minute
	once := Generate(7, length, Apps(), members)
	if diff := cmp.Diff(once, Generate(7, length, Apps(), members)); diff != "" {
		t.Errorf("one seed, two workloads:\n%s", diff)
	}
	if cmp.Equal(once, Generate(8, length, Apps(), members)) {
		t.Error("two seeds, one workload")
	}
	for _, app := range Apps() {
		last := time.Duration(0)
		for _, op := range once[app.Name] {
			if op.At < last || op.At >= length || op.App != app.Name {
				t.Errorf("%s comes after %s, in a run of %s", op, last, length)
			}
			last = op.At
		}
		if n := len(once[app.Name]); n < 5 {
			t.Errorf("%s has %d operations", app.Name, n)
		}
	}
	for _, what := range []string{Scale, NewImage, Partition, Load, ScaleIn, Touch, Ship, Reject} {
		if Count(once)[what] == 0 {
			t.Errorf("nothing is done by %s", what)
		}
	}
}

// TestWhatIsUsedInOneWay: nobody scales by hand what an autoscaler or a timetable scales.
func TestWhatIsUsedInOneWay(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		for app, ops := range Generate(seed, 5*time.Minute, Apps(), []string{"member1"}) {
			for _, op := range ops {
				autoscaled, staged := app == Fed || app == FedSet, op.What == Ship || op.What == Reject
				if op.What == Scale && (autoscaled || app == Cron) || op.What == ScaleIn && app != Names || op.What == Load && !autoscaled ||
					staged && app != Staged {
					t.Errorf("seed %d: %s", seed, op)
				}
			}
		}
	}
}
