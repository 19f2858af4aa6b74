package servers

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/argosy-dev/argosy/member/vm/machine"
)

// measures are the capability's metrics. How many Servers are how is counted by package conditions.
type measures struct {
	requests  *prometheus.CounterVec
	takeovers prometheus.Counter
	probeLag  prometheus.Histogram
}

func newMeasures() *measures {
	return &measures{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "argosy_vm_driver_requests_total",
			Help: "Requests to machine drivers, by verb and result: OK, Gone, Invalid, Fenced, Quota, Unanswered.",
		}, []string{"driver", "verb", "result"}),
		takeovers: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "argosy_vm_lock_takeovers_total", Help: "Locks of Servers taken over from a holder that did not renew them.",
		}),
		probeLag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "argosy_vm_probe_lag_seconds", Help: "How late a health probe of a Server began.",
			Buckets: []float64{0.01, 0.1, 0.5, 1, 5, 10, 60},
		}),
	}
}

func (m *measures) register(registerer prometheus.Registerer) error {
	return errors.Join(registerer.Register(m.requests), registerer.Register(m.takeovers), registerer.Register(m.probeLag))
}

func (m *measures) late(by time.Duration) { m.probeLag.Observe(by.Seconds()) }

func (m *measures) count(w *work, verb string, err error) {
	result := "Unanswered"
	switch {
	case err == nil:
		result = "OK"
	case errors.Is(err, machine.ErrGone):
		result = "Gone"
	case errors.Is(err, machine.ErrInvalid):
		result = "Invalid"
	case errors.Is(err, machine.ErrFenced):
		result = "Fenced"
	case errors.Is(err, machine.ErrQuota):
		result = "Quota"
	}
	m.requests.WithLabelValues(w.before.Spec.Machine.Driver, verb, result).Inc()
}
