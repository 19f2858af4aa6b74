package reschedule

import (
	"cmp"
	"context"
	"slices"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	estimatorclient "github.com/karmada-io/karmada/pkg/estimator/client"
	"k8s.io/client-go/util/workqueue"

	"github.com/argosy-dev/argosy/reschedule/decide"
)

// What estimators are asked is bounded, whatever the federation is like (docs/decisions/0375): the scheduler asks them too.
const (
	// atOnce is how many clusters one look asks, and few how many the first look of a binding that waits asks before it sees whether more are
	// needed.
	atOnce, few = 32, 8
	// questionsPerSecond is how many are asked in all.
	questionsPerSecond, questionsBurst = 200, 400
)

// candidate is a cluster that may be asked for its room.
type candidate struct {
	index, tier int
	name        string
	// sums is how many fit by the sums in the Cluster's status: it says where to ask first, and is no answer.
	sums int32
}

// turns is how many looks it takes to ask n clusters.
func turns(n int) int32 {
	if n <= atOnce {
		return min(int32(n), 1)
	}
	const half = atOnce / 2
	return int32((n - half + half - 1) / half)
}

// choose whom one look asks: all, or where there are many the half that has most by its sums, and of the others each in its turn.
func choose(all []candidate, turn int32) []candidate {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.tier, b.tier), cmp.Compare(b.sums, a.sums), cmp.Compare(a.name, b.name))
	})
	if len(all) <= atOnce {
		return all
	}
	const half = atOnce / 2
	begin := half + int(turn%turns(len(all)))*half
	return append(all[:half:half], all[begin:min(begin+half, len(all))]...)
}

// sums is how many replicas of the binding fit a cluster by its status.
func sums(ctx context.Context, b *workv1alpha2.ResourceBinding, cluster *clusterv1alpha1.Cluster) int32 {
	if cluster.Status.ResourceSummary == nil {
		return 0
	}
	answers, err := estimatorclient.NewGeneralEstimator().MaxAvailableReplicas(ctx, estimatorclient.ReplicaEstimationRequest{
		Clusters: []*clusterv1alpha1.Cluster{cluster}, ReplicaRequirements: b.Spec.ReplicaRequirements,
	})
	if err != nil || len(answers) != 1 {
		return 0
	}
	return answers[0].Replicas
}

// askRoom asks the binding's own clusters for room, if that could change what is decided.
func (c *Controller) askRoom(ctx context.Context, seen *gathered, turn int32) {
	first := decide.Next(seen.world)
	if !first.Asks {
		return
	}
	var all []candidate
	for i := range seen.world.Clusters {
		cluster := &seen.world.Clusters[i]
		if cluster.Out != "" || cluster.Closed != "" || anyRefused(cluster.Workload) || !cluster.Unasked && cluster.Workload == nil {
			continue
		}
		all = append(all, candidate{index: i, tier: cluster.Tier, name: cluster.Name, sums: sums(ctx, seen.binding, seen.joined[i])})
	}
	seen.world.Turns = turns(len(all))
	chosen := choose(all, turn)
	if wanted := total(first.Wanted); turn == 0 && len(chosen) > few {
		if c.ask(ctx, seen, chosen[:few]) >= wanted {
			return
		}
		chosen = chosen[few:]
	}
	c.ask(ctx, seen, chosen)
}

func total(wanted map[string]int32) (sum int32) {
	for _, n := range wanted {
		sum += n
	}
	return sum
}

// ask some clusters, of which those with room that were not read yet are read then. It returns how many fit them in all.
func (c *Controller) ask(ctx context.Context, seen *gathered, chosen []candidate) (fit int32) {
	workqueue.ParallelizeUntil(ctx, sideBySide, len(chosen), func(i int) {
		of := chosen[i].index
		out := &seen.world.Clusters[of]
		out.Room = c.roomIn(ctx, out.Name, seen.binding)
		if !out.Unasked {
			return
		}
		out.Unasked, out.Unread = false, true
		if out.Room != nil && *out.Room > 0 {
			c.read(ctx, seen, of, false)
		}
	})
	for _, one := range chosen {
		cluster := &seen.world.Clusters[one.index]
		if room := cluster.Room; room != nil && cluster.Out == "" && !anyRefused(cluster.Workload) {
			fit += min(*room, seen.binding.Spec.Replicas)
		}
	}
	return fit
}

// roomIn is a cluster's room by its estimator; nil where nobody says.
func (c *Controller) roomIn(ctx context.Context, cluster string, b *workv1alpha2.ResourceBinding) *int32 {
	if c.limit.Wait(ctx) != nil {
		return nil
	}
	c.measures.questions.Inc()
	free, ok := c.estimator.Free(ctx, cluster, b)
	if !ok {
		return nil
	}
	return &free
}
