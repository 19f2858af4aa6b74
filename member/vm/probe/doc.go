// Package probe asks servers how they are, as the kubelet asks pods: with Kubernetes' own probes. watch.go is pure and decides what the
// answers mean; Prober asks.
//
// A prober that cannot see must not act: where more servers of a set fail at once than may be, or not all of them were asked since the
// first of them failed, the set's prober is blind, and nobody is taken out of service for what it says.
package probe
