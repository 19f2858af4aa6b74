package reschedule

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/argosy-dev/argosy/internal/moment"
	"github.com/argosy-dev/argosy/reschedule/decide"
)

// measures are the capability's metrics.
type measures struct {
	moved, putBack *prometheus.CounterVec
	questions      prometheus.Counter

	// shown is what was last decided of all bindings.
	shown *moment.Gauges[gauges]
}

type gauges struct {
	moment.Together
	waiting, without, bindings *prometheus.GaugeVec
}

func newGauges() gauges {
	g := gauges{
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "argosy_reschedule_waiting_replicas",
			Help: "Replicas in a cluster whose pods have found no node for long enough to be moved.",
		}, []string{"member"}),
		without: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "argosy_reschedule_without_room_replicas",
			Help: "Of the waiting replicas, those for which no cluster has room, or that a move of would move more.",
		}, []string{"member"}),
		bindings: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "argosy_reschedule_waiting_bindings",
			Help: "ResourceBindings with waiting replicas by what was decided of them.",
		}, []string{"reason"}),
	}
	g.Together = moment.Together{g.waiting, g.without, g.bindings}
	return g
}

func newMeasures() *measures {
	return &measures{
		moved: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "argosy_reschedule_moved_replicas_total",
			Help: "Replicas moved away from a cluster in which they could not run.",
		}, []string{"member"}),
		putBack: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "argosy_reschedule_put_back_replicas_total",
			Help: "Replicas put back from a cluster that was said to have room and gave them no node.",
		}, []string{"member"}),
		shown: moment.New(newGauges),
		questions: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "argosy_reschedule_room_questions_total",
			Help: "Questions about room that estimators were asked: at most 200 a second, and 64 for one look at a binding.",
		}),
	}
}

func (m *measures) register(registerer prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{m.moved, m.putBack, m.shown, m.questions} {
		if err := registerer.Register(c); err != nil {
			return err
		}
	}
	return nil
}

func (m *measures) wrote(d decide.Decision) {
	counter := m.moved
	if d.Verdict == decide.PutsBack {
		counter = m.putBack
	}
	for _, t := range d.Moved {
		counter.WithLabelValues(t.From).Add(float64(t.Replicas))
	}
}

// show sums up what was last decided of each binding.
func (m *measures) show(said map[types.NamespacedName]saying) {
	next := m.shown.Blank()
	for _, s := range said {
		if len(s.waiting) == 0 {
			continue
		}
		next.bindings.WithLabelValues(s.reason).Inc()
		for cluster, n := range s.waiting {
			next.waiting.WithLabelValues(cluster).Add(float64(n))
			none := 0.0
			if s.verdict == decide.NoRoom {
				none = float64(n)
			}
			next.without.WithLabelValues(cluster).Add(none)
		}
	}
	m.shown.Show(next)
}
