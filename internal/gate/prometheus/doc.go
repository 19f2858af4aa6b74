// Package prometheus asks the Prometheus gates of a Migration or a Release, by Prometheus's own client: is the application well? It reads
// the gate's credentials from a Secret of the control plane and writes nothing.
package prometheus
