// Package workloads tests the kinds of api/vm and api/component on a real kube-apiserver: every rule of their CRDs is
// broken once, defaults are what the documentation says, samples are accepted, status and scale work as Karmada uses
// them.
package workloads
