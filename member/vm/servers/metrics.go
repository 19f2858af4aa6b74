package servers

import (
	"errors"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/machine"
)

// measures are the capability's metrics. How many Servers are how is counted by package conditions.
type measures struct {
	requests  *prometheus.CounterVec
	takeovers prometheus.Counter
	probeLag  prometheus.Histogram
	tasks     *prometheus.HistogramVec
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
		tasks: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "argosy_vm_task_seconds",
			Help:    "How long a task of a Server took since it was last begun, by type and result: Succeeded, Failed.",
			Buckets: []float64{0.1, 1, 5, 15, 60, 300, 1800},
		}, []string{"type", "result"}),
	}
}

func (m *measures) register(registerer prometheus.Registerer) error {
	return errors.Join(registerer.Register(m.requests), registerer.Register(m.takeovers), registerer.Register(m.probeLag),
		registerer.Register(m.tasks))
}

// ended measures the tasks that came to their end between two statuses.
func (m *measures) ended(before, after []v1alpha1.Task) {
	for _, t := range after {
		if t.State != v1alpha1.TaskSucceeded && t.State != v1alpha1.TaskFailed || t.StartedAt == nil || t.FinishedAt == nil {
			continue
		}
		known := slices.ContainsFunc(before, func(b v1alpha1.Task) bool { return b.ID == t.ID && b.State == t.State })
		if !known {
			m.tasks.WithLabelValues(string(t.Type), string(t.State)).Observe(max(0, t.FinishedAt.Sub(t.StartedAt.Time).Seconds()))
		}
	}
}

func (m *measures) late(by time.Duration) { m.probeLag.Observe(by.Seconds()) }

func (m *measures) count(w *work, verb string, err error) {
	m.asked(w.before.Spec.Machine.Driver, verb, err)
}

func (m *measures) asked(driver, verb string, err error) {
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
	m.requests.WithLabelValues(driver, verb, result).Inc()
}
