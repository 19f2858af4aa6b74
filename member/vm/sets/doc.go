// Package sets makes VMReplicaSets act in a member: package fleet decides which Servers are made, changed, given up and taken out of
// service, and this writes it.
//
// Reads VMReplicaSets and their Servers. Writes Servers (never their status), and the set's status and finalizer. What counts Servers up or
// down is decided from one list of the API server's own, not from a cache: an old list would make Servers twice. A Server's name is a slot,
// on record in status.lastSlot before it is made.
package sets
