package reschedule

import (
	"context"
	"fmt"
	"slices"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	clusterlister "github.com/karmada-io/karmada/pkg/generated/listers/cluster/v1alpha1"
	schedulercache "github.com/karmada-io/karmada/pkg/scheduler/cache"
	"github.com/karmada-io/karmada/pkg/scheduler/core"
	"github.com/karmada-io/karmada/pkg/scheduler/framework/plugins"
	"github.com/karmada-io/karmada/pkg/util"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/reschedule/decide"
)

// widen asks what Karmada's own scheduler would do, were the donors' replicas to be placed anew: a cluster that the binding does not have
// may have room. Its answer is written as it is where nobody else loses anything (docs/decisions/0331).
func (c *Controller) widen(ctx context.Context, seen *gathered, before decide.Decision) (decide.Decision, error) {
	if seen.binding.Spec.WorkloadAffinityGroups != nil {
		before.Message += "; another cluster is not looked for: the workload has an affinity to others"
		return before, nil
	}
	if seen.outside == nil {
		var err error
		if seen.outside, err = c.askOutside(ctx, seen); err != nil {
			return before, err
		}
	}
	rooms := slices.Clone(seen.outside.rooms)
	for i := range rooms {
		rooms[i].Promised, rooms[i].Recent = seen.given[rooms[i].Name], seen.passed[rooms[i].Name]
	}
	room, gives := decide.Wide(seen.world, before.Wanted, rooms)
	if len(gives) == 0 {
		if again, ok := decide.AskOutside(seen.world, before, seen.outside.looks); ok && before.Verdict == decide.NoRoom {
			return again, nil
		}
		return before, nil
	}
	targets, err := rehearse(ctx, seen.binding, seen.outside.joined, room, gives)
	failure := ""
	if err != nil {
		failure = err.Error()
	}
	return decide.Widened(seen.world, before, gives, room, targets, failure), nil
}

// outside are the clusters the binding does not have and its placement admits.
type outside struct {
	// joined are all Clusters of the federation.
	joined []clusterv1alpha1.Cluster
	// rooms of as many as one look asks, and looks how many it takes to ask all of them.
	rooms []decide.Outside
	looks int32
}

func (c *Controller) askOutside(ctx context.Context, seen *gathered) (*outside, error) {
	var all clusterv1alpha1.ClusterList
	if err := c.cache.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing Clusters: %w", err)
	}
	var candidates []candidate
	for i := range all.Items {
		cluster := &all.Items[i]
		if seen.binding.Spec.TargetContains(cluster.Name) || !cluster.DeletionTimestamp.IsZero() || !util.IsClusterReady(&cluster.Status) ||
			seen.filters.closed(ctx, cluster) != "" {
			continue
		}
		candidates = append(candidates, candidate{tier: seen.filters.tier(cluster), name: cluster.Name, sums: sums(ctx, seen.binding, cluster)})
	}
	chosen := choose(candidates, seen.world.Full)
	out := &outside{joined: all.Items, rooms: make([]decide.Outside, len(chosen)), looks: turns(len(candidates))}
	workqueue.ParallelizeUntil(ctx, sideBySide, len(chosen), func(i int) {
		out.rooms[i] = decide.Outside{Name: chosen[i].name, Room: c.roomIn(ctx, chosen[i].name, seen.binding)}
	})
	return out, nil
}

// rehearse schedules a copy of the binding in which the donors have less. What fits is told to Karmada's general estimator, the one that is
// in the scheduler's library, by Clusters that allow as many pods as there is room: with no requirements it counts nothing else.
func rehearse(ctx context.Context, b *workv1alpha2.ResourceBinding, all []clusterv1alpha1.Cluster, room, gives map[string]int32) (
	[]decide.Target, error) {
	indexer := toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, toolscache.Indexers{})
	for i := range all {
		cluster := all[i].DeepCopy()
		cluster.Status.ResourceSummary = &clusterv1alpha1.ResourceSummary{Allocatable: corev1.ResourceList{
			corev1.ResourcePods: *resource.NewQuantity(int64(room[cluster.Name]), resource.DecimalSI),
		}}
		if err := indexer.Add(cluster); err != nil {
			return nil, fmt.Errorf("rehearsing with cluster %s: %w", cluster.Name, err)
		}
	}
	spec, status := b.Spec.DeepCopy(), b.Status.DeepCopy()
	spec.ReplicaRequirements, spec.Components = nil, nil
	for i := range spec.Clusters {
		spec.Clusters[i].Replicas -= gives[spec.Clusters[i].Name]
	}
	algorithm, err := core.NewGenericScheduler(schedulercache.NewCache(clusterlister.NewClusterLister(indexer),
		toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, toolscache.Indexers{}), 0), plugins.NewInTreeRegistry())
	if err != nil {
		return nil, fmt.Errorf("building Karmada's scheduler: %w", err)
	}
	result, err := algorithm.Schedule(ctx, spec, status, &core.ScheduleAlgorithmOption{EnableEmptyWorkloadPropagation: true})
	if err != nil {
		return nil, err
	}
	var out []decide.Target
	for _, target := range result.SuggestedClusters {
		if target.Replicas > 0 || b.Spec.TargetContains(target.Name) {
			out = append(out, decide.Target{Cluster: target.Name, Replicas: target.Replicas})
		}
	}
	return out, nil
}
