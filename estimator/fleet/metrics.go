package fleet

import (
	"encoding/json"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/argosy-dev/argosy/estimator/mirror"
)

var (
	stateDesc = prometheus.NewDesc("argosy_estimator_member_state_info",
		"1 for the state a member's mirror is in: Joining, Fresh, Stale, Lost or Misconfigured.", []string{"member", "state"}, nil)
	ageDesc = prometheus.NewDesc("argosy_estimator_member_staleness_seconds",
		"How old what is known of the member may be: time since it last answered, or since one of its watches is refused.", []string{"member"},
		nil)
	refusedDesc = prometheus.NewDesc("argosy_estimator_member_refused_watches",
		"Resources of a member that can be neither listed nor watched now.", []string{"member"}, nil)
	quietDesc = prometheus.NewDesc("argosy_estimator_member_quiet_seconds",
		"Time since the most silent of a member's watches last said something; bookmarks come about once a minute.", []string{"member"}, nil)
	podsDesc   = prometheus.NewDesc("argosy_estimator_pods", "Pods of all members in memory.", nil, nil)
	budgetDesc = prometheus.NewDesc("argosy_estimator_pod_budget", "How many pods this process is meant for (podBudget of its configuration).",
		nil, nil)
)

// Collector reports the fleet's state whenever it is asked.
type Collector struct{ fleet *Fleet }

// NewCollector makes a collector.
func NewCollector(fleet *Fleet) *Collector { return &Collector{fleet} }

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	out <- stateDesc
	out <- ageDesc
	out <- refusedDesc
	out <- quietDesc
	out <- podsDesc
	out <- budgetDesc
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	pods := 0
	for _, status := range c.fleet.Statuses() {
		pods += status.Pods
		out <- prometheus.MustNewConstMetric(stateDesc, prometheus.GaugeValue, 1, status.Name, string(status.State))
		if status.State != mirror.Joining && status.State != Misconfigured {
			out <- prometheus.MustNewConstMetric(ageDesc, prometheus.GaugeValue, status.AgeSeconds, status.Name)
			out <- prometheus.MustNewConstMetric(refusedDesc, prometheus.GaugeValue, float64(status.RefusedWatches), status.Name)
			out <- prometheus.MustNewConstMetric(quietDesc, prometheus.GaugeValue, status.QuietSeconds, status.Name)
		}
	}
	out <- prometheus.MustNewConstMetric(podsDesc, prometheus.GaugeValue, float64(pods))
	if c.fleet.PodBudget > 0 {
		out <- prometheus.MustNewConstMetric(budgetDesc, prometheus.GaugeValue, float64(c.fleet.PodBudget))
	}
}

// HealthHandler serves /healthz and /readyz, which lists the members unless one of the conditions says that a Service had better send
// nothing here.
func HealthHandler(fleet *Fleet, ready ...func() error) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		for _, condition := range ready {
			if err := condition(); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
		}
		w.Header().Set("Content-Type", "application/json")
		// The peer's going away is its own affair.
		_ = json.NewEncoder(w).Encode(fleet.Statuses())
	})
	return mux
}
