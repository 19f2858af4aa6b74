package scalein

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

// measures are the capability's metrics.
type measures struct {
	orders   *prometheus.CounterVec
	pods     prometheus.Counter
	duration prometheus.Histogram
}

func newMeasures() *measures {
	return &measures{
		orders: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "argosy_scalein_orders_total",
			Help: "PodScaleIns by how they ended: Succeeded, Refused, Failed. One that succeeds after it failed counts as both.",
		}, []string{"result"}),
		pods: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "argosy_scalein_pods_total",
			Help: "Pods removed by name.",
		}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "argosy_scalein_duration_seconds",
			Help:    "From an order's acceptance to the last pod being gone.",
			Buckets: []float64{1, 2, 5, 10, 20, 30, 60, 120, 300, 600},
		}),
	}
}

func (m *measures) register(registerer prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{m.orders, m.pods, m.duration} {
		if err := registerer.Register(c); err != nil {
			return err
		}
	}
	return nil
}

func (m *measures) ended(status v1alpha1.PodScaleInStatus, now time.Time) {
	m.orders.WithLabelValues(string(status.Phase)).Inc()
	if status.Phase == v1alpha1.PhaseSucceeded {
		m.pods.Add(float64(removed(status.Clusters)))
		m.duration.Observe(now.Sub(status.StartTime.Time).Seconds())
	}
}
