package split

import "math"

// Range is the limits one cluster's autoscaler gets.
type Range struct{ Min, Max int32 }

// Cluster is what is known of one member cluster that runs the workload.
type Cluster struct {
	Name string
	// Current is how many replicas it runs.
	Current int32
	// Free is how many more replicas really fit; nil is unknown, which is never taken for zero: the
	// cluster then keeps the room it was last given, and gets no more.
	Free *int32
	// Weight is the user's weight, 1 where none is given; 0 gives the cluster no more than its lower bound.
	Weight int64
	// Least and Most are the user's own bounds for this cluster; Most 0 means none.
	Least, Most int32
	// Last is what the cluster has now, nil if nothing yet.
	Last *Range
	// Standby gets of Min no more than its lower bound while others have room for it: it is to be emptied when idle.
	Standby bool
	// Rigid is set for a member whose autoscaler cannot scale and still obeys its limits: its upper one never falls below Current.
	Rigid bool
	// Frozen is set for a member that cannot be reached: its autoscaler goes on with Last, so Last stays reserved.
	Frozen bool
}

// Input is one division.
type Input struct {
	Min, Max int32
	Clusters []Cluster
	// WeightedMin divides Min by the users' weights; otherwise by what each cluster runs today, which
	// moves no replica.
	WeightedMin bool
	// TakeOver keeps every cluster's present count inside its limits, so that a new autoscaler's first tick changes nothing.
	TakeOver bool
	// Seed settles ties: the autoscaler's UID.
	Seed string
}

// Result is the division. sum(Min) + MinUnplaced = Input.Min and sum(Max) + Reserve = Input.Max, unless frozen clusters alone exceed them,
// or what they might run and what the others do run together.
type Result struct {
	// Ranges has one entry per Input.Clusters, in its order. A cluster with Max 0 is surplus: there are fewer maxReplicas than
	// clusters. One with Min 0 and Max > 0 may go to standby when it is idle.
	Ranges []Range
	// Reserve is the part of Max no cluster has room for.
	Reserve int32
	// MinUnplaced is the part of Min no cluster has room for.
	MinUnplaced int32
}

// Divide gives every cluster its limits:
//
//	base_i = cur_i, or the user's own upper bound where that is lower
//	if max >= sum(base): max_i = base_i + bounded(max - sum(base), w = free_i * weight_i, hi = free_i)
//	else:                max_i = bounded(max, w = base_i, lo = 1, hi = base_i)
//	min_i = bounded(min, w = weight_i or cur_i (0 for a standby), lo = 1, hi = max_i)
//
// Room is never handed to a full cluster: its pods would stay pending, and a native HPA with pending pods does not
// scale down.
func Divide(in Input) Result {
	out := Result{Ranges: make([]Range, len(in.Clusters))}
	left := Range{Min: in.Min, Max: in.Max}
	var live []int
	var running int32
	others := in.Max
	for i, c := range in.Clusters {
		if !c.Frozen {
			live = append(live, i)
			running += baseOf(c, in.TakeOver)
			continue
		}
		if c.Last != nil {
			out.Ranges[i] = *c.Last
		} else {
			out.Ranges[i] = Range{Min: min(1, c.Current), Max: c.Current}
		}
		left.Min -= out.Ranges[i].Min
		left.Max -= out.Ranges[i].Max
		others -= c.Current
	}
	// What a frozen cluster might run keeps the others from growing. Only what it is known to run takes from what they run.
	left.Min, left.Max = max(left.Min, 0), max(left.Max, min(others, running), 0)
	maxes, reserve := divideMax(in, live, left.Max)
	mins, unplaced := divideMin(in, live, left.Min, maxes)
	for n, i := range live {
		out.Ranges[i] = Range{Min: mins[n], Max: maxes[n]}
	}
	out.Reserve, out.MinUnplaced = reserve, unplaced
	return out
}

