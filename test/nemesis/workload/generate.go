package workload

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// What an operation does.
const (
	Scale     = "scale"     // to Value replicas
	NewImage  = "image"     // with a partition of Value
	Partition = "partition" // to Value
	Load      = "load"      // Value thousandths of a CPU in a Member
	ScaleIn   = "scale-in"  // Value pods by name
	Touch     = "touch"     // a label that means nothing
	Ship      = "ship"      // another image, to go out in stages
	Reject    = "reject"    // the image that is going out in stages
)

// Op is one thing a user does.
type Op struct {
	At     time.Duration
	App    string
	What   string
	Value  int64
	Member string
}

func (o Op) String() string {
	return fmt.Sprintf("%6.1f s  %-9s %s %d %s", o.At.Seconds(), o.What, o.App, o.Value, o.Member)
}

// pace is how often something is done with each application.
const pace = 9 * time.Second

// Generate says what is done in a run of so long, for each application in its order.
func Generate(seed uint64, length time.Duration, apps []App, members []string) map[string][]Op {
	chance := rand.New(rand.NewPCG(seed, 4))
	out := map[string][]Op{}
	for _, app := range apps {
		var ops []Op
		for at := time.Duration(0); ; {
			at += pace/2 + time.Duration(chance.Int64N(int64(pace))).Truncate(100*time.Millisecond)
			if at >= length {
				break
			}
			op := choose(chance, app.Name, members)
			op.At, op.App = at, app.Name
			ops = append(ops, op)
		}
		out[app.Name] = ops
	}
	return out
}

func choose(chance *rand.Rand, use string, members []string) Op {
	n := func(least, most int64) int64 { return least + chance.Int64N(most-least+1) }
	if chance.IntN(5) == 0 {
		return Op{What: Touch, Value: n(1, 1000)}
	}
	switch use {
	case Push:
		return []Op{{What: NewImage, Value: n(2, 6)}, {What: Partition, Value: n(0, 5)}, {What: Scale, Value: n(6, 12)}}[chance.IntN(3)]
	case Fed, FedSet:
		return Op{What: Load, Value: MillicoresPerReplica * n(2, 7), Member: members[chance.IntN(len(members))]}
	case Names:
		return []Op{{What: ScaleIn, Value: n(1, 3)}, {What: ScaleIn, Value: n(1, 2)}, {What: Scale, Value: n(9, 15)}}[chance.IntN(3)]
	case Staged:
		return []Op{{What: Ship}, {What: Ship}, {What: Scale, Value: n(6, 12)}, {What: Reject}}[chance.IntN(4)]
	case Cron:
		return Op{What: Touch, Value: n(1, 1000)}
	default:
		return Op{What: Scale, Value: n(3, 15)}
	}
}

// Count is how many operations there are of each kind, in words.
func Count(ops map[string][]Op) map[string]int {
	out := map[string]int{}
	for _, of := range ops {
		for _, op := range of {
			out[op.What]++
		}
	}
	return out
}

// Members that have load in the beginning, and how much: the load of FedLeast replicas, evenly.
func startLoad(members []string) map[string]int64 {
	out := map[string]int64{}
	for _, m := range slices.Sorted(slices.Values(members)) {
		out[m] = MillicoresPerReplica * FedLeast / int64(len(members))
	}
	return out
}
