// Package estimator answers karmada-scheduler's question "how many more replicas fit into this member?" with the
// member's own scheduler.
//
// Decides: a number of replicas (or of component sets) per member, and how many replicas of a workload a member failed to place.
// Reads: members' nodes, pods, quotas and storage objects through read-only mirrors; templates, Clusters and ResourceBindings in
// karmada-apiserver.
// Writes: nothing into a member - the transport refuses every verb that is not a read - and in karmada-apiserver the Services by
// which karmada-scheduler finds the estimator.
//
// The parts, from the question to the answer:
//
//	wire      the bytes karmada-scheduler sends, in every form Karmada 1.16 to 1.19 sends them
//	server    gRPC: deadlines, faults turned into answers, metrics
//	template  from the workload's name to the pod the member would really get
//	inflight  which replicas are promised to a member whose pods are not there yet
//	register  one Service for each member, where karmada-scheduler looks for its estimator
//	fleet     a mirror for every member, as Clusters come and go
//	mirror    one member's state, kept by informers; joined, left, stale, lost
//	oracle    the member's scheduler (k8s.io/kubernetes/pkg/scheduler) run on the mirror, with nothing bound
//	fit       PURE: the arithmetic and closed forms that let the oracle answer without placing pods one by one
//	plugins   the out-of-tree scheduler plugins compiled in
package estimator
