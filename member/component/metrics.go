package component

import (
	"github.com/prometheus/client_golang/prometheus"
)

// measures are the capability's metrics. How many Components are how is counted by package conditions.
type measures struct {
	writes *prometheus.CounterVec
}

func newMeasures() *measures {
	return &measures{writes: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "argosy_component_writes_total",
		Help: "Objects written for Components, by kind and cause: Missing, Changed, ChangedByHand, Adopted.",
	}, []string{"kind", "cause"})}
}

func (m *measures) register(registerer prometheus.Registerer) error {
	return registerer.Register(m.writes)
}
