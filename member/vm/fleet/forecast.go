package fleet

import (
	"slices"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// Outcome is what becomes of a server.
type Outcome string

// Outcomes.
const (
	// Unchanged is as the set asks already.
	Unchanged Outcome = "Unchanged"
	// InPlace gets the changed environment on the machine that it has.
	InPlace Outcome = "InPlace"
	// Replaced goes, and another is made in its place.
	Replaced Outcome = "Replaced"
	// MachineHeld keeps a machine that is not the template's, as onMachineChange Hold asks. It may get a changed environment all the same.
	MachineHeld Outcome = "Held"
	// Partitioned keeps what it has, as updateStrategy.partition asks.
	Partitioned Outcome = "Partitioned"
	// OnDelete changes when a person removes it, as updateStrategy.type asks.
	OnDelete Outcome = "OnDelete"
	// Removed goes, since fewer are asked for.
	Removed Outcome = "Removed"
	// Leaving was on its way out before.
	Leaving Outcome = "Leaving"
	// Made is a server that is not there yet. Its name is that of its slot, if no other is made before it.
	Made Outcome = "Made"
)

// Fate is what becomes of one server.
type Fate struct {
	Server string `json:"server"`
	// Outcome of the machine and the environment; HeldMachine is set where the environment changes and the machine is held beside.
	Outcome     Outcome `json:"outcome"`
	HeldMachine bool    `json:"heldMachine,omitempty"`
	// Turn is its place in the order, from 1; 0 where nothing happens to it, or at once.
	Turn int `json:"turn,omitempty"`
}

// Forecast is what the set would do with its servers if every one of them then did what is asked of it: nobody fails, and gates open.
type Forecast struct {
	Fates []Fate `json:"fates"`
	// AtATime is how many may be away at once, and IntervalSeconds what passes between two.
	AtATime         int   `json:"atATime"`
	IntervalSeconds int32 `json:"intervalSeconds"`
	// Paused: nothing of it happens before spec.paused is taken off.
	Paused bool `json:"paused,omitempty"`
}

// Count is how many fates are of an outcome.
func (f Forecast) Count(outcome Outcome) int {
	n := 0
	for _, fate := range f.Fates {
		if fate.Outcome == outcome {
			n++
		}
	}
	return n
}

// Foresee says what the set of in would do with its servers. It asks the functions by which Decide decides, and Decide itself is held
// against it in the tests.
func Foresee(in Input) Forecast {
	strategy := in.Set.Spec.UpdateStrategy
	out := Forecast{AtATime: in.unavailable(), IntervalSeconds: strategy.IntervalSeconds, Paused: in.Set.Spec.Paused}
	active := in.active()
	slices.SortStableFunc(active, in.goesFirst())
	extra := max(0, len(active)-in.desired())
	fates := map[string]Fate{}
	for _, m := range active[:extra] {
		fates[m.Name] = Fate{Server: m.Name, Outcome: Removed}
	}
	stay := in
	stay.Servers = nil
	for _, m := range active[extra:] {
		stay.Servers = append(stay.Servers, m)
		fates[m.Name] = Fate{Server: m.Name, Outcome: in.atRest(m)}
	}
	outdated := stay.rollout().outdated
	reached := len(in.unpartitioned(outdated))
	turn := 0
	for i, m := range outdated {
		fate := Fate{Server: m.Name}
		switch {
		case strategy.Type == v1alpha1.OnDelete:
			fate.Outcome = OnDelete
		case i >= reached:
			fate.Outcome = Partitioned
		case in.mustReplace(m):
			fate.Outcome = Replaced
		default:
			fate.Outcome, fate.HeldMachine = InPlace, in.otherMachine(m)
		}
		if fate.Outcome == Replaced || fate.Outcome == InPlace {
			turn++
			fate.Turn = turn
		}
		fates[m.Name] = fate
	}
	for _, m := range in.Servers {
		fate, counted := fates[m.Name]
		if !counted {
			fate = Fate{Server: m.Name, Outcome: Leaving}
		}
		out.Fates = append(out.Fates, fate)
	}
	made := max(0, in.desired()-len(active)) + out.Count(Replaced)
	slots, last := in.unmade(), in.lastSlot()
	for i := range made {
		slot := last + int64(i+1-len(slots))
		if i < len(slots) {
			slot = slots[i]
		}
		out.Fates = append(out.Fates, Fate{Server: ServerName(in.Set.Name, slot), Outcome: Made})
	}
	return out
}

// atRest is the outcome of a server whose environment is the set's.
func (in Input) atRest(m Member) Outcome {
	if in.otherMachine(m) {
		return MachineHeld
	}
	return Unchanged
}
