// Package inflight knows which replicas Karmada has just promised to members whose pods are not there yet.
//
// Decides: how many replicas of which workload to hold room for in a member. Reads: ResourceBindings, and how many pods of a workload a
// member shows. Writes: nothing.
//
// Between the moment karmada-scheduler assigns replicas and the moment their pods exist in the member lie a Work, its execution, and the
// member's controllers. Every other binding scheduled in that time would be told of the same free room. So an assignment counts against the
// room until as many pods are seen as were assigned, or until Patience has passed: replicas that never come (suspended, refused by a quota)
// must not hold room for good.
package inflight
