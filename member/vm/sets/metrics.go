package sets

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/fleet"
)

// Measures of what sets do.
type Measures struct {
	failovers *prometheus.CounterVec
}

// NewMeasures makes and registers them.
func NewMeasures(registerer prometheus.Registerer) (*Measures, error) {
	out := &Measures{failovers: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "argosy_vm_failovers_total",
		Help: "Servers that were given up because they could not be reached, by result: Replace, Abandon.",
	}, []string{"result"})}
	return out, registerer.Register(out.failovers)
}

// failedOver counts a Server that is given up.
func (r *Reconciler) failedOver(set *v1alpha1.VMReplicaSet, mark fleet.Mark) {
	if r.Metrics != nil && mark.GivenUp {
		r.Metrics.failovers.WithLabelValues(string(set.Spec.Failover.OnUnrepairable)).Inc()
	}
}
