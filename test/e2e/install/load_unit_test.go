package install

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/argosy-dev/argosy/test/lab/machine"
)

// TestLoad: what needed the excuse that the machine stood still proves nothing, and what did not need it counts as ever.
func TestLoad(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	refused := errors.New("connection refused")
	for name, tc := range map[string]struct {
		atMost     time.Duration
		wrong, why error
		after      time.Duration
		still      bool

		asked, excused, refused int
		wantWrong               bool
		longest                 time.Duration
	}{
		"answered at once":                    {asked: 1},
		"answered at once by a still machine": {still: true, asked: 1},
		"refused, which it may be": {
			atMost: time.Second, why: refused, after: time.Second, asked: 1, refused: 1, longest: time.Second,
		},
		"refused, which it may be, still": {
			atMost: time.Second, why: refused, after: time.Second, still: true, asked: 1, refused: 1, longest: time.Second,
		},
		"refused for too long": {
			atMost: time.Second, why: refused, after: 2 * time.Second, asked: 1, refused: 1, longest: 2 * time.Second,
		},
		"refused for too long by a still machine": {atMost: time.Second, why: refused, after: 2 * time.Second, still: true, excused: 1},
		"refused where nobody may be, still":      {why: refused, after: 1, still: true, excused: 1},
		"refused oddly by a still machine":        {atMost: time.Second, why: errOdd, after: 1, still: true, excused: 1},
		"a false answer":                          {wrong: errFalse, asked: 1, wantWrong: true},
		"a false answer of a still machine":       {wrong: errFalse, still: true, asked: 1, wantWrong: true},
	} {
		t.Run(name, func(t *testing.T) {
			l := &load{atMost: tc.atMost, disturbed: func(time.Time, time.Time) bool { return tc.still }}
			l.ended(tc.wrong, tc.why, start, start.Add(tc.after))
			if int(l.asked.Load()) != tc.asked || l.excused != tc.excused || l.refused != tc.refused || l.longest != tc.longest ||
				(l.wrong != nil) != tc.wantWrong {
				t.Errorf("asked %d, excused %d, refused %d, longest %s, wrong %v", l.asked.Load(), l.excused, l.refused, l.longest, l.wrong)
			}
		})
	}
}

// TestLoadForgetsNoOddRefusal: an odd refusal that a still machine excuses stays one, whatever refuses the question after it.
func TestLoadForgetsNoOddRefusal(t *testing.T) {
	answers := []error{errOdd, errors.New("connection refused"), nil}
	l := &load{atMost: time.Hour, disturbed: func(time.Time, time.Time) bool { return true }}
	l.one(t.Context(), func(context.Context) error {
		answer := answers[0]
		answers = answers[1:]
		return answer
	})
	if l.excused != 1 || l.asked.Load() != 0 {
		t.Errorf("excused %d, asked %d, want 1 and 0", l.excused, l.asked.Load())
	}
}

// TestInTries: what stays inconclusive never passes.
func TestInTries(t *testing.T) {
	for name, tc := range map[string]struct {
		conclusive, tries, settled int
		want                       bool
	}{
		"at once":     {conclusive: 1, tries: 1, want: true},
		"at the last": {conclusive: machine.Tries, tries: machine.Tries, settled: machine.Tries - 1, want: true},
		"never":       {conclusive: machine.Tries + 1, tries: machine.Tries, settled: machine.Tries - 1},
	} {
		t.Run(name, func(t *testing.T) {
			tries, settled := 0, 0
			got := inTries(func() bool { tries++; return tries == tc.conclusive }, func() { settled++ })
			if got != tc.want || tries != tc.tries || settled != tc.settled {
				t.Errorf("%v after %d tries and %d pauses, want %v after %d and %d", got, tries, settled, tc.want, tc.tries, tc.settled)
			}
		})
	}
}
