package split

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// member builds one cluster of a case; only what matters to the case is said.
type member struct{ Cluster }

func makeMember(name string, current, free int32) member {
	return member{Cluster{Name: name, Current: current, Free: &free, Weight: 1}}
}

func (m member) weight(w int64) member        { m.Weight = w; return m }
func (m member) own(least, most int32) member { m.Least, m.Most = least, most; return m }
func (m member) last(lo, hi int32) member     { m.Last = &Range{lo, hi}; return m }
func (m member) unknown() member              { m.Free = nil; return m }
func (m member) standby() member              { m.Standby = true; return m }
func (m member) frozen() member               { m.Frozen = true; return m }

func TestDivide(t *testing.T) {
	cases := map[string]struct {
		min, max    int32
		weightedMin bool
		takeOver    bool
		members     []member
		want        Result
	}{
		"room goes where pods fit": {
			min: 4, max: 20,
			members: []member{makeMember("m1", 5, 30), makeMember("m2", 5, 20)},
			want:    Result{Ranges: []Range{{2, 11}, {2, 9}}},
		},
		"a full cluster gets no room": {
			min: 2, max: 20,
			members: []member{makeMember("m1", 5, 0), makeMember("m2", 5, 50)},
			want:    Result{Ranges: []Range{{1, 5}, {1, 15}}},
		},
		"what fits nowhere is reserve": {
			min: 2, max: 20,
			members: []member{makeMember("m1", 5, 2), makeMember("m2", 5, 1)},
			want:    Result{Ranges: []Range{{1, 7}, {1, 6}}, Reserve: 7},
		},
		"an unreachable cluster keeps its last": {
			min: 4, max: 20,
			members: []member{makeMember("m1", 5, 30), makeMember("m2", 4, 30).last(2, 8).frozen()},
			want:    Result{Ranges: []Range{{2, 12}, {2, 8}}},
		},
		"an unreachable cluster that never had limits keeps what it runs": {
			min: 4, max: 20,
			members: []member{makeMember("m1", 5, 30), makeMember("m2", 4, 30).frozen()},
			want:    Result{Ranges: []Range{{3, 16}, {1, 4}}},
		},
		"what an unreachable cluster might run takes nothing from what others run": {
			min: 4, max: 20,
			members: []member{makeMember("m1", 8, 30), makeMember("m2", 10, 30).last(2, 60).frozen()},
			want:    Result{Ranges: []Range{{2, 8}, {2, 60}}},
		},
		"max below what runs counts what an unreachable cluster runs, not what it might": {
			min: 4, max: 20,
			members: []member{makeMember("m1", 15, 30), makeMember("m2", 10, 30).last(2, 60).frozen()},
			want:    Result{Ranges: []Range{{2, 10}, {2, 60}}},
		},
		"unknown capacity keeps the room it had, and is not zero": {
			min: 2, max: 20,
			members: []member{makeMember("m1", 5, 4), makeMember("m2", 5, 0).last(1, 11).unknown()},
			want:    Result{Ranges: []Range{{1, 9}, {1, 11}}},
		},
		"fewer max than clusters": {
			min: 1, max: 2,
			members: []member{makeMember("m1", 3, 9), makeMember("m2", 2, 9), makeMember("m3", 1, 9)},
			want:    Result{Ranges: []Range{{1, 1}, {0, 1}, {0, 0}}},
		},
		"fewer min than clusters": {
			min: 2, max: 12,
			members: []member{makeMember("m1", 3, 9), makeMember("m2", 2, 9), makeMember("m3", 1, 9)},
			want:    Result{Ranges: []Range{{1, 5}, {1, 4}, {0, 3}}},
		},
		"max below what runs": {
			min: 2, max: 6,
			members: []member{makeMember("m1", 8, 9), makeMember("m2", 4, 9)},
			want:    Result{Ranges: []Range{{1, 4}, {1, 2}}},
		},
		"user weights": {
			min: 6, max: 26, weightedMin: true,
			members: []member{makeMember("m1", 3, 100).weight(2), makeMember("m2", 3, 100).weight(1)},
			want:    Result{Ranges: []Range{{4, 16}, {2, 10}}},
		},
		"weight zero keeps what runs and gets no room": {
			min: 2, max: 20,
			members: []member{makeMember("m1", 3, 100), makeMember("m2", 3, 100).weight(0)},
			want:    Result{Ranges: []Range{{1, 17}, {1, 3}}},
		},
		"a standby holds no more of min than one": {
			min: 6, max: 20,
			members: []member{makeMember("m1", 1, 100), makeMember("m2", 4, 100).standby()},
			want:    Result{Ranges: []Range{{5, 9}, {1, 11}}},
		},
		"a standby holds what the others have no room for": {
			min: 6, max: 20,
			members: []member{makeMember("m1", 1, 2), makeMember("m2", 4, 2).standby()},
			want:    Result{Ranges: []Range{{3, 3}, {3, 6}}, Reserve: 11},
		},
		"own bounds": {
			min: 4, max: 20,
			members: []member{makeMember("m1", 3, 100).own(3, 5), makeMember("m2", 3, 100)},
			want:    Result{Ranges: []Range{{3, 5}, {1, 15}}},
		},
		"own upper bound below what runs cuts": {
			min: 2, max: 20,
			members: []member{makeMember("m1", 8, 100).own(0, 5), makeMember("m2", 3, 100)},
			want:    Result{Ranges: []Range{{1, 5}, {1, 15}}},
		},
		"min above what fits is told": {
			min: 30, max: 40,
			members: []member{makeMember("m1", 5, 3), makeMember("m2", 5, 2)},
			want:    Result{Ranges: []Range{{8, 8}, {7, 7}}, Reserve: 25, MinUnplaced: 15},
		},
		"taking over changes nothing": {
			min: 10, max: 12, takeOver: true,
			members: []member{makeMember("m1", 2, 9), makeMember("m2", 3, 9)},
			want:    Result{Ranges: []Range{{2, 6}, {3, 6}}, MinUnplaced: 5},
		},
		"taking over more than max keeps it": {
			min: 1, max: 4, takeOver: true,
			members: []member{makeMember("m1", 5, 9), makeMember("m2", 3, 9)},
			want:    Result{Ranges: []Range{{1, 5}, {0, 3}}},
		},
		"nobody": {min: 1, max: 4, want: Result{Ranges: []Range{}, Reserve: 4, MinUnplaced: 1}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := Input{Min: tc.min, Max: tc.max, WeightedMin: tc.weightedMin, TakeOver: tc.takeOver, Seed: "uid"}
			for _, m := range tc.members {
				in.Clusters = append(in.Clusters, m.Cluster)
			}
			if diff := cmp.Diff(tc.want, Divide(in)); diff != "" {
				t.Errorf("Divide (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDivideProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		got := Divide(in)
		checkSums(t, in, got)
		checkBounds(t, in, got)

		// More max for the federation is never less for a cluster; the same world divided again is the same.
		more := in
		more.Max += rapid.Int32Range(0, 50).Draw(t, "more")
		grown := Divide(more)
		for i := range got.Ranges {
			if grown.Ranges[i].Max < got.Ranges[i].Max {
				t.Fatalf("max %d -> %d lowers %s from %d to %d", in.Max, more.Max, in.Clusters[i].Name, got.Ranges[i].Max, grown.Ranges[i].Max)
			}
		}
		for i := range in.Clusters {
			last := got.Ranges[i]
			in.Clusters[i].Last = &last
		}
		if again := Divide(in); !knownCapacity(in) {
			return
		} else if diff := cmp.Diff(got, again); diff != "" {
			t.Fatalf("dividing again moves limits (-first +again):\n%s", diff)
		}
	})
}

// TestDivideExhaustive checks every small problem of two clusters, unknown room, weights, bounds and outages included: sums and bounds are
// exact.
func TestDivideExhaustive(t *testing.T) {
	room := []*int32{nil, new(int32), pointer(1), pointer(4)}
	var clusters []Cluster
	for current := range int32(3) {
		for _, free := range room {
			for weight := range int64(3) {
				for _, own := range []Range{{}, {Min: 2}, {Max: 2}} {
					for _, frozen := range []bool{false, true} {
						clusters = append(clusters, Cluster{
							Name: "a", Current: current, Free: free, Weight: weight, Least: own.Min, Most: own.Max, Frozen: frozen,
						})
					}
				}
			}
		}
	}
	checked := 0
	for _, a := range clusters {
		for _, b := range clusters {
			b.Name = "b"
			for _, lim := range []Range{{1, 1}, {1, 2}, {2, 3}, {1, 6}, {5, 6}} {
				for mode := range 4 {
					in := Input{Min: lim.Min, Max: lim.Max, Clusters: []Cluster{a, b}, WeightedMin: mode&1 != 0, TakeOver: mode&2 != 0, Seed: "uid"}
					got := Divide(in)
					checkSums(t, in, got)
					checkBounds(t, in, got)
					checked++
				}
			}
		}
	}
	if checked < 900000 {
		t.Errorf("only %d cases were checked", checked)
	}
}

func pointer(n int32) *int32 { return &n }

// TestDivideByCurrentMovesNothing: without user weights no cluster's lower limit rises above what it
// runs, so that a division alone never starts a replica while min is met.
func TestDivideByCurrentMovesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		in.WeightedMin = false
		running := int32(0)
		for i := range in.Clusters {
			in.Clusters[i].Least, in.Clusters[i].Most, in.Clusters[i].Frozen = 0, 0, false
			in.Clusters[i].Current++
			running += in.Clusters[i].Current
		}
		in.Max = max(in.Max, running)
		in.Min = min(in.Min, running)
		for i, r := range Divide(in).Ranges {
			if c := in.Clusters[i]; r.Min > c.Current || r.Max < c.Current {
				t.Fatalf("%s runs %d and gets %+v", c.Name, c.Current, r)
			}
		}
	})
}

