package fit

import (
	"testing"

	"pgregory.net/rapid"
)

// The bound is never less than the worst way to deal the copies out, and is that way where what a node loses grows evenly.
func TestWorstLoss(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var nodes []Sharing
		even := true
		for range rapid.IntRange(1, 4).Draw(t, "nodes") {
			lost := []int64{0}
			for range rapid.IntRange(0, 4).Draw(t, "room") {
				lost = append(lost, lost[len(lost)-1]+rapid.Int64Range(0, 3).Draw(t, "more"))
			}
			for x := 2; x < len(lost); x++ {
				even = even && lost[x]-lost[x-1] <= lost[x-1]-lost[x-2]
			}
			nodes = append(nodes, Sharing{lost})
		}
		copies := rapid.Int64Range(0, 10).Draw(t, "copies")
		got, worst := WorstLoss(nodes, copies), worstOf(nodes, copies)
		if got < worst || even && got != worst {
			t.Fatalf("%d, the worst way loses %d (even: %t)", got, worst, even)
		}
	})
}

func worstOf(nodes []Sharing, copies int64) int64 {
	if len(nodes) == 0 {
		return 0
	}
	worst := int64(0)
	for x, lost := range nodes[0].Lost {
		if int64(x) <= copies {
			worst = max(worst, lost+worstOf(nodes[1:], copies-int64(x)))
		}
	}
	return worst
}

// Whatever places are lost, the scheduler still places as many as the bound says.
func TestSpreadAfterLoss(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var domains []Domain
		for range rapid.IntRange(1, 4).Draw(t, "domains") {
			domains = append(domains, Domain{
				Existing: rapid.Int64Range(0, 4).Draw(t, "existing"), Capacity: rapid.Int64Range(0, 6).Draw(t, "capacity"),
			})
		}
		skew, least := rapid.Int64Range(1, 3).Draw(t, "skew"), rapid.IntRange(1, 3).Draw(t, "minDomains")
		loss := int64(0)
		after := append([]Domain{}, domains...)
		for i := range after {
			here := rapid.Int64Range(0, after[i].Capacity).Draw(t, "lost")
			after[i].Capacity -= here
			loss += here
		}
		if bound, real := SpreadAfterLoss(domains, skew, least, loss), Spread(after, skew, least); bound > real {
			t.Fatalf("%d, and %d are placed", bound, real)
		}
	})
}
