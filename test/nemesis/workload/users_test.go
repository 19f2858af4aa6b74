package workload

import (
	"context"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// late is a control plane that takes its time for every write.
type late struct {
	client.Client
	clock *clocktesting.FakeClock
	takes time.Duration
}

func (l late) Patch(context.Context, client.Object, client.Patch, ...client.PatchOption) error {
	l.clock.Step(l.takes)
	return nil
}

func (l late) Scheme() *runtime.Scheme { return runtime.NewScheme() }

// TestWorkEndsInTime: what a busy machine has no time for is left out, or the load would never end.
func TestWorkEndsInTime(t *testing.T) {
	for takes, want := range map[time.Duration]int{0: 3, 3 * time.Minute: 1} {
		clock := clocktesting.NewFakeClock(time.Unix(0, 0))
		u := &Users{
			Karmada: late{clock: clock, takes: takes}, Namespace: "n", Clock: clock,
			Note: func(context.Context, history.Note) error { return nil }, count: map[string]int{},
		}
		op := Op{What: Touch, Value: 1}
		u.Work(t.Context(), 30*time.Second, []App{{Name: Cron, APIVersion: "apps/v1", Kind: "Deployment"}}, map[string][]Op{Cron: {op, op, op}})
		if got := u.Done()[Touch]; got != want {
			t.Errorf("where each takes %s, %d were done in 30 s, want %d", takes, got, want)
		}
	}
}
