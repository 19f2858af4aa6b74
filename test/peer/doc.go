// Package peer asks Karmada's own bundled interpreter, its Lua run in this process, the questions ours is asked, and
// holds the two answers side by side.
//
// Its tests prove three things: on Karmada's own test objects both say the same but for intended differences; on random
// objects every difference is on a list of intended ones, each with the fact that explains it; and each fault of the
// Lua that this project exists to mend is shown on the Lua first and on our rules after it.
package peer
