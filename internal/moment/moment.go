// Package moment shows gauges that are counted together, as they were at one moment. A vector that is reset and filled again is empty for
// whoever scrapes in between: a panel has a gap, and an alert that lasts begins anew.
package moment

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Gauges are replaced as a whole: who scrapes sees those of before, or the next. They implement prometheus.Collector.
type Gauges[S prometheus.Collector] struct {
	blank func() S

	mu  sync.Mutex
	now S
}

// New shows blank ones until something is shown.
func New[S prometheus.Collector](blank func() S) *Gauges[S] {
	return &Gauges[S]{blank: blank, now: blank()}
}

// Blank gauges, to be filled and shown.
func (g *Gauges[S]) Blank() S { return g.blank() }

// Show these in place of those before; whoever shows them writes them no more.
func (g *Gauges[S]) Show(next S) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now = next
}

// Now are those that were last shown.
func (g *Gauges[S]) Now() S {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now
}

// Describe implements prometheus.Collector.
func (g *Gauges[S]) Describe(into chan<- *prometheus.Desc) { g.Now().Describe(into) }

// Collect implements prometheus.Collector.
func (g *Gauges[S]) Collect(into chan<- prometheus.Metric) { g.Now().Collect(into) }

// MetricType of what it collects, which may have no values yet.
func (*Gauges[S]) MetricType() string { return "gauge" }

// Together are gauges that are one collector, so that they are shown together.
type Together []prometheus.Collector

// Describe implements prometheus.Collector.
func (t Together) Describe(into chan<- *prometheus.Desc) {
	for _, c := range t {
		c.Describe(into)
	}
}

// Collect implements prometheus.Collector.
func (t Together) Collect(into chan<- prometheus.Metric) {
	for _, c := range t {
		c.Collect(into)
	}
}
