// Package daemonset is how Karmada reads an OpenKruise Advanced DaemonSet (apps.kruise.io v1alpha1).
//
// It has no replicas: each member runs a pod on each of its nodes, so nothing is divided and Karmada's scheduler takes
// no room for it. The partition is that of each member, since the number of nodes is each member's own. A rollout that
// stands at its partition, paused, or at the nodes its selector picks is well.
package daemonset
