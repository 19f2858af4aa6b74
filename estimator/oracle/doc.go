// Package oracle runs a member's own scheduler on the mirrored state of the member, and binds nothing.
//
// Decides: how many copies of a pod the member would place now, which plugin stops the next one, and on which nodes they would stand.
// Reads: the informers and the scheduler configuration it is given. Writes: nothing; assumed pods are always forgotten again.
//
// Two engines give one answer. The scheduler itself (k8s.io/kubernetes/pkg/scheduler) can place copies one after another: SchedulePod,
// assume, Reserve, Permit, and at the end undo. That is the oracle proper, right for everything and slow for many copies. Where a pod's
// copies do not depend on the order of placement (fit.Shape), the same Filter plugins are asked node by node and the closed forms of
// package fit do the rest; what was found for a node is kept until the node's generation changes, so that a repeated question costs only
// what changed.
//
//	Fit ──> anyone ahead? ──> take the turn, place them ──┐
//	  │ none                                              │
//	  ├──> refresh the shared snapshot <──────────────────┘
//	  ├──> closed form:  memo(node caps), memo(pods matched) -> fit.Spread ...   (many at a time)
//	  └──> ordered:      the turn; place copies one by one, several times; undo   (one at a time)
package oracle
