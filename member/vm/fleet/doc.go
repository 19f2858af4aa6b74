// Package fleet decides what a set of servers needs next: servers to make, to take offline and to fence, which get the changed environment,
// who is given up, and what the set's status says.
//
// It reads the set, its servers from one list that is not older than the set (an old one would make servers twice), and now. Servers are
// slots: the number of a new one is written into status.lastSlot before it is made, and is not used again.
package fleet