func divideMax(in Input, live []int, total int32) (maxes []int32, reserve int32) {
	base := make([]int32, len(live))
	var sum int64
	for n, i := range live {
		base[n] = baseOf(in.Clusters[i], in.TakeOver)
		sum += int64(base[n])
	}
	if int64(total) < sum {
		if in.TakeOver {
			// More run than the user's max allows: take over what runs, then shrink in the open.
			return base, 0
		}
		return shrink(in, live, base, total), 0
	}
	parties := make([]Party, len(live))
	for n, i := range live {
		c := in.Clusters[i]
		room := roomOf(c, base[n])
		parties[n] = Party{
			Name:   c.Name,
			Weight: product(int64(freeOf(c, base[n])), c.Weight),
			Lo:     min(max(c.Least-base[n], 0), room),
			Hi:     room,
			Holds:  max(lastMax(c)-base[n], 0),
		}
		if c.Weight == 0 {
			parties[n].Hi = parties[n].Lo
		}
	}
	extra, reserve := Bounded(total-int32(sum), parties, in.Seed)
	for n := range base {
		base[n] += extra[n]
	}
	return base, reserve
}

// shrink apportions fewer than run over what runs. A rigid cluster keeps all of it, and the others share what that leaves.
func shrink(in Input, live []int, base []int32, total int32) []int32 {
	out := make([]int32, len(base))
	var parties []Party
	var at []int
	for n, i := range live {
		c := in.Clusters[i]
		if c.Rigid {
			out[n] = base[n]
			total = max(total-base[n], 0)
			continue
		}
		parties, at = append(parties, Party{Name: c.Name, Weight: int64(base[n]), Lo: min(1, base[n]), Hi: base[n], Holds: lastMax(c)}),
			append(at, n)
	}
	seats, _ := Bounded(total, parties, in.Seed)
	for p, n := range at {
		out[n] = seats[p]
	}
	return out
}

func divideMin(in Input, live []int, total int32, maxes []int32) (mins []int32, unplaced int32) {
	parties := make([]Party, len(live))
	for n, i := range live {
		c := in.Clusters[i]
		hi := maxes[n]
		if in.TakeOver {
			hi = min(hi, c.Current)
		}
		weight := int64(c.Current)
		if in.WeightedMin {
			weight = c.Weight
		}
		if c.Standby {
			weight = 0
		}
		parties[n] = Party{Name: c.Name, Weight: weight, Lo: min(max(c.Least, 1), hi), Hi: hi, Holds: lastMin(c)}
	}
	return Bounded(total, parties, in.Seed)
}

// baseOf is what a cluster keeps before anything is divided.
func baseOf(c Cluster, takeOver bool) int32 {
	if c.Most > 0 && !takeOver && !c.Rigid {
		return min(c.Current, c.Most)
	}
	return c.Current
}

// freeOf is how many replicas more than base the cluster can hold.
func freeOf(c Cluster, base int32) int32 {
	switch {
	case c.Free != nil:
		return max(*c.Free, 0)
	case c.Last != nil:
		return max(c.Last.Max-base, 0)
	}
	return 0
}

// roomOf is how many replicas more than base a cluster may be given: what it can hold, inside the user's own bound.
func roomOf(c Cluster, base int32) int32 {
	room := min(freeOf(c, base), math.MaxInt32-base)
	if c.Most > 0 {
		room = min(room, max(c.Most-base, 0))
	}
	return room
}

func lastMax(c Cluster) int32 {
	if c.Last == nil {
		return 0
	}
	return c.Last.Max
}

func lastMin(c Cluster) int32 {
	if c.Last == nil {
		return 0
	}
	return c.Last.Min
}

// product multiplies two weights, saturating.
func product(a, b int64) int64 {
	if a <= 0 || b <= 0 {
		return 0
	}
	if a > math.MaxInt64/b {
		return math.MaxInt64
	}
	return a * b
}
