package whitelist

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/argosy-dev/argosy/migration/plan"
)

var applications = prometheus.NewDesc("argosy_migration_applications",
	"Applications on whitelists, by whitelist, environment and state (waiting, moving, federated, failed, and off: rolled back by a person).",
	[]string{"whitelist", "environment", "state"}, nil)

var words = map[plan.State]string{
	plan.Waiting: "waiting", plan.Moving: "moving", plan.Done: "federated", plan.Failed: "failed", plan.Off: "off",
}

// Describe implements prometheus.Collector.
func (o *Order) Describe(out chan<- *prometheus.Desc) { out <- applications }

// MetricType of all there is, for who reads it before there is any value.
func (o *Order) MetricType() string { return "gauge" }

// Collect counts when it is asked, what the cache has seen: no whitelist's number outlives it, and none passes for another's.
func (o *Order) Collect(out chan<- prometheus.Metric) {
	for of, n := range o.counts() {
		out <- prometheus.MustNewConstMetric(applications, prometheus.GaugeValue, float64(n), of.whitelist, string(of.environment),
			words[of.state])
	}
}
