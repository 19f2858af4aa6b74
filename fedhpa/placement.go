package fedhpa

import (
	"context"
	"fmt"
	"slices"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/scheduler/framework"
	"github.com/karmada-io/karmada/pkg/scheduler/framework/plugins/apienablement"
	"github.com/karmada-io/karmada/pkg/scheduler/framework/plugins/clusteraffinity"
	"github.com/karmada-io/karmada/pkg/scheduler/framework/plugins/spreadconstraint"
	"github.com/karmada-io/karmada/pkg/scheduler/framework/plugins/tainttoleration"
	"github.com/karmada-io/karmada/pkg/util"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/fedhpa/decide"
)

// placement is what a workload's policy says of clusters. FedHPA writes scheduling results itself, so that it has to keep what
// karmada-scheduler keeps; the filters are karmada-scheduler's own. They follow the version of Karmada this is built with.
type placement struct {
	binding *workv1alpha2.ResourceBinding
	filters []framework.FilterPlugin
	// neighbours are the namespace's other bindings where the workload is to stand beside, or apart from, some of them.
	neighbours []workv1alpha2.ResourceBinding
}

func (g *gatherer) placement(ctx context.Context, v *view) (*placement, error) {
	p := &placement{binding: v.binding}
	if p.binding == nil || p.binding.Spec.Placement == nil {
		return p, nil
	}
	for _, build := range []func() (framework.Plugin, error){apienablement.New, tainttoleration.New, clusteraffinity.New,
		spreadconstraint.New} {
		plugin, err := build()
		if err != nil {
			return nil, fmt.Errorf("building a filter of karmada-scheduler: %w", err)
		}
		if filter, ok := plugin.(framework.FilterPlugin); ok {
			p.filters = append(p.filters, filter)
		}
	}
	if p.binding.Spec.WorkloadAffinityGroups != nil {
		var all workv1alpha2.ResourceBindingList
		if err := g.client.List(ctx, &all, client.InNamespace(p.binding.Namespace), client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("listing ResourceBindings of %s: %w", p.binding.Namespace, err)
		}
		p.neighbours = slices.DeleteFunc(all.Items, func(b workv1alpha2.ResourceBinding) bool { return b.Name == p.binding.Name })
	}
	return p, nil
}

// lets reports whether the placement would let the workload run in a cluster that it does not run in.
func (p *placement) lets(ctx context.Context, cluster *clusterv1alpha1.Cluster) bool {
	if p.binding == nil || p.binding.Spec.Placement == nil || !cluster.DeletionTimestamp.IsZero() {
		return false
	}
	for _, filter := range p.filters {
		if !filter.Filter(ctx, &p.binding.Spec, &p.binding.Status, cluster).IsSuccess() {
			return false
		}
	}
	return p.besideOthers(cluster.Name)
}

// besideOthers reports whether workload affinity and anti-affinity let the workload into a cluster
// (pkg/scheduler/framework/plugins/workloadaffinity and workloadantiaffinity, which ask the scheduler's own index).
func (p *placement) besideOthers(cluster string) bool {
	groups := p.binding.Spec.WorkloadAffinityGroups
	if groups == nil || p.binding.Spec.TargetContains(cluster) {
		return true
	}
	for i := range p.neighbours {
		of := p.neighbours[i].Spec.WorkloadAffinityGroups
		if of == nil || len(p.neighbours[i].Spec.Clusters) == 0 {
			continue
		}
		there := p.neighbours[i].Spec.TargetContains(cluster)
		if groups.AffinityGroup != "" && of.AffinityGroup == groups.AffinityGroup && !there ||
			groups.AntiAffinityGroup != "" && of.AntiAffinityGroup == groups.AntiAffinityGroup && there {
			return false
		}
	}
	return true
}

// overflow are the groups of clusters that are used in order when the first ones are full.
func (p *placement) overflow() []policyv1alpha1.OverflowClusterAffinity {
	if p.binding == nil || p.binding.Spec.Placement == nil || !p.binding.Spec.IsWorkload() {
		return nil
	}
	for _, term := range p.binding.Spec.Placement.ClusterAffinities {
		if term.AffinityName == p.binding.Status.SchedulerObservedAffinityName {
			return term.OverflowAffinities
		}
	}
	return nil
}

// tier of a cluster: 0 for the first group, then that of each overflow in its order.
func (p *placement) tier(cluster *clusterv1alpha1.Cluster) int {
	overflow := p.overflow()
	if len(overflow) == 0 {
		return 0
	}
	for _, term := range p.binding.Spec.Placement.ClusterAffinities {
		if term.AffinityName == p.binding.Status.SchedulerObservedAffinityName && util.ClusterMatches(cluster, term.ClusterAffinity) {
			return 0
		}
	}
	for i, group := range overflow {
		if util.ClusterMatches(cluster, group.ClusterAffinity) {
			return i + 1
		}
	}
	return 0
}

// spread are the constraints on how many clusters, regions, zones, providers or values of a label are used. Of Karmada's scheduler a limit
// of 0 is none.
func (p *placement) spread() []decide.Spread {
	if p.binding == nil || p.binding.Spec.Placement == nil {
		return nil
	}
	var out []decide.Spread
	for _, c := range p.binding.Spec.Placement.SpreadConstraints {
		out = append(out, decide.Spread{MinGroups: c.MinGroups, MaxGroups: c.MaxGroups})
	}
	return out
}

// groups are those a cluster belongs to, one list for each constraint.
func (p *placement) groups(cluster *clusterv1alpha1.Cluster) [][]string {
	if p.binding == nil || p.binding.Spec.Placement == nil {
		return nil
	}
	var out [][]string
	for _, c := range p.binding.Spec.Placement.SpreadConstraints {
		var of []string
		switch {
		case c.SpreadByLabel != "":
			of = []string{cluster.Labels[c.SpreadByLabel]}
		case c.SpreadByField == policyv1alpha1.SpreadByFieldCluster:
			of = []string{cluster.Name}
		case c.SpreadByField == policyv1alpha1.SpreadByFieldRegion:
			of = []string{cluster.Spec.Region}
		case c.SpreadByField == policyv1alpha1.SpreadByFieldProvider:
			of = []string{cluster.Spec.Provider}
		case c.SpreadByField == policyv1alpha1.SpreadByFieldZone:
			of = cluster.Spec.Zones
		}
		out = append(out, of)
	}
	return out
}
