package pool_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// TestPropertiesOfPools: of whatever servers in whatever state - nobody comes in who is not Ready; the same input gives the same pool; and
// a prober that sees everybody fail takes nobody out.
func TestPropertiesOfPools(t *testing.T) {
	kinds := []v1alpha1.TaskType{
		v1alpha1.TaskAttachLoadBalancer, v1alpha1.TaskDrainLoadBalancer, v1alpha1.TaskDetachLoadBalancer, v1alpha1.TaskInstallPackages,
	}
	states := []v1alpha1.TaskState{
		v1alpha1.TaskPending, v1alpha1.TaskAwaitingApproval, v1alpha1.TaskRunning, v1alpha1.TaskSucceeded, v1alpha1.TaskFailed,
		v1alpha1.TaskSkipped,
	}
	phases := []v1alpha1.ServerPhase{
		v1alpha1.ServerInitializing, v1alpha1.ServerDeploying, v1alpha1.ServerReady, v1alpha1.ServerUnknown, v1alpha1.ServerOffline, "",
	}
	rows := []string{
		v1alpha1.ReasonServing, v1alpha1.ReasonUnreachable, v1alpha1.ReasonUnhealthy, v1alpha1.ReasonTakenOffline,
		v1alpha1.ReasonEnvironmentChanging,
	}
	records := []v1alpha1.AttachmentState{v1alpha1.Attaching, v1alpha1.Attached, v1alpha1.Draining, v1alpha1.Detached}
	for seed := range uint64(3000) {
		random := rand.New(rand.NewPCG(seed, 7))
		var servers []*v1alpha1.Server
		for i := range 1 + random.IntN(8) {
			m := MakeServer(fmt.Sprintf("web-%d", i)).Phase(phases[random.IntN(len(phases))], rows[random.IntN(len(rows))])
			for range random.IntN(3) {
				m = m.Task(kinds[random.IntN(len(kinds))], states[random.IntN(len(states))])
			}
			if random.IntN(3) > 0 {
				m = m.Was(records[random.IntN(len(records))], time.Duration(random.IntN(120)-60)*time.Second)
			}
			servers = append(servers, m.Obj())
		}
		out := decide(servers...)
		if diff := cmp.Diff(out.Members(), decide(servers...).Members()); diff != "" {
			t.Fatalf("seed %d: two answers to one question:\n%s", seed, diff)
		}
		for _, e := range out.Entries {
			m, in := e.Member()
			was := v1alpha1.Detached
			if records := e.Server.Status.LoadBalancers; len(records) > 0 {
				was = records[0].State
			}
			serves := in && !m.Draining
			if serves && was != v1alpha1.Attached && e.Server.Status.Phase != v1alpha1.ServerReady {
				t.Fatalf("seed %d: %s comes in, and is %s (was %s)", seed, e.ID(), e.Server.Status.Phase, was)
			}
			if in && m.Address == "" {
				t.Fatalf("seed %d: %s has no address", seed, e.ID())
			}
		}
	}
	for n := 2; n <= 50; n++ {
		var servers []*v1alpha1.Server
		for i := range n {
			servers = append(servers, MakeServer(fmt.Sprintf("web-%02d", i)).Sick().Obj())
		}
		if have := len(decide(servers...).Members()); have != n {
			t.Errorf("a prober that is blind took out %d of %d", n-have, n)
		}
	}
}
