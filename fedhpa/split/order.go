package split

// Step is one cluster on its way from the limits it has to the limits it should get.
type Step struct {
	Name string
	// Want is the target.
	Want Range
	// Sent is what was last sent to the cluster, nil if nothing was.
	Sent *Range
	// InForce is what the cluster's autoscaler is known to obey, nil if not known (just created, or not yet confirmed).
	InForce *Range
	// Current and Ready count the cluster's replicas.
	Current, Ready int32
	// Frozen members are sent nothing.
	Frozen bool
}

// Native is the range as a member's autoscaler can hold it: a native HPA has no limit below 1. A cluster that is to have nothing
// keeps one replica until it is emptied in the control plane.
func (r Range) Native() Range {
	return Range{Min: max(r.Min, 1), Max: max(r.Max, r.Min, 1)}
}

// Next returns the limits to send now, one per step and nil where nothing may be sent yet. Calling it again as
// confirmations come in reaches Want; at no moment on the way do the limits in force exceed total together, and no cluster's
// lower limit falls before the clusters that take its place are ready:
//
//	donor's max down (not below its current count, unless shrink) -> confirmed -> receiver's max up
//	receiver's min up -> its replicas ready -> donor's min down
//
// shrink says that the user asks for fewer replicas than run, so that max must cut.
func Next(steps []Step, total int32, shrink bool) []*Range {
	out := make([]*Range, len(steps))
	budget := int64(total)
	for _, s := range steps {
		budget -= int64(ceiling(s))
	}
	next := make([]Range, len(steps))
	for i, s := range steps {
		if !s.Frozen {
			next[i] = Range{Max: nextMax(s, &budget, shrink)}
		}
	}
	ready := receiversReady(steps, next)
	for i, s := range steps {
		// A max of 0: the receiver waits for its donors, since a native HPA has no limit below 1.
		if s.Frozen || next[i].Max < 1 {
			continue
		}
		next[i].Min = nextMin(s, next[i].Max, ready)
		if s.Sent == nil || *s.Sent != next[i] {
			out[i] = &next[i]
		}
	}
	return out
}

// Settled reports whether every reachable cluster obeys its target.
func Settled(steps []Step) bool {
	for _, s := range steps {
		want := s.Want.Native()
		if !s.Frozen && (s.Sent == nil || *s.Sent != want || s.InForce == nil || *s.InForce != want) {
			return false
		}
	}
	return true
}

// ceiling is the most a cluster's autoscaler may reach given what was sent and what is confirmed.
func ceiling(s Step) int32 {
	var top int32
	if s.Sent != nil {
		top = s.Sent.Max
	}
	if s.InForce != nil {
		top = max(top, s.InForce.Max)
	}
	return top
}

func nextMax(s Step, budget *int64, shrink bool) int32 {
	want := s.Want.Native().Max
	have := int32(0)
	if s.Sent != nil {
		have = s.Sent.Max
	}
	switch {
	case want < have && unconfirmedRaise(s):
		// Were it replaced now, nobody could tell later whether the member obeys the higher limit.
		return have
	case want < have && shrink:
		return want
	case want <= have:
		return min(have, max(want, s.Current))
	default:
		// What the cluster's unconfirmed ceiling already counts is not asked for twice. Where the ceilings are over the total, a limit on its
		// way down is not called back.
		top := int64(ceiling(s))
		next := max(int64(have), min(int64(want), top+*budget))
		*budget -= max(next-top, 0)
		return int32(next)
	}
}

// unconfirmedRaise reports whether the last limits sent raised the ceiling and are not known to have arrived.
func unconfirmedRaise(s Step) bool {
	return s.Sent != nil && (s.InForce == nil || s.InForce.Max < s.Sent.Max)
}

func nextMin(s Step, top int32, receiversReady bool) int32 {
	want := s.Want.Native().Min
	if s.Sent != nil && want < s.Sent.Min && !receiversReady {
		want = s.Sent.Min
	}
	return min(want, top)
}

// receiversReady reports whether every reachable cluster already runs, ready, the lower limit it is to have, as far as the upper limit
// it can have now lets it: where max is tight, a receiver cannot be ready before its donor gives way.
func receiversReady(steps []Step, next []Range) bool {
	for i, s := range steps {
		if !s.Frozen && s.Ready < min(s.Want.Native().Min, next[i].Max) {
			return false
		}
	}
	return true
}
