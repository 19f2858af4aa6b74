// Package decide says of one ResourceBinding at one moment whether replicas that cannot run move to other clusters. It is pure.
//
// A move keeps the binding's sum: what a donor gives, receivers get, in one write, so that karmada-scheduler does not run and nothing else
// moves (pkg/scheduler/scheduler.go of Karmada, doScheduleBinding). What a donor gives are replicas whose pods its scheduler has refused
// for long; it keeps at least the pods that have a node. What a receiver gets fits there by its estimator, less what others were given
// lately.
//
//	Next     names in order: reasons to leave a binding alone (alone.go), a move that did not come up (back.go), donors (donor.go),
//	         receivers and the transfers between them (move.go). Each says why in words.
//	Widened  judges what Karmada's own scheduler would make of a lowered copy, where no cluster of the binding has room (widen.go).
package decide
