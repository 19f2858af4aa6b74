package controller

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/argosy-dev/argosy/internal/gate/prometheus"
	"github.com/argosy-dev/argosy/migration/plan"
)

// allowance is how many pods of a workload may be missing.
func allowance(value *intstr.IntOrString) func(replicas int32) int32 {
	return func(replicas int32) int32 {
		if value == nil {
			return 0
		}
		allowed, err := intstr.GetScaledValueFromIntOrPercent(value, int(replicas), false)
		if err != nil || allowed < 0 {
			return 0 // the schema refuses such; a doubt allows nothing
		}
		return int32(min(allowed, int(replicas)))
	}
}

// gate asks Prometheus, when the whitelist names one, and gives its answer to every cluster of the application:
// what is not well is not opened either. A Prometheus that does not answer counts as not well.
func (c *Controller) gate(ctx context.Context, world *plan.World) {
	gate := world.Strategy.Prometheus
	if gate == nil {
		return
	}
	unwell, err := c.Gates.Ask(ctx, gate, prometheus.Application{Namespace: world.Namespace, Kind: world.Spec.Kind, Name: world.Spec.Name})
	if err != nil {
		unwell = fmt.Sprintf("Prometheus did not answer: %v", err)
	}
	for _, status := range world.Status.Clusters {
		if cluster, ok := world.Clusters[status.Name]; ok {
			cluster.Unwell = unwell
			world.Clusters[status.Name] = cluster
		}
	}
}