func drawInput(t *rapid.T) Input {
	in := Input{
		Max:         rapid.Int32Range(1, 300).Draw(t, "max"),
		WeightedMin: rapid.Bool().Draw(t, "weightedMin"),
		TakeOver:    rapid.Bool().Draw(t, "takeOver"),
		Seed:        "uid",
	}
	in.Min = rapid.Int32Range(1, in.Max).Draw(t, "min")
	for i := range rapid.IntRange(1, 6).Draw(t, "clusters") {
		c := Cluster{
			Name:    fmt.Sprintf("member%d", i),
			Current: rapid.Int32Range(0, 60).Draw(t, "current"),
			Weight:  rapid.Int64Range(0, 4).Draw(t, "weight"),
			Frozen:  rapid.IntRange(0, 4).Draw(t, "frozen") == 0,
			Least:   rapid.Int32Range(0, 5).Draw(t, "least"),
		}
		if rapid.Bool().Draw(t, "known") {
			free := rapid.Int32Range(0, 100).Draw(t, "free")
			c.Free = &free
		}
		if rapid.Bool().Draw(t, "bounded") {
			c.Most = rapid.Int32Range(max(c.Least, 1), 80).Draw(t, "most")
		}
		if rapid.Bool().Draw(t, "before") {
			top := rapid.Int32Range(1, 80).Draw(t, "lastMax")
			c.Last = &Range{Min: rapid.Int32Range(1, top).Draw(t, "lastMin"), Max: top}
		}
		in.Clusters = append(in.Clusters, c)
	}
	return in
}

