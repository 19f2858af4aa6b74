// Package census counts objects by their conditions, at the moment the metrics are read: what stands still shows as well as what
// moves. It reads a cache and keeps nothing.
package census

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// patience with a cache that has not been filled yet: such a program counts nothing.
const patience = 2 * time.Second

// Collector is a gauge with the labels condition and status. A condition that an object does not have counts as Unknown.
type Collector[List client.ObjectList] struct {
	// Desc has the labels condition and status.
	Desc *prometheus.Desc
	// Reader is a cache: nothing is copied for the sake of a number.
	Reader client.Reader
	// Types are the conditions that are counted.
	Types []string
	// New is an empty list, Conditions those of each of its items.
	New        func() List
	Conditions func(List) [][]metav1.Condition
}

// Describe implements prometheus.Collector.
func (c Collector[List]) Describe(descs chan<- *prometheus.Desc) { descs <- c.Desc }

// MetricType of all it counts, for who asks before there is a value.
func (c Collector[List]) MetricType() string { return "gauge" }

// Collect implements prometheus.Collector.
func (c Collector[List]) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	list := c.New()
	if err := c.Reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return // A scrape without this number is better than none.
	}
	type key struct {
		condition string
		status    metav1.ConditionStatus
	}
	counts := map[key]int{}
	for _, conditions := range c.Conditions(list) {
		for _, name := range c.Types {
			counts[key{name, statusOf(conditions, name)}]++
		}
	}
	for _, name := range c.Types {
		for _, status := range []metav1.ConditionStatus{metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown} {
			out <- prometheus.MustNewConstMetric(c.Desc, prometheus.GaugeValue, float64(counts[key{name, status}]), name, string(status))
		}
	}
}

func statusOf(conditions []metav1.Condition, name string) metav1.ConditionStatus {
	for _, condition := range conditions {
		if condition.Type == name {
			return condition.Status
		}
	}
	return metav1.ConditionUnknown
}
