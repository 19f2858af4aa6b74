package split

import (
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// Party takes part in a bounded apportionment.
type Party struct {
	Name string
	// Weight is the party's claim; negative counts as 0. A party of weight 0 is served only after every other is full.
	Weight int64
	// Lo and Hi bound the party's seats, 0 <= Lo <= Hi.
	Lo, Hi int32
	// Holds is what the party has today. It decides ties, so that an answer which is as good as the
	// present state leaves the present state alone.
	Holds int32
}

// Bounded apportions total seats by Webster's divisor method (Sainte-Lague) inside each party's bounds: from Lo
// upwards, the next seat goes to the largest Weight/(2s+1) among the parties with s < Hi. It returns the seats
// in the order of the parties, and how many could not be placed because every party is full.
//
// A divisor method, not largest remainders: more seats in total never mean fewer for anyone, and
// a division of a smaller total with the same weights stays below it, party by party.
//
// Ties go to the present holder, then to a stable hash of seed and name. Where the lower bounds together
// exceed total, the lower bounds themselves are what is apportioned, so the sum is exact there too.
func Bounded(total int32, parties []Party, seed string) (seats []int32, unplaced int32) {
	seats = make([]int32, len(parties))
	if total <= 0 {
		return seats, 0
	}
	var floor int64
	for i, p := range parties {
		seats[i] = max(p.Lo, 0)
		floor += int64(seats[i])
	}
	if floor > int64(total) {
		return Bounded(total, loweredToFloor(parties), seed)
	}
	queue := &claims{parties: parties, seats: seats, rank: ranks(parties, seed)}
	for i, p := range parties {
		if seats[i] < p.Hi {
			queue.open = append(queue.open, i)
		}
	}
	heap.Init(queue)
	left := int64(total) - floor
	for ; left > 0 && len(queue.open) > 0; left-- {
		best := queue.open[0]
		if seats[best]++; seats[best] < parties[best].Hi {
			heap.Fix(queue, 0)
		} else {
			heap.Pop(queue)
		}
	}
	return seats, int32(left)
}

// claims are the parties that are not full, the one with the strongest claim to the next seat first.
type claims struct {
	parties []Party
	seats   []int32
	rank    []uint64
	open    []int
}

func (c *claims) Len() int { return len(c.open) }

func (c *claims) Less(a, b int) bool {
	return precedes(c.parties, c.seats, c.rank, c.open[a], c.open[b])
}

func (c *claims) Swap(a, b int) { c.open[a], c.open[b] = c.open[b], c.open[a] }

// Push is never called: nobody who is full gets room again.
func (c *claims) Push(x any) { c.open = append(c.open, x.(int)) }

// Pop drops the last.
func (c *claims) Pop() any {
	last := c.open[len(c.open)-1]
	c.open = c.open[:len(c.open)-1]
	return last
}

// loweredToFloor turns lower bounds that cannot all be met into upper bounds.
func loweredToFloor(parties []Party) []Party {
	out := make([]Party, len(parties))
	for i, p := range parties {
		p.Lo, p.Hi = 0, max(p.Lo, 0)
		out[i] = p
	}
	return out
}

// precedes reports whether party a gets the next seat before party b.
func precedes(parties []Party, seats []int32, rank []uint64, a, b int) bool {
	wa, wb := max(parties[a].Weight, 0), max(parties[b].Weight, 0)
	// wa/(2*sa+1) > wb/(2*sb+1), cross-multiplied in 128 bits.
	hiA, loA := bits.Mul64(uint64(wa), 2*uint64(seats[b])+1)
	hiB, loB := bits.Mul64(uint64(wb), 2*uint64(seats[a])+1)
	if hiA != hiB {
		return hiA > hiB
	}
	if loA != loB {
		return loA > loB
	}
	if wa == 0 && seats[a] != seats[b] {
		// Without any claim, spread evenly.
		return seats[a] < seats[b]
	}
	if holdsA, holdsB := parties[a].Holds > seats[a], parties[b].Holds > seats[b]; holdsA != holdsB {
		return holdsA
	}
	if rank[a] != rank[b] {
		return rank[a] < rank[b]
	}
	return parties[a].Name < parties[b].Name
}

// ranks orders equal claims differently for each seed (the autoscaler's UID), so that the odd replica of
// a thousand autoscalers does not always land in the same cluster.
func ranks(parties []Party, seed string) []uint64 {
	out := make([]uint64, len(parties))
	for i, p := range parties {
		// Members' names often differ in their last byte alone, which a simpler hash hardly mixes: member1 won every second tie of three.
		sum := sha256.Sum256([]byte(seed + "\x00" + p.Name))
		out[i] = binary.BigEndian.Uint64(sum[:])
	}
	return out
}