func knownCapacity(in Input) bool {
	for _, c := range in.Clusters {
		if c.Free == nil {
			return false
		}
	}
	return true
}

// fataler is a test or a random draw of one.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func checkSums(t fataler, in Input, got Result) {
	var mins, maxes, frozenMin, frozenMax, frozenRuns, keeps int32
	for i, r := range got.Ranges {
		mins, maxes = mins+r.Min, maxes+r.Max
		if c := in.Clusters[i]; c.Frozen {
			frozenMin, frozenMax, frozenRuns = frozenMin+r.Min, frozenMax+r.Max, frozenRuns+c.Current
		} else {
			keeps += baseOf(c, in.TakeOver)
		}
	}
	if want := max(in.Min, frozenMin); mins+got.MinUnplaced != want {
		t.Fatalf("mins %d and unplaced %d are not %d: %+v", mins, got.MinUnplaced, want, got)
	}
	want := max(in.Max, frozenMax+min(max(in.Max-frozenRuns, 0), keeps))
	if in.TakeOver && maxes > want && got.Reserve == 0 {
		return // more runs than max allows: nothing is cut while taking over
	}
	if maxes+got.Reserve != want {
		t.Fatalf("maxes %d and reserve %d are not %d: %+v", maxes, got.Reserve, want, got)
	}
}

func checkBounds(t fataler, in Input, got Result) {
	for i, r := range got.Ranges {
		c := in.Clusters[i]
		if r.Min < 0 || r.Min > r.Max {
			t.Fatalf("%s gets min %d above max %d", c.Name, r.Min, r.Max)
		}
		if c.Frozen {
			continue
		}
		if c.Free != nil && r.Max > c.Current+*c.Free {
			t.Fatalf("%s gets max %d though only %d fit", c.Name, r.Max, c.Current+*c.Free)
		}
		if c.Most > 0 && !in.TakeOver && r.Max > c.Most {
			t.Fatalf("%s gets max %d above its own bound %d", c.Name, r.Max, c.Most)
		}
		if in.TakeOver && (r.Min > c.Current || r.Max < c.Current) {
			t.Fatalf("taking over %s at %d with %+v changes it", c.Name, c.Current, r)
		}
	}
}
