package reschedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/binding"
	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/reschedule/decide"
)

// gathered is the world and the binding behind it, whose resourceVersion guards the write.
type gathered struct {
	world   decide.World
	binding *workv1alpha2.ResourceBinding
	// joined are the Clusters of world.Clusters, nil where there is none any more, and filters what the policy says of them.
	joined  []*clusterv1alpha1.Cluster
	filters *placement
	// given and passed are what others were given within a minute, and what left or entered a cluster.
	given, passed map[string]int32
	// outside are clusters that the binding has not; nil until they were asked.
	outside *outside
}

// lacks reports whether a member says that it has fewer ready replicas than it was assigned. It is asked of every binding that changes.
func lacks(b *workv1alpha2.ResourceBinding) bool {
	if b.Spec.Replicas == 0 || !binding.Divided(b) {
		return false
	}
	return slices.ContainsFunc(b.Spec.Clusters, func(target workv1alpha2.TargetCluster) bool { return short(b, target) })
}

// short reports whether one member does.
func short(b *workv1alpha2.ResourceBinding, target workv1alpha2.TargetCluster) bool {
	if target.Replicas == 0 {
		return false
	}
	item := binding.Reported(&b.Status, target.Name)
	if item == nil || item.Status == nil {
		return true
	}
	var counts struct {
		ReadyReplicas int32 `json:"readyReplicas"`
	}
	return json.Unmarshal(item.Status.Raw, &counts) != nil || counts.ReadyReplicas < target.Replicas
}

// gather reads what a decision rests on: the binding past every cache, and, side by side, the members that lack replicas or had to do with
// the last move. Where there is room is asked by askRoom. nil where there is no binding any more.
func (c *Controller) gather(ctx context.Context, key types.NamespacedName) (*gathered, error) {
	seen := &gathered{binding: &workv1alpha2.ResourceBinding{}}
	if err := c.reader.Get(ctx, key, seen.binding); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("reading ResourceBinding %s: %w", key, err)
	}
	b := seen.binding
	seen.world = decide.World{Now: c.clock.Now(), Settings: c.settings(), Binding: bindingFacts(b)}
	// A memory that somebody else wrote into is none.
	seen.world.Memory, _ = decide.Remember(b.Annotations[mark.RescheduleMoved])
	alone := &seen.world.Binding.Alone
	var err error
	if alone.Descheduler, err = c.descheduler.running(ctx, c.reader, c.clock); err != nil {
		return nil, err
	}
	if err := c.rivals(ctx, b, alone); err != nil {
		return nil, err
	}
	if seen.filters, err = newPlacement(b); err != nil {
		return nil, err
	}
	seen.world.Clusters = make([]decide.Cluster, len(b.Spec.Clusters))
	seen.joined = make([]*clusterv1alpha1.Cluster, len(b.Spec.Clusters))
	for i, target := range b.Spec.Clusters {
		seen.world.Clusters[i] = decide.Cluster{Name: target.Name, Assigned: target.Replicas}
		cluster := &clusterv1alpha1.Cluster{}
		if err := c.cache.Get(ctx, client.ObjectKey{Name: target.Name}, cluster); client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("reading Cluster %s: %w", target.Name, err)
		} else if err == nil {
			seen.joined[i] = cluster
		}
		if joined := seen.joined[i]; joined == nil || !joined.DeletionTimestamp.IsZero() {
			// karmada-scheduler takes it out of the binding with the next write, and divides anew.
			alone.Evicting = append(alone.Evicting, target.Name)
		}
	}
	workqueue.ParallelizeUntil(ctx, sideBySide, len(seen.world.Clusters), func(i int) { c.member(ctx, seen, i) })
	return seen, nil
}

// sideBySide is how many members one look reads, or asks, at a time.
const sideBySide = 16

func (c *Controller) settings() decide.Settings {
	return decide.Settings{
		Unschedulable: seconds(c.cfg.UnschedulableSeconds), Autoscaler: seconds(c.cfg.AutoscalerSeconds),
		CoolDown: seconds(c.cfg.CoolDownSeconds), CoolDownMost: seconds(c.cfg.CoolDownMostSeconds), ComeUp: seconds(c.cfg.ComeUpSeconds),
		MovesPerMinute: c.cfg.MaxMovesPerMinute, Deaf: c.deaf,
	}
}

