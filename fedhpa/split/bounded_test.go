package split

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestBounded(t *testing.T) {
	cases := map[string]struct {
		total        int32
		parties      []Party
		want         []int32
		wantUnplaced int32
	}{
		"by weight": {
			total:   10,
			parties: []Party{{Name: "a", Weight: 3, Hi: 10}, {Name: "b", Weight: 2, Hi: 10}},
			want:    []int32{6, 4},
		},
		"a full party leaves its part to the others": {
			total:   10,
			parties: []Party{{Name: "a", Weight: 9, Hi: 2}, {Name: "b", Weight: 1, Hi: 10}},
			want:    []int32{2, 8},
		},
		"what nobody can hold is told": {
			total:        10,
			parties:      []Party{{Name: "a", Weight: 1, Hi: 2}, {Name: "b", Weight: 1, Hi: 3}},
			want:         []int32{2, 3},
			wantUnplaced: 5,
		},
		"lower bounds come first": {
			total:   10,
			parties: []Party{{Name: "a", Weight: 100, Hi: 10}, {Name: "b", Weight: 1, Lo: 3, Hi: 10}},
			want:    []int32{7, 3},
		},
		"lower bounds above the total are themselves divided": {
			total:   2,
			parties: []Party{{Name: "a", Weight: 5, Lo: 1, Hi: 9}, {Name: "b", Weight: 3, Lo: 1, Hi: 9}, {Name: "c", Weight: 1, Lo: 1, Hi: 9}},
			want:    []int32{1, 1, 0},
		},
		"a tie stays with the holder": {
			total:   3,
			parties: []Party{{Name: "a", Weight: 1, Hi: 9, Holds: 1}, {Name: "b", Weight: 1, Hi: 9, Holds: 2}},
			want:    []int32{1, 2},
		},
		"without any weight, evenly": {
			total:   4,
			parties: []Party{{Name: "a", Hi: 9}, {Name: "b", Hi: 9}},
			want:    []int32{2, 2},
		},
		"the largest weights do not overflow": {
			total:   2,
			parties: []Party{{Name: "a", Weight: math.MaxInt64, Hi: 9}, {Name: "b", Weight: math.MaxInt64, Hi: 9}},
			want:    []int32{1, 1},
		},
		"nobody": {total: 3, want: []int32{}, wantUnplaced: 3},
		"nothing": {
			total: 0, parties: []Party{{Name: "a", Weight: 1, Lo: 1, Hi: 4}}, want: []int32{0},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, unplaced := Bounded(tc.total, tc.parties, "uid")
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("seats (-want +got):\n%s", diff)
			}
			if unplaced != tc.wantUnplaced {
				t.Errorf("unplaced = %d, want %d", unplaced, tc.wantUnplaced)
			}
		})
	}
}

// TestBoundedExhaustive checks every problem of three parties with small bounds and weights: sums and bounds
// exact, one more seat never takes one away, and nobody who could hold another seat has a stronger claim than one who got it.
func TestBoundedExhaustive(t *testing.T) {
	const top = 3
	checked := 0
	for code := range pow(4, 9) {
		parties := make([]Party, 3)
		for i := range parties {
			parties[i].Name = string(rune('a' + i))
			parties[i].Weight, code = int64(code%4), code/4
			parties[i].Lo, code = int32(code%4), code/4
			parties[i].Hi, code = int32(code%4), code/4
		}
		if parties[0].Lo > parties[0].Hi || parties[1].Lo > parties[1].Hi || parties[2].Lo > parties[2].Hi {
			continue
		}
		previous := make([]int32, 3)
		for total := int32(0); total <= 3*top+1; total++ {
			seats, unplaced := Bounded(total, parties, "uid")
			if msg := violation(total, parties, seats, unplaced); msg != "" {
				t.Fatalf("Bounded(%d, %+v) = %v, %d: %s", total, parties, seats, unplaced, msg)
			}
			for i := range seats {
				if seats[i] < previous[i] && total > sumLo(parties)+1 {
					t.Fatalf("Bounded(%d, %+v): party %d falls from %d to %d", total, parties, i, previous[i], seats[i])
				}
			}
			previous = seats
			checked++
		}
	}
	if checked < 80000 {
		t.Fatalf("only %d cases were checked", checked)
	}
}

func TestBoundedProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parties := drawParties(t)
		total := rapid.Int32Range(0, 2000).Draw(t, "total")
		seed := rapid.StringN(0, 4, -1).Draw(t, "seed")
		seats, unplaced := Bounded(total, parties, seed)
		if msg := violation(total, parties, seats, unplaced); msg != "" {
			t.Fatalf("%v, %d: %s", seats, unplaced, msg)
		}

		// Deterministic, and no matter in which order the parties are listed.
		back := make([]Party, len(parties))
		for i := range parties {
			back[len(parties)-1-i] = parties[i]
		}
		reversed, _ := Bounded(total, back, seed)
		for i := range seats {
			if reversed[len(seats)-1-i] != seats[i] {
				t.Fatalf("listed backwards: %v, forwards %v", reversed, seats)
			}
		}

		// Minimal movement: what was given is given again, whatever the seed of the ties.
		for i := range parties {
			parties[i].Holds = seats[i]
		}
		again, _ := Bounded(total, parties, seed+"x")
		if diff := cmp.Diff(seats, again); diff != "" {
			t.Fatalf("dividing again moves seats (-first +again):\n%s", diff)
		}
	})
}

