// Package nemesis runs a real federation under generated work and hostile surroundings, and judges what happened by checkers that know
// nothing of Argosy's code. `make nemesis` runs it.
//
//	history    everything that was written in all planes, in order, and by whom
//	workload   applications, and what users do with them, by a seed
//	nemesis    what goes wrong, by the same seed
//	checker    pure functions of a history: what must be true of it
//	report     what a run tells
package nemesis
