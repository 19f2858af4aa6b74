// Package plan decides the next step of an application's migration.
//
// It takes the whole observed world of one application as a value (World: the whitelist's entry, what each
// member holds, what the control plane holds, the Migration's own record) and returns what to write and
// what to say (Decision). It reads nothing, writes nothing, and knows the time only as World.Now: a run that
// was cut short at any point goes on from the world as it then is.
//
//	              +--> arrive: turn, reach, discover, quiet, author, fence, prove, approve, open, soak, release
//	World -> way -+--> stay:   watch over a federated application
//	              +--> depart: suspend, freeze, fence, mark, scalers     (rollback: always wins)
//	              +--> leave:  arrive as far as approve, then delete the control plane's objects
//
// Each way is an ordered list of small steps (arrive.go, stay.go, depart.go, leave.go); the first that is not done decides. A step is
// in a file named after its way and itself: prepare_fence.go. It reads the World, and writes nothing but the record of its pass.
//
// Three rules hold at every step. Nothing is written into a member but what Karmada writes from an opened
// Work. A cluster is opened only after a dry run there proved that nothing but bookkeeping changes. What is
// not known counts as not fit: an unreachable member stops the way in, and never counts as empty.
package plan
