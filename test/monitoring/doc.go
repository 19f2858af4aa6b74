// Package monitoring tests the chart's alert rules and dashboards with Prometheus' own packages: rules fire, and do not,
// on series written for the purpose; every query parses and asks only for metrics of docs/reference/metrics.md. It is a
// module of its own, so that Prometheus' dependencies stay out of the product's.
package monitoring
