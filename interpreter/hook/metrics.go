package hook

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/argosy-dev/argosy/internal/moment"
)

// Results of a request.
const (
	resultAnswered    = "answered"
	resultRefused     = "refused"
	resultUnsupported = "unsupported"
	resultPanic       = "panic"
)

// Results of the admission of a Work, beside refused.
const (
	resultDivided   = "divided"
	resultUnchanged = "unchanged"
)

// other stands for kinds and operations nobody registered: a label's values stay few whatever is sent.
const other = "other"

// Metrics of the interpreter webhook.
type Metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	bindings *prometheus.CounterVec
	override *moment.Gauges[*prometheus.GaugeVec]
	short    *prometheus.CounterVec
}

// NewMetrics registers them.
func NewMetrics(registry prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "argosy_interpreter_requests_total",
			Help: "Questions of Karmada by kind, operation and result (answered, refused, unsupported, panic).",
		}, []string{"kind", "operation", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "argosy_interpreter_request_duration_seconds",
			Help:    "Time from the request's first byte read to the answer's last byte written.",
			Buckets: []float64{.00005, .0001, .0002, .0005, .001, .002, .005, .01, .05, .1, .5, 1, 5},
		}, []string{"operation"}),
		bindings: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "argosy_interpreter_binding_reads_total",
			Help: "Questions that needed a ResourceBinding by result (read, undivided, absent, unreadable). Unreadable: refused, Karmada asks " +
				"again.",
		}, []string{"result"}),
		short: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "argosy_interpreter_shortfalls_total",
			Help: "Templates whose members began to differ from what is asked, or whose status began to be incomplete, by the condition's reason.",
		}, []string{"kind", "reason"}),
		override: moment.New(newOverride),
	}
	for _, collector := range []prometheus.Collector{m.requests, m.seconds, m.bindings, m.short, m.override} {
		if err := registry.Register(collector); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func newOverride() *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "argosy_interpreter_overridden",
		Help: "1 where a ResourceInterpreterCustomization takes this kind's operation from the webhook.",
	}, []string{"kind", "operation"})
}

func (m *Metrics) request(kind, operation, result string, took time.Duration) {
	m.requests.WithLabelValues(kind, operation, result).Inc()
	m.seconds.WithLabelValues(operation).Observe(took.Seconds())
}

// NewWorksMetric registers the counter of the admission of Works.
func NewWorksMetric(registry prometheus.Registerer) (*prometheus.CounterVec, error) {
	works := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "argosy_interpreter_works_total",
		Help: "Works with a division by result (divided: a careful number became exact; unchanged; refused: Karmada writes it again).",
	}, []string{"result"})
	return works, registry.Register(works)
}