// TestBoundedTies: an odd seat among equals goes by a hash of seed and name: always the same for one autoscaler, and not always to the
// same cluster for many.
func TestBoundedTies(t *testing.T) {
	parties := []Party{{Name: "a", Weight: 1, Hi: 9}, {Name: "b", Weight: 1, Hi: 9}, {Name: "c", Weight: 1, Hi: 9}}
	won := make([]int, len(parties))
	for seed := range 300 {
		seats, _ := Bounded(4, parties, fmt.Sprint(seed))
		again, _ := Bounded(4, parties, fmt.Sprint(seed))
		if diff := cmp.Diff(seats, again); diff != "" {
			t.Fatalf("seed %d answers twice (-first +second):\n%s", seed, diff)
		}
		for i := range seats {
			won[i] += int(seats[i]) - 1
		}
	}
	for i, n := range won {
		if n < 70 || n > 130 {
			t.Errorf("%s has the odd seat %d times of 300, which is no even chance: %v", parties[i].Name, n, won)
		}
	}
}

func drawParties(t *rapid.T) []Party {
	parties := make([]Party, rapid.IntRange(1, 8).Draw(t, "parties"))
	for i := range parties {
		hi := rapid.Int32Range(0, 400).Draw(t, "hi")
		parties[i] = Party{
			Name:   fmt.Sprintf("member%d", i),
			Weight: rapid.OneOf(rapid.Int64Range(0, 5), rapid.Int64Range(0, 1<<40)).Draw(t, "weight"),
			Lo:     rapid.Int32Range(0, hi).Draw(t, "lo"),
			Hi:     hi,
			Holds:  rapid.Int32Range(0, 400).Draw(t, "holds"),
		}
	}
	return parties
}

// violation names the first rule a division breaks.
func violation(total int32, parties []Party, seats []int32, unplaced int32) string {
	var sum int64
	full := sumLo(parties) <= total
	for i, p := range parties {
		sum += int64(seats[i])
		switch {
		case seats[i] < 0 || seats[i] > p.Hi:
			return fmt.Sprintf("party %d is out of its bounds", i)
		case full && seats[i] < p.Lo:
			return fmt.Sprintf("party %d is below its lower bound", i)
		case !full && seats[i] > p.Lo:
			return fmt.Sprintf("party %d is above its lower bound though others miss theirs", i)
		case unplaced > 0 && seats[i] < p.Hi:
			return fmt.Sprintf("party %d has room for what was not placed", i)
		}
	}
	if sum+int64(unplaced) != int64(total) {
		return fmt.Sprintf("placed %d and not placed %d are not the total", sum, unplaced)
	}
	if !full {
		return ""
	}
	for i, p := range parties {
		for j, q := range parties {
			// p's next claim must not beat q's last one, where both were free to change hands.
			if seats[i] < p.Hi && seats[j] > q.Lo &&
				float64(p.Weight)/float64(2*seats[i]+1) > float64(q.Weight)/float64(2*seats[j]-1)*(1+1e-9) {
				return fmt.Sprintf("party %d has a stronger claim than the last seat of %d", i, j)
			}
		}
	}
	return ""
}

func sumLo(parties []Party) int32 {
	var sum int32
	for _, p := range parties {
		sum += p.Lo
	}
	return sum
}

func pow(base, exponent int) int {
	out := 1
	for range exponent {
		out *= base
	}
	return out
}

// BenchmarkBounded: 100,000 seats over 100 clusters, as at each look of the largest FedHPA.
func BenchmarkBounded(b *testing.B) {
	parties := make([]Party, 100)
	for i := range parties {
		parties[i] = Party{Name: fmt.Sprintf("member%d", i), Weight: int64(1 + i%7), Lo: 1, Hi: 100000}
	}
	for b.Loop() {
		Bounded(100000, parties, "uid")
	}
}

// TestBoundedAsOneByOne: the heap gives every seat to whom a look at all parties gives it.
func TestBoundedAsOneByOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parties := make([]Party, rapid.IntRange(1, 6).Draw(t, "parties"))
		for i := range parties {
			lo := rapid.Int32Range(0, 4).Draw(t, "lo")
			parties[i] = Party{Name: string(rune('a' + i)), Weight: rapid.Int64Range(0, 3).Draw(t, "weight"), Lo: lo,
				Hi: lo + rapid.Int32Range(0, 9).Draw(t, "room"), Holds: rapid.Int32Range(0, 9).Draw(t, "holds")}
		}
		total := rapid.Int32Range(0, 60).Draw(t, "total")
		seats, unplaced := Bounded(total, parties, "seed")
		want, left := make([]int32, len(parties)), total
		for i, p := range parties {
			want[i] = p.Lo
			left -= p.Lo
		}
		if left < 0 || total == 0 {
			return // the lower bounds are what is divided
		}
		rank := ranks(parties, "seed")
		for ; left > 0; left-- {
			best := -1
			for i := range parties {
				if want[i] < parties[i].Hi && (best < 0 || precedes(parties, want, rank, i, best)) {
					best = i
				}
			}
			if best < 0 {
				break
			}
			want[best]++
		}
		if !slices.Equal(seats, want) || unplaced != left {
			t.Fatalf("%v and %d unplaced, one by one %v and %d", seats, unplaced, want, left)
		}
	})
}
