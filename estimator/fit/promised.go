package fit

import (
	"cmp"
	"slices"

	fwk "k8s.io/kube-scheduler/framework"
)

// Sharing is one node that pods promised to others may take: Lost[x] is how many of the node's places for our pod are gone once it holds x
// of the promised pods. Lost[0] is 0, and it ends with as many as the node takes.
type Sharing struct {
	Lost []int64
}

// LostTo says what one node loses to copies of another pod, by arithmetic: places counts what the node takes of ours, room what it takes of
// theirs. They are told apart by resources only, so clash says that one of theirs bars ours altogether (a host port).
func LostTo(ours, theirs *Demand, node fwk.NodeInfo, places, room int64, clash bool) Sharing {
	sharing := Sharing{Lost: make([]int64, 1, room+1)}
	for x := int64(1); x <= room; x++ {
		left := int64(0)
		if !clash {
			left = min(places, boundBeside(ours, theirs, node, x))
		}
		sharing.Lost = append(sharing.Lost, places-left)
		if left == 0 {
			break // more of theirs take nothing more of ours
		}
	}
	return sharing
}

// boundBeside is Bound with x copies of another pod on the node.
func boundBeside(ours, theirs *Demand, node fwk.NodeInfo, x int64) int64 {
	allocatable, used := node.GetAllocatable(), node.GetRequested()
	bound := int64(allocatable.GetAllowedPodNumber()-len(node.GetPods())) - x
	bound = share(bound, ours.MilliCPU, allocatable.GetMilliCPU()-used.GetMilliCPU()-x*theirs.MilliCPU)
	bound = share(bound, ours.Memory, allocatable.GetMemory()-used.GetMemory()-x*theirs.Memory)
	bound = share(bound, ours.EphemeralStorage, allocatable.GetEphemeralStorage()-used.GetEphemeralStorage()-x*theirs.EphemeralStorage)
	for _, scalar := range ours.Scalars {
		free := allocatable.GetScalarResources()[scalar.Name] - used.GetScalarResources()[scalar.Name]
		bound = share(bound, scalar.Value, free-x*theirs.scalar(scalar))
	}
	return max(bound, 0)
}

func (d *Demand) scalar(of Scalar) int64 {
	for _, scalar := range d.Scalars {
		if scalar.Name == of.Name {
			return scalar.Value
		}
	}
	return 0
}

// WorstLoss bounds the places that are lost however the scheduler deals the promised copies out over the nodes.
//
// Proof. The loss is the sum over nodes of Lost[x_i], the x_i summing to at most copies. Replace each Lost by the least concave function
// above it (its upper hull): the loss only grows. Of concave functions the greatest sum is found greedily, taking the steepest pieces
// first; the last piece may be taken in part, and as losses are whole, what it leaves behind the point is dropped.
func WorstLoss(nodes []Sharing, copies int64) int64 {
	var pieces []piece
	for _, node := range nodes {
		pieces = appendHull(pieces, node.Lost)
	}
	slices.SortFunc(pieces, func(a, b piece) int { return cmp.Compare(b.rise*a.run, a.rise*b.run) })
	lost := int64(0)
	for _, p := range pieces {
		if copies < p.run {
			return lost + p.rise*copies/p.run
		}
		copies -= p.run
		lost += p.rise
	}
	return lost
}

// piece of a hull: run copies take rise places.
type piece struct{ run, rise int64 }

// appendHull adds the pieces of the upper hull, the steepest first; flat ones take nothing.
func appendHull(pieces []piece, lost []int64) []piece {
	from := len(pieces)
	for x := 1; x < len(lost); x++ {
		next := piece{run: 1, rise: lost[x] - lost[x-1]}
		for len(pieces) > from {
			last := pieces[len(pieces)-1]
			if last.rise*next.run > next.rise*last.run {
				break
			}
			next = piece{run: last.run + next.run, rise: last.rise + next.rise}
			pieces = pieces[:len(pieces)-1]
		}
		pieces = append(pieces, next)
	}
	for len(pieces) > from && pieces[len(pieces)-1].rise <= 0 {
		pieces = pieces[:len(pieces)-1]
	}
	return pieces
}

// LossEach bounds what one copy of theirs takes of our places on any node, whatever else is there.
//
// Proof: take so many of ours off the node that what they free of each resource we ask for is at least what theirs asks, and at least one,
// for its place among the node's pods; then theirs fits where they were.
func LossEach(ours, theirs *Demand) int64 {
	each := int64(1)
	grow := func(ours, theirs int64) {
		if ours > 0 {
			each = max(each, (theirs+ours-1)/ours)
		}
	}
	grow(ours.MilliCPU, theirs.MilliCPU)
	grow(ours.Memory, theirs.Memory)
	grow(ours.EphemeralStorage, theirs.EphemeralStorage)
	for _, scalar := range ours.Scalars {
		grow(scalar.Value, theirs.scalar(scalar))
	}
	return each
}

// SpreadAfterLoss bounds Spread from below once loss places are gone, nobody knows where.
//
// Proof: with l_d of the loss in domain d, the least count falls by at most loss, so the total is at least the sum over d of
// max(0, min(c_d - l_d, m - loss + skew - e_d)), and that is at least the sum of max(0, min(c_d, m - loss + skew - e_d)) less the loss.
func SpreadAfterLoss(domains []Domain, skew int64, minDomains int, loss int64) int64 {
	return max(0, sum(SpreadShares(domains, skew-loss, minDomains))-loss)
}

// SeparateAfterLoss bounds Separate from below once loss places are gone: those of the domains with the fewest, and single ones outside any
// domain, go first.
func SeparateAfterLoss(places map[string]int64, outside, loss int64) int64 {
	total := outside
	var domains []int64
	for _, here := range places {
		if here > 0 {
			total++
			domains = append(domains, here)
		}
	}
	// A place outside is one copy, and so is a domain's last: what costs least is lost first.
	slices.Sort(domains)
	gone := min(outside, loss)
	loss -= gone
	for _, here := range domains {
		if here > loss {
			break
		}
		loss -= here
		gone++
	}
	return total - gone
}
