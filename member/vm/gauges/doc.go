// Package gauges counts Servers for metrics: how many are in which phase, what their operations wait for, how long they go on, and for how
// long people have been waited for. It decides nothing, reads a manager's cache, and writes gauges.
package gauges
