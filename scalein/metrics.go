package scalein

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
	"github.com/argosy-dev/argosy/internal/census"
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

// states counts the objects by condition, for as long as they are in it.
func states(reader client.Reader) prometheus.Collector {
	return census.Collector[*v1alpha1.PodScaleInList]{
		Desc:   prometheus.NewDesc("argosy_scalein_conditions", "PodScaleIns by condition and its status now.", []string{"condition", "status"}, nil),
		Reader: reader, Types: []string{v1alpha1.PodScaleInAccepted, v1alpha1.PodScaleInComplete},
		New: func() *v1alpha1.PodScaleInList { return &v1alpha1.PodScaleInList{} },
		Conditions: func(list *v1alpha1.PodScaleInList) [][]metav1.Condition {
			out := make([][]metav1.Condition, 0, len(list.Items))
			for i := range list.Items {
				out = append(out, list.Items[i].Status.Conditions)
			}
			return out
		},
	}
}

func (m *measures) register(registerer prometheus.Registerer, reader client.Reader) error {
	for _, c := range []prometheus.Collector{states(reader), m.orders, m.pods, m.duration} {
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
