package split

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestNext(t *testing.T) {
	at := func(lo, hi int32) *Range { return &Range{lo, hi} }
	cases := map[string]struct {
		steps  []Step
		total  int32
		shrink bool
		want   []*Range
	}{
		"new autoscalers are all sent at once": {
			total: 10,
			steps: []Step{{Name: "m1", Want: Range{1, 6}, Current: 2, Ready: 2}, {Name: "m2", Want: Range{1, 4}, Current: 1, Ready: 1}},
			want:  []*Range{at(1, 6), at(1, 4)},
		},
		"the receiver waits for the donor": {
			total: 10,
			steps: []Step{
				{Name: "m1", Want: Range{1, 3}, Sent: at(1, 6), InForce: at(1, 6), Current: 2, Ready: 2},
				{Name: "m2", Want: Range{1, 7}, Sent: at(1, 4), InForce: at(1, 4), Current: 4, Ready: 4},
			},
			want: []*Range{at(1, 3), nil},
		},
		"sent is not yet in force": {
			total: 10,
			steps: []Step{
				{Name: "m1", Want: Range{1, 3}, Sent: at(1, 3), InForce: at(1, 6), Current: 2, Ready: 2},
				{Name: "m2", Want: Range{1, 7}, Sent: at(1, 4), InForce: at(1, 4), Current: 4, Ready: 4},
			},
			want: []*Range{nil, nil},
		},
		"confirmed, the receiver rises": {
			total: 10,
			steps: []Step{
				{Name: "m1", Want: Range{1, 3}, Sent: at(1, 3), InForce: at(1, 3), Current: 2, Ready: 2},
				{Name: "m2", Want: Range{1, 7}, Sent: at(1, 4), InForce: at(1, 4), Current: 4, Ready: 4},
			},
			want: []*Range{nil, at(1, 7)},
		},
		"a donor that grew meanwhile is not cut": {
			total: 10,
			steps: []Step{
				{Name: "m1", Want: Range{1, 3}, Sent: at(1, 6), InForce: at(1, 6), Current: 5, Ready: 5},
				{Name: "m2", Want: Range{1, 7}, Sent: at(1, 4), InForce: at(1, 4), Current: 4, Ready: 4},
			},
			want: []*Range{at(1, 5), nil},
		},
		"it is cut where the user's max asks for it": {
			total: 5, shrink: true,
			steps: []Step{{Name: "m1", Want: Range{1, 5}, Sent: at(1, 8), InForce: at(1, 8), Current: 8, Ready: 8}},
			want:  []*Range{at(1, 5)},
		},
		"a lower limit falls only when its replacement is ready": {
			total: 10,
			steps: []Step{
				{Name: "m1", Want: Range{1, 5}, Sent: at(4, 5), InForce: at(4, 5), Current: 4, Ready: 4},
				{Name: "m2", Want: Range{4, 5}, Sent: at(1, 5), InForce: at(1, 5), Current: 1, Ready: 1},
			},
			want: []*Range{nil, at(4, 5)},
		},
		"ready, it falls": {
			total: 10,
			steps: []Step{
				{Name: "m1", Want: Range{1, 5}, Sent: at(4, 5), InForce: at(4, 5), Current: 4, Ready: 4},
				{Name: "m2", Want: Range{4, 5}, Sent: at(4, 5), InForce: at(4, 5), Current: 4, Ready: 4},
			},
			want: []*Range{at(1, 5), nil},
		},
		"a frozen member is sent nothing, and its ceiling counts": {
			total: 10,
			steps: []Step{
				{Name: "m1", Want: Range{1, 2}, Sent: at(1, 6), InForce: at(1, 6), Frozen: true},
				{Name: "m2", Want: Range{1, 8}, Sent: at(1, 3), InForce: at(1, 3), Current: 1, Ready: 1},
			},
			want: []*Range{nil, at(1, 4)},
		},
		"over the total, a limit on its way down goes back only as far as there is room": {
			total: 30,
			steps: []Step{
				{Name: "m1", Want: Range{1, 24}, Sent: at(1, 13), InForce: at(1, 30), Current: 21, Ready: 21},
				{Name: "m2", Want: Range{1, 6}, Sent: at(1, 15), Current: 3, Ready: 3},
			},
			want: []*Range{at(1, 15), nil},
		},
		"surplus holds one": {
			total: 1, shrink: true,
			steps: []Step{
				{Name: "m1", Want: Range{1, 1}, Sent: at(1, 3), InForce: at(1, 3), Current: 3, Ready: 3},
				{Name: "m2", Want: Range{}, Sent: at(1, 3), InForce: at(1, 3), Current: 3, Ready: 3},
			},
			want: []*Range{at(1, 1), at(1, 1)},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Next(tc.steps, tc.total, tc.shrink)); diff != "" {
				t.Errorf("Next (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNextConverges plays random redivisions with members that obey late and in any order, and whose own
// autoscalers move inside the limits meanwhile: the limits in force never exceed the total, no running replica is cut, and
// the target is reached.
func TestNextConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const total = 60
		n := rapid.IntRange(1, 5).Draw(t, "members")
		before, after := drawSplit(t, n, total), drawSplit(t, n, total)
		steps := make([]Step, n)
		for i := range steps {
			old := before[i]
			current := rapid.Int32Range(old.Min, old.Max).Draw(t, "current")
			steps[i] = Step{Name: fmt.Sprintf("m%d", i), Want: after[i], Sent: &old, InForce: &old, Current: current, Ready: current}
		}
		for round := 0; ; round++ {
			if round > 400 {
				t.Fatalf("not settled: %+v", steps)
			}
			apply(t, steps, total)
			if Settled(steps) {
				return
			}
			// Load falls after a while, so that donors can give way.
			calm := round > 40
			for i := range steps {
				play(t, &steps[i], calm)
			}
		}
	})
}

func apply(t *rapid.T, steps []Step, total int32) {
	for i, r := range Next(steps, total, false) {
		if r == nil {
			continue
		}
		if r.Max < steps[i].Current {
			t.Fatalf("%s runs %d and is sent %+v", steps[i].Name, steps[i].Current, *r)
		}
		steps[i].Sent = r
	}
	var sum int32
	for _, s := range steps {
		sum += ceiling(s)
	}
	if sum > total {
		t.Fatalf("limits in force reach %d of %d: %+v", sum, total, steps)
	}
}

// play lets one member confirm what it was sent, or its autoscaler move, or its pods become ready.
func play(t *rapid.T, s *Step, calm bool) {
	if calm || rapid.Bool().Draw(t, "confirms") {
		sent := *s.Sent
		s.InForce = &sent
	}
	lo, hi := s.InForce.Min, s.InForce.Max
	switch {
	case calm:
		s.Current, s.Ready = lo, lo
	case rapid.Bool().Draw(t, "scales"):
		s.Current = rapid.Int32Range(lo, min(hi, s.Sent.Max)).Draw(t, "to")
		s.Ready = min(s.Ready, s.Current)
	case rapid.Bool().Draw(t, "ready"):
		s.Ready = s.Current
	}
}

// drawSplit draws limits that add up to at most total.
func drawSplit(t *rapid.T, n int, total int32) []Range {
	out := make([]Range, n)
	left := total - int32(n)
	for i := range out {
		extra := rapid.Int32Range(0, left).Draw(t, "extra")
		left -= extra
		out[i] = Range{Min: rapid.Int32Range(1, 1+extra).Draw(t, "min"), Max: 1 + extra}
	}
	return out
}
