// Package v1alpha1 holds the kinds that host applications on virtual machines.
//
// A machine's "image" arrives in three steps: the machine, its environment (packages), the code. VMReplicaSet
// keeps a number of equal servers and delivers their environment, VMDeployment delivers the code at a rate of its
// own, and Server is one machine with its tasks, its lock and the human decisions about it. VMReplicaSet and
// VMDeployment are authored in the control plane and carried to members by Karmada; Servers exist in members only.
//
// The admission of the control plane stamps who approved and when (package api/gate/v1alpha1). The controllers in members, and the
// admission there, come later: until then nothing writes the fields said to be theirs.
//
// Conventions of the fields: seconds are int32 with the unit in the name; every list is bounded; a number or a
// percentage is an IntOrString, the percentage being of the servers of that one member. `paused` and `offline` are
// booleans because they are switches a person flips (docs/decisions/0020).
//
// +kubebuilder:object:generate=true
// +groupName=vm.argosy.dev
package v1alpha1
