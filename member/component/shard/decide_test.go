package shard

import (
	"testing"
	"time"
)

func TestDecide(t *testing.T) {
	tests := map[string]struct {
		in   Input
		want Step
	}{
		"nobody names anybody":                  {Input{Self: DefaultID}, Take},
		"a new one, and another is wanted":      {Input{Self: DefaultID, Wanted: "b"}, Rest},
		"its own":                               {Input{Self: "b", Wanted: "b", Owner: "b"}, Act},
		"its own, by default":                   {Input{Self: DefaultID, Owner: DefaultID}, Act},
		"another is wanted and has not asked":   {Input{Self: "a", Wanted: "b", Owner: "a"}, Act},
		"another is wanted and has asked":       {Input{Self: "a", Wanted: "b", Owner: "a", Next: "b"}, HandOver},
		"one asked that is no longer wanted":    {Input{Self: "a", Wanted: "a", Owner: "a", Next: "b"}, Act},
		"one asked, and a third is wanted":      {Input{Self: "a", Wanted: "c", Owner: "a", Next: "b"}, Act},
		"wanted, and another owns it":           {Input{Self: "b", Wanted: "b", Owner: "a"}, Ask},
		"wanted, asked by an earlier one":       {Input{Self: "b", Wanted: "b", Owner: "a", Next: "c"}, Ask},
		"wanted, asked":                         {Input{Self: "b", Wanted: "b", Owner: "a", Next: "b"}, Wait},
		"wanted, and the owner is dead":         {Input{Self: "b", Wanted: "b", Owner: "a", Next: "b", Dead: true}, Take},
		"the owner is dead, and a third wanted": {Input{Self: "b", Wanted: "c", Owner: "a", Dead: true}, Rest},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			tc.in.Fresh = true
			if have := Decide(tc.in); have != tc.want {
				t.Errorf("%s, want %s", have, tc.want)
			}
			tc.in.Fresh = false
			if have := Decide(tc.in); have != Stop {
				t.Errorf("with an old Lease of its own: %s", have)
			}
		})
	}
}

func TestLeases(t *testing.T) {
	start := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	lease := func(stamp string, length int) Lease {
		return Lease{Stamp: stamp, Renewed: start, Length: time.Duration(length) * time.Second}
	}
	if own := lease("a", 15); !own.Fresh(at(14)) || own.Fresh(at(15)) || (Lease{}).Fresh(at(0)) {
		t.Error("the own Lease holds for its length, and none holds not at all")
	}
	seen := Observed{}
	if seen.Dead("a", at(1000)) {
		t.Error("dead though nobody looked")
	}
	// A Lease that is old by its own words was seen only now: another's clock may be hours away.
	seen.See("a", lease("1", 15), 0, at(1000))
	if seen.Dead("a", at(1029)) || !seen.Dead("a", at(1030)) {
		t.Error("dead after twice its length, and no earlier")
	}
	seen.See("a", lease("2", 15), 0, at(1029))
	if seen.Dead("a", at(1058)) {
		t.Error("dead though it was renewed")
	}
	seen.See("none", Lease{}, 15*time.Second, at(0))
	seen.See("none", Lease{}, 15*time.Second, at(29))
	if seen.Dead("none", at(29)) || !seen.Dead("none", at(30)) {
		t.Error("one without a Lease is dead after twice the length that is believed")
	}
	seen.See("back", lease("3", 0), 0, at(0))
	if seen.Dead("back", at(3)) || !seen.Dead("back", at(4)) {
		t.Error("one that gave its Lease back is dead after a moment")
	}
}
