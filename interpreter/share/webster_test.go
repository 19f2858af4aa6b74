package share

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"pgregory.net/rapid"
)

// clusters named member1, member2 ... with these replicas.
func clusters(replicas ...int32) []workv1alpha2.TargetCluster {
	var out []workv1alpha2.TargetCluster
	for i, n := range replicas {
		out = append(out, workv1alpha2.TargetCluster{Name: fmt.Sprintf("member%d", i+1), Replicas: n})
	}
	return out
}

func TestWebster(t *testing.T) {
	for name, tc := range map[string]struct {
		n        int32
		replicas []int32
		floor    int32
		want     []int32
	}{
		"one of ten goes to the largest":        {n: 1, replicas: []int32{4, 3, 3}, want: []int32{1, 0, 0}},
		"a tie goes to the first name":          {n: 1, replicas: []int32{3, 3, 3}, want: []int32{1, 0, 0}},
		"two of a tie of three":                 {n: 2, replicas: []int32{3, 3, 3}, want: []int32{1, 1, 0}},
		"all":                                   {n: 10, replicas: []int32{4, 3, 3}, want: []int32{4, 3, 3}},
		"none":                                  {n: 0, replicas: []int32{4, 3, 3}, want: []int32{0, 0, 0}},
		"no clusters":                           {n: 3, want: []int32{}},
		"no replicas anywhere":                  {n: 3, replicas: []int32{0, 0}, want: []int32{0, 0}},
		"a floor of one takes from the largest": {n: 10, replicas: []int32{100, 1, 1}, floor: 1, want: []int32{8, 1, 1}},
		"floors above the number":               {n: 2, replicas: []int32{5, 5, 5}, floor: 1, want: []int32{1, 1, 1}},
		"no floor without replicas":             {n: 2, replicas: []int32{5, 0}, floor: 1, want: []int32{2, 0}},
		"the largest claims the last one above its quota": {n: 21, replicas: []int32{7270, 1230, 2220}, want: []int32{15, 2, 4}},
		"numbers as large as the type": {
			n: 1 << 30, replicas: []int32{1<<31 - 1, 1<<31 - 1, 1<<31 - 1, 1<<31 - 1}, want: []int32{1 << 28, 1 << 28, 1 << 28, 1 << 28},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Webster(tc.n, clusters(tc.replicas...), tc.floor)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestWebsterProperties holds for any division: the sum is exact, none gets more than its replicas, none can claim
// another's last one (the method's definition), and one more to divide takes from none.
func TestWebsterProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		over := clusters(rapid.SliceOfN(rapid.Int32Range(0, 500), 1, 20).Draw(t, "replicas")...)
		var total int32
		for _, c := range over {
			total += c.Replicas
		}
		n := rapid.Int32Range(0, total).Draw(t, "n")
		seats := Webster(n, over, 0)
		var sum int32
		for i, s := range seats {
			sum += s
			if s < 0 || s > over[i].Replicas {
				t.Fatalf("%s has %d replicas and got %d", over[i].Name, over[i].Replicas, s)
			}
			for j := range seats {
				if seats[j] > 0 && int64(over[i].Replicas)*(2*int64(seats[j])-1) > int64(over[j].Replicas)*(2*int64(s)+1) {
					t.Fatalf("%v over %v: %s has a stronger claim to one of %s", seats, over, over[i].Name, over[j].Name)
				}
			}
		}
		if sum != n {
			t.Fatalf("%v sums to %d, not %d", seats, sum, n)
		}
		if n == total {
			return
		}
		for i, more := range Webster(n+1, over, 0) {
			if more < seats[i] {
				t.Fatalf("%s loses one when there is one more to divide: %v", over[i].Name, seats)
			}
		}
	})
}
