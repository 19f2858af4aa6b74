package component

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// measures are the capability's metrics. How many Components are how is counted by package conditions.
type measures struct {
	writes *prometheus.CounterVec
	// waiting and failed are of the waves.
	waiting, failed prometheus.Gauge
}

func newMeasures() *measures {
	return &measures{waiting: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "argosy_component_wave_waiting",
		Help: "Components that a change of templates, values or of the controller has not reached yet.",
	}), failed: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "argosy_component_wave_failed",
		Help: "Components that do not serve since such a change reached them, while others wait for it.",
	}), writes: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "argosy_component_writes_total",
		Help: "Objects written for Components, by kind and cause: Missing, Changed, ChangedByHand, Adopted.",
	}, []string{"kind", "cause"})}
}

func (m *measures) register(registerer prometheus.Registerer) error {
	return errors.Join(registerer.Register(m.writes), registerer.Register(m.waiting), registerer.Register(m.failed))
}
