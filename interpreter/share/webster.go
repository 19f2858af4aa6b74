package share

import (
	"slices"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
)

// Webster divides n things over clusters in proportion to their replicas (the method of Webster, or Sainte-Laguë, by
// which Karmada divides replicas too; Balinski and Young, "Fair Representation", 1982). Every cluster with replicas
// gets at least floor. A tie goes to the name that sorts first, so the same question has the same answer always.
//
// The sum is n exactly, except where the floors alone come to more, or no cluster has replicas.
func Webster(n int32, clusters []workv1alpha2.TargetCluster, floor int32) []int32 {
	return Atop(n, clusters, slices.Repeat([]int32{floor}, len(clusters)))
}

// Atop is Webster where each cluster has a floor of its own.
func Atop(n int32, clusters []workv1alpha2.TargetCluster, floors []int32) []int32 {
	seats := make([]int32, len(clusters))
	var total uint64
	var sum int64
	for i := range clusters {
		total += weight(clusters, i)
	}
	if total == 0 {
		return seats
	}
	// Start at the rounded quota, which is the method's answer for a number near n, and step to n.
	for i := range clusters {
		if w := weight(clusters, i); w > 0 {
			seats[i] = max(floors[i], int32((2*uint64(n)*w+total)/(2*total)))
		}
		sum += int64(seats[i])
	}
	for ; sum < int64(n); sum++ {
		seats[next(clusters, seats)]++
	}
	for ; sum > int64(n); sum-- {
		i := last(clusters, seats, floors)
		if i < 0 {
			break
		}
		seats[i]--
	}
	return seats
}

// next is the cluster with the strongest claim to one more: the largest replicas/(2*seats+1).
func next(clusters []workv1alpha2.TargetCluster, seats []int32) int {
	best := 0
	for i := range clusters {
		left := weight(clusters, i) * (2*uint64(seats[best]) + 1)
		right := weight(clusters, best) * (2*uint64(seats[i]) + 1)
		if left > right || left == right && clusters[i].Name < clusters[best].Name {
			best = i
		}
	}
	return best
}

// last is the cluster with the weakest claim to what it has: the smallest replicas/(2*seats-1); -1 when every one is
// at its floor.
func last(clusters []workv1alpha2.TargetCluster, seats, floors []int32) int {
	worst := -1
	for i := range clusters {
		if seats[i] <= floors[i] || seats[i] == 0 {
			continue
		}
		if worst < 0 {
			worst = i
			continue
		}
		left := weight(clusters, i) * (2*uint64(seats[worst]) - 1)
		right := weight(clusters, worst) * (2*uint64(seats[i]) - 1)
		if left < right || left == right && clusters[i].Name > clusters[worst].Name {
			worst = i
		}
	}
	return worst
}

// weight is a cluster's replicas, wide enough that products of two of them do not overflow.
func weight(clusters []workv1alpha2.TargetCluster, i int) uint64 {
	return uint64(max(0, clusters[i].Replicas))
}
