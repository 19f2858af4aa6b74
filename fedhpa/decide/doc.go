// Package decide holds FedHPA's judgement: from all that was observed (World) to what is to be written, in order (Plan).
//
// Decides: whether a workload can be taken over, what the scheduling result and the template must say, when
// the limits are divided anew, which member gets its new limits first, when a cluster is woken or emptied, and
// how a deleted FedHPA lets go.
// Reads and writes nothing: World in, Plan out. It keeps no memory: what it needs to know of the past is in the objects it is shown
// (the members' autoscalers as they were sent, the ledger on the binding, the FedHPA's own status).
//
// The sequence, each stage a small function of its own that returns what the next ones need:
//
//	preconditions -> take over -> books (adopt | re-assert | follow) -> divide -> order the writes -> standby
//	deleted:         books -> autoscalers gone -> books again -> label -> ledger -> finalizer
package decide
