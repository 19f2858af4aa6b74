package decide

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Counts are replicas by cluster.
type Counts map[string]int32

// Sum of all clusters.
func (c Counts) Sum() int32 {
	var sum int32
	for _, n := range c {
		sum += n
	}
	return sum
}

// String writes counts as the ledger has them: "member1=9,member2=5", by name.
func (c Counts) String() string {
	parts := make([]string, 0, len(c))
	for _, name := range slices.Sorted(maps.Keys(c)) {
		parts = append(parts, fmt.Sprintf("%s=%d", name, c[name]))
	}
	return strings.Join(parts, ",")
}

// ParseCounts reads a ledger. An unreadable one, edited by hand, counts as none: the books are then written anew.
func ParseCounts(s string) Counts {
	if s == "" {
		return nil
	}
	out := Counts{}
	for part := range strings.SplitSeq(s, ",") {
		name, number, ok := strings.Cut(part, "=")
		n, err := strconv.ParseInt(number, 10, 32)
		if !ok || err != nil || name == "" || n < 0 {
			return nil
		}
		out[name] = int32(n)
	}
	return out
}

// sameClusters reports whether two results name the same clusters.
func sameClusters(a, b Counts) bool {
	if len(a) != len(b) {
		return false
	}
	for name := range a {
		if _, ok := b[name]; !ok {
			return false
		}
	}
	return true
}
