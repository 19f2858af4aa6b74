package decide

import "time"

// Verdict is the kind of a decision.
type Verdict string

// The verdicts.
const (
	// Nothing waits.
	Nothing Verdict = "Nothing"
	// Waits for time to pass.
	Waits Verdict = "Waits"
	// LeftAlone: replicas wait, and this controller has no say.
	LeftAlone Verdict = "LeftAlone"
	// NoRoom: replicas wait, and no cluster has room for one.
	NoRoom Verdict = "NoRoom"
	// Moves replicas.
	Moves Verdict = "Moves"
	// PutsBack a move whose pods got no node.
	PutsBack Verdict = "PutsBack"
)

// Reasons of decisions. Those of LeftAlone are in alone.go.
const (
	ReasonNothing  = "NothingWaits"
	ReasonYoung    = "NotForLong"
	ReasonCoolDown = "CoolDown"
	ReasonRate     = "MovesPerMinute"
	ReasonUnheard  = "RoomUnknown"
	ReasonAsked    = "AskedAgain"
	ReasonNoRoom   = "NoRoom"
	ReasonMore     = "WouldMoveMore"
	ReasonMoved    = "Moved"
	ReasonPutBack  = "PutBack"
)

// Decision says what to write, and what to say.
type Decision struct {
	Verdict Verdict
	Reason  string
	// Message for people.
	Message string
	// Targets is the new division, of equal sum, and Memory what goes with it in the same write; both only where something is written.
	Targets []Target
	Memory  *Memory
	// Moved is what is moved, or put back.
	Moved []Transfer
	// Waiting is by cluster how many replicas have waited for long enough.
	Waiting map[string]int32
	// Wanted is by cluster how many replicas would move if there were room.
	Wanted map[string]int32
	// Asks: the decision would be another one if clusters that were not asked yet had room.
	Asks bool
	// After is when to look again at the latest; 0 is with the next change.
	After time.Duration
}

const (
	// lookAgain is for what ends without a sign in the binding.
	lookAgain = time.Minute
	// lookForRoom is how soon room is asked for again.
	lookForRoom = 20 * time.Second
	// lookSoon is for what others are about to finish.
	lookSoon = 5 * time.Second
)
