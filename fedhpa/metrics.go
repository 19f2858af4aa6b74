package fedhpa

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/decide"
)

// measures are the capability's metrics.
type measures struct {
	divisions    *prometheus.CounterVec
	overwrites   prometheus.Counter
	writes       *prometheus.CounterVec
	disagreement prometheus.Histogram
	unknownRoom  prometheus.Counter

	mu sync.Mutex
	// since is when books and members were first seen to differ. It feeds a metric and nothing else.
	since map[types.NamespacedName]time.Time
}

func newMeasures() *measures {
	return &measures{
		since: map[types.NamespacedName]time.Time{},
		divisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "argosy_fedhpa_divisions_total", Help: "Divisions of limits over members, by what asked for them.",
		}, []string{"reason"}),
		overwrites: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "argosy_fedhpa_overwrites_repaired_total",
			Help: "Scheduling results that somebody wrote over the members' counts, and that were put right.",
		}),
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "argosy_fedhpa_writes_total", Help: "Writes to the control plane, by kind.",
		}, []string{"kind"}),
		disagreement: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "argosy_fedhpa_disagreement_seconds",
			Help:    "How long the control plane said something else than the members' autoscalers, from first sight to agreement.",
			Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}),
		unknownRoom: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "argosy_fedhpa_room_unknown_total",
			Help: "Questions about a member's room that neither its estimator nor its Cluster status answered.",
		}),
	}
}

func (m *measures) register(registerer prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{m.divisions, m.overwrites, m.writes, m.disagreement, m.unknownRoom} {
		if err := registerer.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// observe counts what a plan that was carried out tells.
func (m *measures) observe(fed types.NamespacedName, plan *decide.Plan, now time.Time) {
	if plan.Divided != "" {
		m.divisions.WithLabelValues(plan.Divided).Inc()
	}
	if plan.Overwritten {
		m.overwrites.Inc()
	}
	for _, a := range plan.Actions {
		m.writes.WithLabelValues(string(a.Kind)).Inc()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	since, differed := m.since[fed]
	switch agree := !disagrees(plan.Status.Conditions); {
	case agree && differed:
		m.disagreement.Observe(now.Sub(since).Seconds())
		delete(m.since, fed)
	case !agree && !differed:
		m.since[fed] = now
	}
}

// disagrees reports whether books and members are known to differ. Before members have autoscalers the books are Karmada's own, and right.
func disagrees(conditions []metav1.Condition) bool {
	c := meta.FindStatusCondition(conditions, api.FedHPABooksAgree)
	return c != nil && c.Status == metav1.ConditionFalse && c.Reason != api.FedHPAReasonTakingOver
}

func (m *measures) forget(fed types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.since, fed)
}
