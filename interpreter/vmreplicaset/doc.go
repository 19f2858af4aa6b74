// Package vmreplicaset is how Karmada reads a VMReplicaSet (vm.argosy.dev v1alpha1).
//
// It decides, from the objects it is given: how many servers there are, and, only where a machine runs in a pod, what
// room each takes on a member's nodes; one member's manifest, in which partition and maxUnavailable are that member's
// share; what belongs to the member (the servers to delete always); one status out of many, in which everybody's
// pending approvals stand with their cluster; health, in which waiting for a person is well; and what must travel
// with it: ConfigMaps and Secrets of packages and gates, and the VMDeployment of its name.
package vmreplicaset
