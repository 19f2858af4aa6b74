package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics of the estimator. The label member is the name of a member cluster: a federation has tens, and "which member is stale" is the
// question at night.
type Metrics struct {
	duration   *prometheus.HistogramVec
	answers    *prometheus.CounterVec
	computed   prometheus.Counter
	remembered prometheus.Counter
	width      prometheus.Histogram
	templates  prometheus.Counter
	pods       *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "argosy_estimator_answer_duration_seconds",
			Help:    "Time from a request to its answer, by method and by the path the answer was found on.",
			Buckets: []float64{.0002, .0005, .001, .002, .004, .008, .016, .032, .064, .128, .256, .512, 1.024, 1.5}}, []string{"method", "path"}),
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "argosy_estimator_answers_total",
			Help: "Answers, by method, member and outcome: exact, bound (at least so many), cutShort (the same, when time was up), what makes it " +
				"doubtful (withoutTemplate, lastTemplate, olderPods, foreignScheduler), or the reason why there is none."},
			[]string{"method", "member", "outcome"}),
		computed: prometheus.NewCounter(prometheus.CounterOpts{Name: "argosy_estimator_nodes_computed_total",
			Help: "Nodes whose Filter plugins were run for an answer."}),
		remembered: prometheus.NewCounter(prometheus.CounterOpts{Name: "argosy_estimator_nodes_remembered_total",
			Help: "Nodes whose verdict was still known from an earlier question."}),
		width: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "argosy_estimator_answer_width_replicas",
			Help:    "Difference between the best and the worst run of the member's scheduler where its answer is partly chance.",
			Buckets: []float64{0, 1, 2, 4, 8, 16, 32, 64}}),
		templates: prometheus.NewCounter(prometheus.CounterOpts{Name: "argosy_estimator_template_misses_total",
			Help: "Questions whose workload's template could not be read from karmada-apiserver."}),
		pods: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "argosy_estimator_counted_pods_total",
			Help: "Questions about replicas, by the pod that stood for them: that of the template, a livePod, or what the request alone says."},
			[]string{"pod"}),
	}
	registry.MustRegister(m.duration, m.answers, m.computed, m.remembered, m.width, m.templates, m.pods)
	return m
}

func (m *Metrics) answered(method, member string, r reply, took time.Duration) {
	if m == nil {
		return
	}
	outcome := "bound"
	switch {
	case r.reason != "":
		outcome = r.reason
	case r.answer.Doubt != "":
		outcome = string(r.answer.Doubt)
	case r.answer.Exact:
		outcome = "exact"
	case r.answer.TimedOut:
		outcome = "cutShort"
	}
	if r.reason == "MemberUnknown" {
		member = "" // the name comes from the request: anybody's
	}
	m.duration.WithLabelValues(method, string(r.answer.Path)).Observe(took.Seconds())
	m.answers.WithLabelValues(method, member, outcome).Inc()
	if !r.answer.Exact && r.reason == "" {
		m.width.Observe(float64(r.answer.Width))
	}
}

func (m *Metrics) nodes(computed, all int) {
	if m != nil {
		m.computed.Add(float64(computed))
		m.remembered.Add(float64(max(0, all-computed)))
	}
}

func (m *Metrics) templateMissing() {
	if m != nil {
		m.templates.Inc()
	}
}

func (m *Metrics) stoodIn(name string) {
	if m != nil {
		m.pods.WithLabelValues(name).Inc()
	}
}
