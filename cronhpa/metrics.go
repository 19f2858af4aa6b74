package cronhpa

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/internal/census"
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

// states counts the objects by condition, for as long as they are in it.
func states(reader client.Reader) prometheus.Collector {
	return census.Collector[*v1alpha1.CronHPAList]{
		Desc:   prometheus.NewDesc("argosy_cronhpa_conditions", "CronHPAs by condition and its status now.", []string{"condition", "status"}, nil),
		Reader: reader, Types: []string{v1alpha1.CronHPAReady, v1alpha1.CronHPASpecValid, v1alpha1.CronHPATargetScalable},
		New: func() *v1alpha1.CronHPAList { return &v1alpha1.CronHPAList{} },
		Conditions: func(list *v1alpha1.CronHPAList) [][]metav1.Condition {
			out := make([][]metav1.Condition, 0, len(list.Items))
			for i := range list.Items {
				out = append(out, list.Items[i].Status.Conditions)
			}
			return out
		},
	}
}

func (m *measures) register(registerer prometheus.Registerer, reader client.Reader) error {
	for _, c := range []prometheus.Collector{states(reader), m.firings, m.lateness, m.next} {
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
		m.lateness.Observe(appliedAt.Sub(d.plan.Apply.At).Seconds())
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
