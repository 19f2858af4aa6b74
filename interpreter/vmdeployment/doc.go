// Package vmdeployment is how Karmada reads a VMDeployment (vm.argosy.dev v1alpha1).
//
// It has no replicas: it goes whole to the members of its VMReplicaSet, and each goes through its batches by itself. The
// control plane's status is the slowest member's batch, the sum of the counts, and every failed server and pending
// approval with its cluster. A release that stands still because a person holds it, or is asked, is well; a stalled
// one is not.
package vmdeployment
