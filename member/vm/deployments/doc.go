// Package deployments makes VMDeployments act in a member: package rollout decides which servers get a release next, and this writes it
// into their specs. What is done about it on the machines is package servers' matter.
//
// Reads VMDeployments, VMReplicaSets, Servers. Writes spec.release and spec.trafficWeight of Servers, the status of the VMDeployment, and
// one ControllerRevision for each release, which spec.rollbackTo names.
package deployments
