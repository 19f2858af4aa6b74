// Package reschedule moves replicas that cannot run to member clusters with room for them, and nothing else.
//
// Decides: nothing itself; reschedule/decide does, and is pure.
// Reads: the ResourceBindings whose members report fewer ready replicas than they were assigned, and of each of those its template, its
// policy, the objects of Argosy that have a say in its replicas, Clusters, karmada-descheduler's Lease; in the members, with Karmada's own
// credentials, the workload, its pods, their claims and events (docs/decisions/0330); and how many more fit, from the scheduler estimators.
// Writes: spec.clusters of a ResourceBinding and its memory of the move, in one conditional patch that keeps the sum, so that
// karmada-scheduler does not run; and events, on the binding and on the template.
//
//	member.go     what the member's pods tell
//	waiting.go    what is read of a member's namespace once for all workloads there
//	room.go       whom to ask for room, and how often
//	placement.go  which clusters Karmada's scheduler would let it into, by its own filters
//	rehearse.go   what its scheduler would make of a lowered copy, where no cluster of the binding has room
//	ledger.go     what was moved lately, so that two bindings do not take one room
package reschedule
