package fit

import (
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
)

// Unlimited is the bound of a node that arithmetic alone does not limit.
const Unlimited = int64(math.MaxInt32)

// Demand is what one copy takes from a node, in the scheduler's own units.
type Demand struct {
	MilliCPU, Memory, EphemeralStorage int64
	Scalars                            []Scalar
}

// Scalar is a demand for an extended resource.
type Scalar struct {
	Name  corev1.ResourceName
	Value int64
}

// Ignored are the extended resources that NodeResourcesFit is told not to check (its arguments of the same names).
type Ignored struct {
	Resources, Groups []string
}

// NewDemand takes a pod's total request, as the scheduler computes it, without what the scheduler ignores.
func NewDemand(request fwk.Resource, ignored Ignored) Demand {
	demand := Demand{MilliCPU: request.GetMilliCPU(), Memory: request.GetMemory(), EphemeralStorage: request.GetEphemeralStorage()}
	for name, value := range request.GetScalarResources() {
		if value > 0 && !ignored.covers(string(name)) {
			demand.Scalars = append(demand.Scalars, Scalar{name, value})
		}
	}
	return demand
}

// covers follows noderesources.fitsRequest: only extended resources (never those of kubernetes.io) can be ignored.
func (i Ignored) covers(name string) bool {
	group, _, domain := strings.Cut(name, "/")
	if !domain || group == "kubernetes.io" || strings.HasSuffix(group, ".kubernetes.io") {
		return false
	}
	if slices.Contains(i.Resources, name) {
		return true
	}
	return slices.Contains(i.Groups, group)
}

// Bound is the largest number of copies that NodeResourcesFit can let onto a node, whatever the other plugins say.
//
// Proof: its Filter lets the k-th copy in, k-1 copies being there, iff pods+k <= allowed pods and, for every resource with a demand d > 0,
// d <= allocatable - (used + (k-1)d), that is k <= (allocatable-used)/d rounded down. Both sides are the plugin's own integers
// (milli-CPU, bytes, units), so there is no rounding of ours. The least of these quotients is the bound; the copy after it fails for
// certain.
func Bound(demand *Demand, allocatable, used fwk.Resource, pods int) int64 {
	bound := int64(allocatable.GetAllowedPodNumber() - pods)
	bound = share(bound, demand.MilliCPU, allocatable.GetMilliCPU()-used.GetMilliCPU())
	bound = share(bound, demand.Memory, allocatable.GetMemory()-used.GetMemory())
	bound = share(bound, demand.EphemeralStorage, allocatable.GetEphemeralStorage()-used.GetEphemeralStorage())
	for _, scalar := range demand.Scalars {
		bound = share(bound, scalar.Value, allocatable.GetScalarResources()[scalar.Name]-used.GetScalarResources()[scalar.Name])
	}
	return max(bound, 0)
}

func share(bound, demand, free int64) int64 {
	if demand <= 0 || bound <= 0 {
		return bound
	}
	return min(bound, max(free, 0)/demand)
}

// LocalCap is the largest k for which the node takes copies 1 to k, given that it takes no more than bound; passes(k) runs Filter for the
// k-th copy with k-1 copies on the node.
//
// Proof obligation: passes is monotone, true up to some k and false from there on. It holds for the in-tree node-local plugins: resources
// and pod number shrink with every copy, a host port once taken stays taken, and labels, taints and names do not change. Then a true at
// bound is the answer at once (copy bound+1 fails by Bound), and otherwise bisection finds it.
func LocalCap(bound int64, passes func(k int64) bool) int64 {
	if bound <= 0 || passes(bound) {
		return max(bound, 0)
	}
	fits, fails := int64(0), bound
	if bound > 1 && !passes(1) {
		return 0
	}
	if bound > 1 {
		fits = 1
	}
	for fails-fits > 1 {
		middle := fits + (fails-fits)/2
		if passes(middle) {
			fits = middle
		} else {
			fails = middle
		}
	}
	return fits
}
