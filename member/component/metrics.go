package component

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/argosy-dev/argosy/internal/moment"
)

// measures are the capability's metrics. How many Components are how is counted by package conditions.
type measures struct {
	writes *prometheus.CounterVec
	// waiting, failed and stopped are of the waves.
	waiting, failed, stopped prometheus.Gauge
	// shards counts Components by their owner.
	shards *moment.Gauges[*prometheus.GaugeVec]
}

func newMeasures() *measures {
	return &measures{shards: moment.New(newShards), waiting: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "argosy_component_wave_waiting",
		Help: "Components that a change of templates, values or of the controller has not reached yet.",
	}), failed: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "argosy_component_wave_failed",
		Help: "Components that do not serve since such a change reached them, while others wait for it.",
	}), stopped: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "argosy_component_waves_stopped",
		Help: "Such changes that go no further by themselves: Components with them do not serve, or some cannot be rendered with them.",
	}), writes: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "argosy_component_writes_total",
		Help: "Objects written for Components, by kind and cause: Missing, Changed, ChangedByHand, Adopted.",
	}, []string{"kind", "cause"})}
}

func newShards() *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "argosy_component_shard_objects",
		Help: "Components by the controllerID of the manager that acts on them; none where nobody does yet.",
	}, []string{"id"})
}

func (m *measures) register(registerer prometheus.Registerer) error {
	return errors.Join(registerer.Register(m.writes), registerer.Register(m.waiting), registerer.Register(m.failed),
		registerer.Register(m.stopped), registerer.Register(m.shards))
}

// owners of the Components, by their numbers.
func (m *measures) owners(counts map[string]int) {
	next := m.shards.Blank()
	for id, n := range counts {
		next.WithLabelValues(id).Set(float64(n))
	}
	m.shards.Show(next)
}
