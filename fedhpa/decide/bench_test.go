package decide

import (
	"fmt"
	"testing"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// BenchmarkDecide: one look at a FedHPA of a hundred clusters, half of which are empty and may be woken, one region at most three.
func BenchmarkDecide(b *testing.B) {
	spec, running := limits(60, 5000), Counts{}
	spec.Distribution = &api.Distribution{}
	for i := range 50 {
		running[fmt.Sprintf("member%03d", i)] = 10
		spec.Distribution.Clusters = append(spec.Distribution.Clusters,
			api.ClusterDistribution{Name: fmt.Sprintf("spare%03d", i), Role: api.ClusterRoleStandby})
	}
	m := newModel(spec, running)
	m.regions = Spread{MinGroups: 1, MaxGroups: 60}
	for i := range 50 {
		m.members[fmt.Sprintf("spare%03d", i)] = &memberModel{ready: true, free: 20, region: fmt.Sprintf("region%d", i%7)}
	}
	if err := m.settle(); err != nil {
		b.Fatal(err)
	}
	w := m.world()
	for b.Loop() {
		Decide(w)
	}
}
