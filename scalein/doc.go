// Package scalein removes pods by name: a PodScaleIn in the control plane becomes podsToDelete of CloneSets in the members.
//
// It decides (check.go, step.go: pure) from the order, the template, its binding and Works, and the CloneSet, pods and
// disruption budgets of each member concerned. It writes, one thing at a time and each guarded by a resourceVersion:
//
//	phase        write                                            because
//	Checking     status: the plan (who loses what)                a plan is kept, not remembered
//	Announcing   template: annotation with names and targets      every Work must carry them before replicas move;
//	             ... wait until the Works carry it                Retain holds names back until replicas are low
//	Lowering     binding: clusters and sum, scheduling suspended  one update; a push of the template meanwhile must
//	                                                              not let the scheduler hand the replicas out again
//	             template: replicas                               after the binding, or the scheduler runs twice
//	Settling     binding: scheduling released                     sums agree, so nothing is scheduled
//	Following    template: annotation off, when the pods are gone
//
// Names and lowered replicas so reach a member in one Work update: names alone would be replaced by new pods, replicas alone
// would pick pods by ranking. Suspending the dispatch of Works is not needed (docs/decisions/0031).
//
// The other way round, adopter.go follows scale-ins made by hand in members that own their replicas, for templates that ask by
// annotation (adopt.go: pure): a mark on the template, the binding lowered with the scheduler held, the template, the
// scheduler released, the mark off. The mark lets whoever comes after a crash bring it to its end. abandoned.go follows in the same
// way VMReplicaSets whose members gave servers up without replacement (docs/decisions/0395).
package scalein