// endless reports whether pods of a kind are to run until they are stopped.
func endless(kind string) bool {
	return !slices.Contains([]string{"Job", "CronJob", "BroadcastJob", "AdvancedCronJob", "ImagePullJob"}, kind)
}

func bindingFacts(b *workv1alpha2.ResourceBinding) decide.Binding {
	out := decide.Binding{
		Replicas: b.Spec.Replicas, Divided: binding.Divided(b),
		Settled: binding.Settled(b) && !util.RescheduleRequired(b.Spec.RescheduleTriggeredAt, b.Status.LastScheduledTime) &&
			meta.IsStatusConditionTrue(b.Status.Conditions, workv1alpha2.Scheduled),
		Alone: decide.Alone{Deleting: !b.DeletionTimestamp.IsZero(), Components: len(b.Spec.Components), Evicting: binding.Evicting(b)},
	}
	if placement := b.Spec.Placement; placement != nil && placement.ReplicaScheduling != nil {
		how := placement.ReplicaScheduling
		out.Aggregated = how.ReplicaDivisionPreference == policyv1alpha1.ReplicaDivisionPreferenceAggregated
		out.StaticWeights = out.Divided && !out.Aggregated && (how.WeightPreference == nil || how.WeightPreference.DynamicWeight == "")
	}
	if !endless(b.Spec.Resource.Kind) {
		out.Alone.Job = b.Spec.Resource.Kind
	}
	if name := b.Spec.SchedulerName; name != "" && name != "default-scheduler" {
		out.Alone.Scheduler = name
	}
	if s := b.Spec.Suspension; s != nil {
		switch {
		case s.Dispatching != nil && *s.Dispatching:
			out.Alone.Suspended = "dispatching"
		case b.Spec.SchedulingSuspended():
			out.Alone.Suspended = "scheduling"
		}
	}
	return out
}

// member fills in one cluster of the binding. What cannot be read puts it out of the decision, and is never zero.
func (c *Controller) member(ctx context.Context, seen *gathered, i int) {
	out, joined := &seen.world.Clusters[i], seen.joined[i]
	switch {
	case joined == nil || !joined.DeletionTimestamp.IsZero():
		out.Out = "it is leaving the federation"
		return
	case !util.IsClusterReady(&joined.Status):
		out.Out = "it is not Ready"
		return
	case binding.Held(seen.binding, out.Name):
		out.Out = "dispatching to it is suspended"
		return
	}
	out.Closed, out.Tier = seen.filters.closed(ctx, joined), seen.filters.tier(joined)
	// What the last move did is judged by what its clusters run, whatever they report.
	lately := seen.world.Recalls() && slices.ContainsFunc(seen.world.Memory.Moved, func(t decide.Transfer) bool {
		return out.Name == t.From || out.Name == t.To
	})
	if !lately && !short(seen.binding, seen.binding.Spec.Clusters[i]) {
		out.Unasked = true
		return
	}
	c.read(ctx, seen, i, !lately)
}

// read the workload in a member; with ifWaits only if a pod of it waits for a node, and otherwise it counts as not asked yet.
func (c *Controller) read(ctx context.Context, seen *gathered, i int, ifWaits bool) {
	out := &seen.world.Clusters[i]
	ctx, cancel := context.WithTimeout(ctx, memberTimeout)
	defer cancel()
	out.Unasked, out.Unread = false, false
	workload, err := c.workload(ctx, seen, out.Name, ifWaits)
	if errors.Is(err, errNobodyWaits) {
		out.Unasked = true
		return
	}
	if err != nil {
		out.Out = "it was not read: " + err.Error()
		return
	}
	out.Workload = workload
}

// memberTimeout bounds what one member may cost a decision.
const memberTimeout = 15 * time.Second

func anyRefused(w *decide.Workload) bool {
	return w != nil && slices.ContainsFunc(w.Pods, func(p decide.Pod) bool { return !p.Refused.IsZero() })
}
