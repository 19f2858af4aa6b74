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
		"Time since the member last answered.", []string{"member"}, nil)
)

// Collector reports the fleet's state whenever it is asked.
type Collector struct{ fleet *Fleet }

// NewCollector makes a collector.
func NewCollector(fleet *Fleet) *Collector { return &Collector{fleet} }

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	out <- stateDesc
	out <- ageDesc
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	for _, status := range c.fleet.Statuses() {
		out <- prometheus.MustNewConstMetric(stateDesc, prometheus.GaugeValue, 1, status.Name, string(status.State))
		if status.State != mirror.Joining && status.State != Misconfigured {
			out <- prometheus.MustNewConstMetric(ageDesc, prometheus.GaugeValue, status.AgeSeconds, status.Name)
		}
	}
}

// HealthHandler serves /healthz and /readyz, which lists the members unless one of the conditions says that a Service had better send nothing here.
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
