package policy

import (
	"slices"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	"k8s.io/utils/ptr"
)

// Suspension is the one function that writes a policy's spec.suspension. It closes every cluster of the
// policy for which open does not say otherwise: an unknown cluster is closed. All closed is written as
// dispatching, since that also holds for clusters a later edit might add; Karmada refuses both at once.
func Suspension(clusters []string, open func(cluster string) bool) *policyv1alpha1.Suspension {
	var closed []string
	for _, cluster := range clusters {
		if !open(cluster) {
			closed = append(closed, cluster)
		}
	}
	switch {
	case len(closed) == len(clusters):
		return &policyv1alpha1.Suspension{Dispatching: ptr.To(true)}
	case len(closed) == 0:
		return nil
	}
	slices.Sort(closed)
	return &policyv1alpha1.Suspension{
		DispatchingOnClusters: &policyv1alpha1.SuspendClusters{ClusterNames: closed},
	}
}

// Suspended says whether a suspension closes a cluster.
func Suspended(suspension *policyv1alpha1.Suspension, cluster string) bool {
	if suspension == nil {
		return false
	}
	if ptr.Deref(suspension.Dispatching, false) {
		return true
	}
	if suspension.DispatchingOnClusters != nil {
		if slices.Contains(suspension.DispatchingOnClusters.ClusterNames, cluster) {
			return true
		}
	}
	return false
}
