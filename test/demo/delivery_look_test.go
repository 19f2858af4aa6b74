package demo

import (
	"errors"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"
)

// TestAway: a member whose servers are all away counts them, and one that never had any counts none.
func TestAway(t *testing.T) {
	seen := &traffic{members: sets.Set[string]{}}
	for i, step := range []struct {
		pools map[string][]string
		want  string
	}{
		{map[string][]string{"member1": {"a", "b"}, "member2": {"c", "d"}}, "at most 1"},
		{map[string][]string{"member1": {"a"}, "member2": {"c", "d"}}, "at most 1"},
		{map[string][]string{"member2": {"c", "d"}}, "at most 2"},
		{map[string][]string{"member1": {"a", "b"}, "member2": {"c", "d"}}, "at most 2"},
	} {
		seen.saw(step.pools, 2)
		if have, err := seen.away(t.Context()); err != nil || have != step.want {
			t.Errorf("step %d: %s, %v; want %s", i, have, err, step.want)
		}
	}
}

// TestLost: a request that fails is lost, but for one whose customer was kept from asking until the server had drained; and where nobody
// was answered, that none was lost is not said.
func TestLost(t *testing.T) {
	const excused = ", and 1 are not counted: this machine stood still between looking whom to ask and asking."
	seen := &traffic{}
	for i, step := range []struct {
		err           error
		after         time.Duration
		lost, counted string
	}{
		{errors.New("refused"), drained, "nobody was answered", "Customers asked 1 times: 0 were answered, 0 lost" + excused},
		{nil, 0, "none", "Customers asked 2 times: 1 were answered, 0 lost" + excused},
		{errors.New("refused"), drained - 1, "1, the first: refused", "Customers asked 3 times: 1 were answered, 1 lost" + excused},
	} {
		seen.took(step.err, step.after)
		if have, err := seen.lost(t.Context()); err != nil || have != step.lost {
			t.Errorf("step %d: %s, %v; want %s", i, have, err, step.lost)
		}
		if have := seen.counted(); have != step.counted {
			t.Errorf("step %d:\n%s, want\n%s", i, have, step.counted)
		}
	}
	if have := (&traffic{served: 3}).counted(); have != "Customers asked 3 times: 3 were answered, 0 lost." {
		t.Error(have)
	}
}
