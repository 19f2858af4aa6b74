package nemesis

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Fault is one thing that goes wrong.
type Fault struct {
	// Name is what happens, Target to what: a process, a member, an application.
	Name, Target string
	// At is when it begins after the load does; For is how long it lasts.
	At, For time.Duration
}

func (f Fault) String() string {
	return fmt.Sprintf("%6.1f s  %-12s %s for %.1f s", f.At.Seconds(), f.Name, f.Target, f.For.Seconds())
}

// The names of the nemeses.
const (
	Kill       = "kill"
	Pause      = "pause"
	CutOff     = "cut"
	HalfClosed = "half-open"
	Slowed     = "slow"
	Refused    = "refuse"
	Taint      = "taint"
	Cordon     = "cordon"
	Rebalance  = "rebalance"
	HandScale  = "hand-scale"
	HandDelete = "hand-delete"
	HandWork   = "hand-work"
	HandBook   = "hand-binding"
)

// Unseen is a hand-scale that no note tells of: a run of it alone must be found wrong by C2, and proves so that the collector sees and
// the checkers judge.
const Unseen = "unseen"

// All names, in the order of the docs.
func All() []string {
	return []string{Kill, Pause, CutOff, HalfClosed, Slowed, Refused, Taint, Cordon, Rebalance, HandScale, HandDelete, HandWork, HandBook}
}

// Ground is what faults can be aimed at.
type Ground struct {
	// Processes that may die or stand still, those of ours among them.
	Processes, Members []string
	// Apps by name that hands may touch, and those that may be rescheduled.
	Apps []string
}

// shape of a nemesis: how long it lasts, and what it aims at.
type shape struct {
	least, most time.Duration
	targets     func(Ground) []string
}

func processes(g Ground) []string { return g.Processes }
func members(g Ground) []string   { return g.Members }
func apps(g Ground) []string      { return g.Apps }

// appsInMembers is every application in every member, as app@member.
func appsInMembers(g Ground) []string {
	var out []string
	for _, app := range g.Apps {
		for _, member := range g.Members {
			out = append(out, app+"@"+member)
		}
	}
	return out
}

var shapes = map[string]shape{
	Kill:       {1 * time.Second, 15 * time.Second, processes},
	Pause:      {2 * time.Second, 12 * time.Second, processes},
	CutOff:     {5 * time.Second, 30 * time.Second, members},
	HalfClosed: {5 * time.Second, 20 * time.Second, members},
	Slowed:     {10 * time.Second, 30 * time.Second, members},
	Refused:    {5 * time.Second, 20 * time.Second, members},
	Taint:      {5 * time.Second, 20 * time.Second, members},
	Cordon:     {10 * time.Second, 40 * time.Second, members},
	Rebalance:  {time.Second, time.Second, apps},
	HandScale:  {time.Second, time.Second, appsInMembers},
	Unseen:     {time.Second, time.Second, appsInMembers},
	HandDelete: {time.Second, time.Second, appsInMembers},
	HandWork:   {time.Second, time.Second, appsInMembers},
	HandBook:   {time.Second, time.Second, apps},
}

// Schedule is what goes wrong in a run of so long: of each name something, then whatever chance says, about one fault in four seconds. No
// two faults have one target at once, and all end in time.
func Schedule(seed uint64, length time.Duration, names []string, ground Ground) []Fault {
	chance := rand.New(rand.NewPCG(seed, 17))
	count := max(len(names), int(length/(4*time.Second)))
	var out []Fault
	for i := range count {
		name := names[i%len(names)]
		if i >= len(names) {
			name = names[chance.IntN(len(names))]
		}
		if fault, ok := aim(chance, name, length, ground, out); ok {
			out = append(out, fault)
		}
	}
	slices.SortStableFunc(out, func(a, b Fault) int { return int(a.At - b.At) })
	return out
}

// aim tries some times to find a moment and a target that is free then.
func aim(chance *rand.Rand, name string, length time.Duration, ground Ground, taken []Fault) (Fault, bool) {
	s := shapes[name]
	targets := s.targets(ground)
	if len(targets) == 0 {
		return Fault{}, false
	}
	for range 40 {
		f := Fault{Name: name, Target: targets[chance.IntN(len(targets))]}
		f.For = min(between(chance, s.least, s.most), length/2)
		f.At = between(chance, 0, length-f.For)
		if !slices.ContainsFunc(taken, f.meets) {
			return f, true
		}
	}
	return Fault{}, false
}

func between(chance *rand.Rand, least, most time.Duration) time.Duration {
	if most <= least {
		return least
	}
	return least + time.Duration(chance.Int64N(int64(most-least))).Truncate(100*time.Millisecond)
}

// gap is how long a target is left alone between two faults: a process that is started needs a moment.
const gap = 8 * time.Second

// meets tells whether two faults would act on one target, or of a member and one of its processes, at once.
func (f Fault) meets(other Fault) bool {
	if plane(f.Target) != plane(other.Target) && f.Target != other.Target {
		return false
	}
	if f.Target != other.Target && !f.onMember() && !other.onMember() {
		return false
	}
	return f.At < other.At+other.For+gap && other.At < f.At+f.For+gap
}

func (f Fault) onMember() bool { return !strings.ContainsAny(f.Target, "/@") }

func plane(target string) string {
	name, _, _ := strings.Cut(target, "/")
	return name
}
