package shard

import "cmp"

// DefaultID is the controller that has every Component that names none.
const DefaultID = "default"

// Input is what one controller knows of one Component.
type Input struct {
	// Self is this controller.
	Self string
	// Wanted is the label, Owner and Next are of the status. An empty label is DefaultID.
	Wanted, Owner, Next string
	// Fresh says that this controller's own Lease is younger than its length, by its own clock: nobody has taken its place.
	Fresh bool
	// Dead says that the owner's Lease did not change for twice its length, by this controller's own clock.
	Dead bool
}

// Step is what the controller does about it.
type Step string

// Steps.
const (
	// Act: it is the owner, once it has confirmed that.
	Act Step = "Act"
	// Rest: it is another's, and nothing is to be done.
	Rest Step = "Rest"
	// Stop: whether it still leads is not known; nothing is done, not even asked.
	Stop Step = "Stop"
	// Ask for it: write Next.
	Ask Step = "Ask"
	// Wait until its owner hands over, or is dead.
	Wait Step = "Wait"
	// HandOver to Next: write it as the owner, and forget that it was one's own.
	HandOver Step = "HandOver"
	// Take it: write oneself as the owner.
	Take Step = "Take"
)

// Decide what to do about a Component.
func Decide(in Input) Step {
	wanted := cmp.Or(in.Wanted, DefaultID)
	switch {
	case !in.Fresh:
		return Stop
	case in.Owner == in.Self && wanted != in.Self && in.Next == wanted:
		return HandOver
	case in.Owner == in.Self:
		return Act // whoever is wanted has not asked: it may not be there, and the service goes on being kept
	case wanted != in.Self:
		return Rest
	case in.Owner == "" || in.Dead:
		return Take
	case in.Next == in.Self:
		return Wait
	}
	return Ask
}
