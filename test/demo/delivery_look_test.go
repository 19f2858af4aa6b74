package demo

import (
	"testing"

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
