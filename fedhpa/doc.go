// Package fedhpa divides an autoscaler over member clusters and keeps the control plane true to what they do.
//
// Decides: nothing itself; fedhpa/decide judges and fedhpa/split divides, both pure.
// Reads: FedHPA, the CronHPA aimed at it, its target's metadata and scale, the target's ResourceBinding, the Works of the members'
// autoscalers, Clusters, and each member's room from its scheduler estimator (else from the Cluster's status). Members are never
// spoken to directly: what they do is read from Karmada's objects.
// Writes, in the order decide gives: the retain label on the target, ResourceBinding.spec.{clusters,replicas} with the ledger in one
// conditional patch, the target's scale, the Works of the members' autoscalers; then events and the FedHPA's status.
//
// Beside the controller the package holds the two admission handlers of argosy-webhook: validation of FedHPA, and the
// one that keeps a binding's replicas at their sum while a FedHPA owns them.
package fedhpa
