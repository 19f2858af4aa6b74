package nemesis

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCoverMeetsEveryPair(t *testing.T) {
	t.Parallel()
	for size, most := range map[int]int{2: 78, 3: 32, 5: 14, 13: 1, 20: 1} {
		sets := Cover(All(), size)
		if len(sets) > most {
			t.Errorf("sets of %d: there are %d, and %d would do", size, len(sets), most)
		}
		if diff := cmp.Diff(sets, Cover(All(), size)); diff != "" {
			t.Errorf("sets of %d differ from one time to the next:\n%s", size, diff)
		}
		for _, set := range sets {
			if n := len(slices.Compact(slices.Sorted(slices.Values(set)))); n != min(size, len(All())) {
				t.Errorf("sets of %d: %v has %d", size, set, n)
			}
		}
		for i, one := range All() {
			for _, other := range All()[:i] {
				if !slices.ContainsFunc(sets, func(set []string) bool { return slices.Contains(set, one) && slices.Contains(set, other) }) {
					t.Errorf("sets of %d: %s and %s never meet", size, one, other)
				}
			}
		}
	}
}
