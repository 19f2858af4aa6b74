package controller

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var (
	actionsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "argosy_migration_actions_total",
		Help: "Writes to the control plane, by verb. None of them is a write to a member.",
	}, []string{"verb"})
	phasesTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "argosy_migration_phase_entries_total",
		Help: "Applications that entered a phase.",
	}, []string{"phase"})
	failuresTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "argosy_migration_failures_total",
		Help: "Take-overs that went wrong after a cluster was opened, by reason and what was done.",
	}, []string{"reason", "action"})
	stepSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "argosy_migration_decision_seconds",
		Help:    "Time to read the world of one application and decide, by the step that decided.",
		Buckets: []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30},
	}, []string{"step"})
)

// registerMetrics of this capability, once for a process.
func registerMetrics() error {
	for _, collector := range []prometheus.Collector{actionsTotal, phasesTotal, failuresTotal, stepSeconds} {
		if err := metrics.Registry.Register(collector); err != nil {
			return err
		}
	}
	return nil
}
