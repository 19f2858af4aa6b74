package reschedule

import (
	"context"
	"fmt"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/scheduler/framework"
	"github.com/karmada-io/karmada/pkg/scheduler/framework/plugins/apienablement"
	"github.com/karmada-io/karmada/pkg/scheduler/framework/plugins/clusteraffinity"
	"github.com/karmada-io/karmada/pkg/scheduler/framework/plugins/spreadconstraint"
	"github.com/karmada-io/karmada/pkg/scheduler/framework/plugins/tainttoleration"
	"github.com/karmada-io/karmada/pkg/util"
)

// placement is what a binding's policy says of clusters, by the filters of karmada-scheduler.
type placement struct {
	spec    workv1alpha2.ResourceBindingSpec
	status  workv1alpha2.ResourceBindingStatus
	filters []framework.FilterPlugin
}

// newPlacement judges clusters as if the binding had none yet: Karmada's filters let a tainted cluster keep what it has, and it must not
// get more here.
func newPlacement(b *workv1alpha2.ResourceBinding) (*placement, error) {
	p := &placement{spec: *b.Spec.DeepCopy(), status: b.Status}
	p.spec.Clusters = nil
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
	return p, nil
}

// closed says why a cluster gets nothing; empty when it may.
func (p *placement) closed(ctx context.Context, cluster *clusterv1alpha1.Cluster) string {
	if p.spec.Placement == nil {
		return "there is no placement"
	}
	for _, filter := range p.filters {
		if result := filter.Filter(ctx, &p.spec, &p.status, cluster); !result.IsSuccess() {
			return "karmada-scheduler would not choose it: " + result.AsError().Error()
		}
	}
	return ""
}

// tier of a cluster: 0 for the first group, then that of each overflow in its order.
func (p *placement) tier(cluster *clusterv1alpha1.Cluster) int {
	if p.spec.Placement == nil {
		return 0
	}
	for _, term := range p.spec.Placement.ClusterAffinities {
		if term.AffinityName != p.status.SchedulerObservedAffinityName || util.ClusterMatches(cluster, term.ClusterAffinity) {
			continue
		}
		for i, overflow := range term.OverflowAffinities {
			if util.ClusterMatches(cluster, overflow.ClusterAffinity) {
				return i + 1
			}
		}
	}
	return 0
}
