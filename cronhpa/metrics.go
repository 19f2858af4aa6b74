package cronhpa

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// measures are the capability's metrics.
type measures struct {
	firings  *prometheus.CounterVec
	lateness prometheus.Histogram
	next     prometheus.GaugeFunc
}

func newMeasures(wakes *wakeups) *measures {
	return &measures{
		firings: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "argosy_cronhpa_firings_total",
			Help: "Firings by how they ended.",
		}, []string{"result"}),
		lateness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "argosy_cronhpa_firing_lateness_seconds",
			Help:    "From the instant a firing was due to the target being set.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2, 5, 10, 30, 60, 300, 3600},
		}),
		next: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "argosy_cronhpa_next_wakeup_timestamp_seconds",
			Help: "When the controller next looks at a CronHPA, in Unix time; 0 when none waits.",
		}, func() float64 {
			at, ok := wakes.earliest()
			if !ok {
				return 0
			}
			return float64(at.Unix())
		}),
	}
}

func (m *measures) register(registerer prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{m.firings, m.lateness, m.next} {
		if err := registerer.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// observe counts what a written status tells.
func (m *measures) observe(d decision, ended outcome, appliedAt time.Time) {
	if d.plan.Apply != nil && ended.problem == nil {
		m.firings.WithLabelValues(string(v1alpha1.FiringApplied)).Inc()
		if !d.atStart {
			m.lateness.Observe(appliedAt.Sub(d.plan.Apply.At).Seconds())
		}
	}
	if d.plan.Apply != nil && ended.problem != nil {
		// Tried again and again, it is one firing: the history has it from the first time.
		if historyEntry(d.rules[d.plan.Apply.Rule].status, d.plan.Apply.At) == nil {
			m.firings.WithLabelValues(string(v1alpha1.FiringFailed)).Inc()
		}
		return
	}
	for _, passed := range d.plan.Passed {
		m.firings.WithLabelValues(string(resultOf(passed.Why))).Add(float64(passed.Count))
	}
}
