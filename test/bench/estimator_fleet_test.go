package bench

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/estimator/mirror"
	"github.com/argosy-dev/argosy/estimator/server"
	"github.com/argosy-dev/argosy/estimator/wire"
)

var (
	mirrors     = flag.Int("mirrors", 50, "members that one estimator mirrors")
	mirrorNodes = flag.Int("mirror-nodes", 1000, "nodes of each of them")
)

const (
	podsPerNode = 10
	// askers ask at once, as karmada-scheduler does: each of its questions goes to all members.
	askers = 8
	askFor = 10 * time.Second
)

// mirrorsOf is a fleet in one process. It implements server.Members.
type mirrorsOf map[string]*mirror.Member

func (m mirrorsOf) Member(name string) (*mirror.Member, error) {
	if member, ok := m[name]; ok {
		return member, nil
	}
	return nil, fmt.Errorf("no member %q", name)
}

// TestManyMirrors measures what one process bears: all its members listed at once, as after a restart, what they hold, and how many
// questions it answers.
func TestManyMirrors(t *testing.T) {
	Only(t)
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), klog.Logger{}))
	defer cancel()
	each := size{*mirrorNodes, podsPerNode * *mirrorNodes}
	// One API server for all: what it holds is not the estimator's.
	client := fake.NewSimpleClientset(each.objects()...)
	before := heap()
	fleet := mirrorsOf{}
	var joining sync.WaitGroup
	var mu sync.Mutex
	begun := time.Now() //nolint:forbidigo // a benchmark's time is the real one
	for i := range *mirrors {
		joining.Go(func() {
			name := fmt.Sprintf("member-%03d", i)
			member, err := mirrored(ctx, name, client)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			fleet[name] = member
		})
	}
	joining.Wait()
	read := time.Since(begun)
	held := heap() - before
	if len(fleet) != *mirrors {
		t.Fatalf("%d members of %d were read", len(fleet), *mirrors)
	}
	asked := server.New(server.Options{Members: fleet, Clock: clock.RealClock{}})
	calls, wrong := askAll(ctx, asked)
	if wrong > 0 {
		t.Errorf("%d answers are unknown or nothing: the members are half empty", wrong)
	}
	pods := *mirrors * each.pods
	Table{
		Title: fmt.Sprintf("Estimator: %d members of %d nodes and %dk pods in one process", *mirrors, each.nodes, each.pods/1000),
		Peer:  "no peer: one process a member",
		Rows: []Row{
			{What: "all lists after a restart", Ours: fmt.Sprintf("%.1f s", read.Seconds())},
			{What: "heap", Ours: fmt.Sprintf("%.0f MB", float64(held)/1e6)},
			{What: "heap per 10k pods", Ours: megabytes(held, pods)},
			{What: "questions a second", Ours: fmt.Sprintf("%.0f", float64(len(calls))/askFor.Seconds())},
			{What: "one question, p50 / p99", Ours: spell(calls)},
		},
		Notes: []string{fmt.Sprintf("The members are fed by one fake API server in the same process, whose own work is in the time of the "+
			"lists. %d askers; each question has another request than the one before it to that member.", askers)},
	}.Print(os.Stdout)
}

// askAll asks about every member in turn for a while.
func askAll(ctx context.Context, asked *server.Server) (calls Latencies, wrong int64) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	var asking sync.WaitGroup
	var mu sync.Mutex
	var unknown atomic.Int64
	for asker := range askers {
		asking.Go(func() {
			var own Latencies
			for i := 0; ctx.Err() == nil; i++ {
				requests, err := question(int64(1000 + (i+asker)%500)).ReplicaRequirements.UnmarshalResourceRequest()
				if err != nil {
					unknown.Add(1)
					return
				}
				own = append(own, timed(1, func(int) {
					answer, err := asked.MaxAvailableReplicas(context.WithoutCancel(ctx), &wire.MaxAvailableReplicasRequest{
						Cluster: fmt.Sprintf("member-%03d", (i+asker)%*mirrors), Requirements: wire.Requirements{Requests: requests, Namespace: "default"},
					})
					if err != nil || answer.Value <= 0 {
						unknown.Add(1)
					}
				})...)
			}
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, own...)
		})
	}
	asking.Wait()
	return calls, unknown.Load()
}
