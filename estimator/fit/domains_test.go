package fit

import (
	"math/rand"
	"testing"

	"pgregory.net/rapid"
)

// greedy places copies one by one as the scheduler may, in a random order, until none is allowed.
func greedy(random *rand.Rand, domains []Domain, skew int64, minDomains int) int64 {
	counts, room := make([]int64, len(domains)), make([]int64, len(domains))
	for i, d := range domains {
		counts[i], room[i] = d.Existing, d.Capacity
	}
	for placed := int64(0); ; placed++ {
		least := counts[0]
		for _, count := range counts {
			least = min(least, count)
		}
		if len(domains) < minDomains {
			least = 0
		}
		var allowed []int
		for i := range counts {
			if room[i] > 0 && counts[i]+1-least <= skew {
				allowed = append(allowed, i)
			}
		}
		if len(allowed) == 0 {
			return placed
		}
		chosen := allowed[random.Intn(len(allowed))]
		counts[chosen]++
		room[chosen]--
	}
}

func TestSpreadIsWhatAnyOrderOfPlacementReaches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		domains := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Domain {
			return Domain{Existing: rapid.Int64Range(0, 6).Draw(t, "existing"), Capacity: rapid.Int64Range(0, 9).Draw(t, "capacity")}
		}), 1, 5).Draw(t, "domains")
		skew, minDomains := rapid.Int64Range(1, 4).Draw(t, "skew"), rapid.IntRange(1, 6).Draw(t, "minDomains")
		random := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		want := greedy(random, domains, skew, minDomains)
		if got := Spread(domains, skew, minDomains); got != want {
			t.Fatalf("Spread(%v, %d, %d) = %d, one by one: %d", domains, skew, minDomains, got, want)
		}
	})
}

func TestSpreadCases(t *testing.T) {
	tests := map[string]struct {
		domains    []Domain
		skew       int64
		minDomains int
		want       int64
	}{
		"three roomy zones":                      {[]Domain{{0, 10}, {0, 10}, {0, 10}}, 1, 1, 30},
		"a full zone holds the others back":      {[]Domain{{0, 10}, {0, 2}, {0, 10}}, 1, 1, 8},
		"a zone no pod can enter":                {[]Domain{{0, 10}, {0, 0}}, 2, 1, 2},
		"uneven from before":                     {[]Domain{{5, 10}, {1, 10}}, 1, 1, 7 + 10},
		"fewer domains than minDomains":          {[]Domain{{0, 10}, {1, 10}}, 2, 3, 3},
		"the design's trap: 201 instead of five": {[]Domain{{0, 100}, {0, 2}, {0, 100}}, 1, 1, 8},
		"no domain":                              {nil, 1, 1, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Spread(tc.domains, tc.skew, tc.minDomains); got != tc.want {
				t.Errorf("Spread = %d, want %d", got, tc.want)
			}
		})
	}
}

func TestLocalCapFindsTheEdgeInFewCalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bound := rapid.Int64Range(0, 500).Draw(t, "bound")
		edge := rapid.Int64Range(0, bound).Draw(t, "edge")
		calls := 0
		got := LocalCap(bound, func(k int64) bool { calls++; return k <= edge })
		if got != edge {
			t.Fatalf("LocalCap = %d, want %d", got, edge)
		}
		if edge == bound && calls > 1 {
			t.Errorf("%d calls of Filter where arithmetic was right", calls)
		}
		if calls > 12 {
			t.Errorf("%d calls of Filter for a bound of %d", calls, bound)
		}
	})
}

func TestSeparate(t *testing.T) {
	rooms := map[string]bool{"a": true, "b": false, "c": true}
	if got := Separate(rooms, 4); got != 6 {
		t.Errorf("Separate = %d, want one in a, one in c and four outside", got)
	}
}
