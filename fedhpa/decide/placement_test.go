package decide

import (
	"testing"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// bursting is two small clusters, and two empty ones beside them.
func bursting(change func(*model)) *model {
	spec := limits(2, 40)
	spec.Distribution = &api.Distribution{
		Clusters: []api.ClusterDistribution{{Name: "m3", Role: api.ClusterRoleStandby}, {Name: "m4", Role: api.ClusterRoleStandby}},
	}
	m := newModel(spec, Counts{"m1": 2, "m2": 2})
	m.members["m1"].free, m.members["m2"].free = 5, 5
	m.members["m3"] = &memberModel{ready: true, free: 10}
	m.members["m4"] = &memberModel{ready: true, free: 50}
	for name, region := range map[string]string{"m1": "north", "m2": "north", "m3": "north", "m4": "south"} {
		m.members[name].region = region
	}
	change(m)
	return m
}

// TestWakesWithinRegions: with one region allowed the standby of another one is not woken, however much room it has.
func TestWakesWithinRegions(t *testing.T) {
	for name, tc := range map[string]struct {
		regions Spread
		want    string
	}{
		"one region":  {Spread{MaxGroups: 1}, "m3"},
		"two regions": {Spread{MaxGroups: 2}, "m4"},
		"any":         {Spread{}, "m4"},
	} {
		t.Run(name, func(t *testing.T) {
			m := bursting(func(m *model) { m.regions = tc.regions })
			mustSettle(t, m)
			m.members["m1"].load, m.members["m2"].load, m.members["m3"].load, m.members["m4"].load = 9, 9, 5, 5
			mustSettle(t, m)
			if !m.members[tc.want].exists {
				t.Errorf("%s was not woken: %s", tc.want, m.binding.clusters)
			}
			if tc.want == "m3" && m.members["m4"].exists {
				t.Errorf("m4 is in another region: %s", m.binding.clusters)
			}
		})
	}
}

// TestEmptiesWithinRegions: the last cluster of a region that the placement demands stays.
func TestEmptiesWithinRegions(t *testing.T) {
	m := bursting(func(m *model) { m.regions = Spread{MinGroups: 2, MaxGroups: 2} })
	mustSettle(t, m)
	m.members["m1"].load, m.members["m2"].load, m.members["m3"].load, m.members["m4"].load = 9, 9, 5, 5
	mustSettle(t, m)
	for _, member := range m.members {
		member.load = 1
	}
	for range 30 {
		mustSettle(t, m)
	}
	if !m.members["m4"].exists {
		t.Errorf("the only one in the south was emptied: %s", m.binding.clusters)
	}
}

// TestOverflowsInOrder: an overflow of the placement is a standby, woken in the placement's order, whatever room the later one has, and
// emptied from the last.
func TestOverflowsInOrder(t *testing.T) {
	m := bursting(func(m *model) {
		m.spec.Distribution = nil
		m.members["m3"].tier, m.members["m4"].tier = 1, 2
	})
	mustSettle(t, m)
	if m.members["m3"].exists || m.members["m4"].exists {
		t.Fatalf("an overflow runs without need: %s", m.binding.clusters)
	}
	m.members["m1"].load, m.members["m2"].load, m.members["m3"].load, m.members["m4"].load = 9, 9, 2, 2
	mustSettle(t, m)
	if !m.members["m3"].exists || m.members["m4"].exists {
		t.Fatalf("the first overflow is to be used first: %s", m.binding.clusters)
	}
	m.members["m3"].load = 10
	mustSettle(t, m)
	if !m.members["m4"].exists {
		t.Fatalf("the first overflow is full: %s", m.binding.clusters)
	}
	m.members["m1"].load, m.members["m2"].load, m.members["m3"].load, m.members["m4"].load = 2, 2, 1, 1
	mustSettle(t, m)
	for range 30 {
		mustSettle(t, m)
	}
	if m.members["m3"].exists || m.members["m4"].exists {
		t.Errorf("an overflow is kept: %s", m.binding.clusters)
	}
}

// TestFewerRegionsAllowed: a policy that comes to allow fewer regions than are used is followed, also where a tool pushed a lower count at
// the same moment: what the scheduler takes away then is no mistake to be put right.
func TestFewerRegionsAllowed(t *testing.T) {
	m := newModel(limits(1, 30), Counts{"m1": 2, "m2": 2})
	m.members["m1"].region, m.members["m2"].region = "north", "south"
	mustSettle(t, m)
	m.regions = Spread{MaxGroups: 1}
	m.template.Replicas, m.webhook = 3, false
	m.detect()
	m.read()
	m.write()
	m.webhook = true
	if got := m.binding.clusters.String(); got != (Counts{"m1": 3}).String() {
		t.Fatalf("the scheduler of the model gave %s", got)
	}
	mustSettle(t, m)
	if m.members["m2"].exists {
		t.Errorf("m2 is in a second region: %s", m.binding.clusters)
	}
}
