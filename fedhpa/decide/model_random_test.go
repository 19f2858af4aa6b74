package decide

import (
	"maps"
	"slices"

	"pgregory.net/rapid"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// places are all clusters a random model may have.
var places = []string{"m1", "m2", "m3", "m4"}

// randomModel is one to three clusters in one or two regions, perhaps with a standby in a region of its own or in theirs, of which the
// placement allows so many.
func randomModel(t *rapid.T) *model {
	spec := limits(rapid.Int32Range(1, 6).Draw(t, "min"), 30)
	clusters := Counts{}
	for _, name := range places[:rapid.IntRange(1, 3).Draw(t, "members")] {
		clusters[name] = rapid.Int32Range(1, 8).Draw(t, "runs")
	}
	standby := rapid.Bool().Draw(t, "standby")
	if standby {
		spec.Distribution = &api.Distribution{Clusters: []api.ClusterDistribution{{Name: "m4", Role: api.ClusterRoleStandby}}}
	}
	m := newModel(spec, clusters)
	m.webhook = rapid.Bool().Draw(t, "webhook")
	if standby {
		m.members["m4"] = &memberModel{ready: true}
	}
	for _, name := range slices.Sorted(maps.Keys(m.members)) {
		// Little room, for a standby to be needed.
		m.members[name].free = rapid.Int32Range(4, 40).Draw(t, "free")
		m.members[name].region = rapid.SampledFrom([]string{"north", "south"}).Draw(t, "region")
	}
	m.regions = rapid.SampledFrom([]Spread{{}, {MaxGroups: 1}, {MinGroups: 1, MaxGroups: 2}, {MinGroups: 2, MaxGroups: 2}}).Draw(t, "regions")
	return m
}

// befalls does one random thing to one member, or lets time go on.
func (m *model) befalls(t *rapid.T) {
	member := m.members[rapid.SampledFrom(places).Draw(t, "who")]
	there := member != nil
	switch {
	case rapid.IntRange(0, 9).Draw(t, "what") == 0 && there:
		member.load = rapid.Int32Range(0, 30).Draw(t, "load")
	case rapid.IntRange(0, 19).Draw(t, "push") == 0 && m.template.Retain:
		m.template.Replicas = max(m.template.Replicas+rapid.Int32Range(-2, 2).Draw(t, "by"), 1)
		m.version++
	case rapid.IntRange(0, 29).Draw(t, "away") == 0 && there:
		member.ready = !member.ready
	case rapid.IntRange(0, 29).Draw(t, "ill") == 0 && there:
		member.ill = !member.ill
	case rapid.IntRange(0, 39).Draw(t, "rebalance") == 0 && m.owned():
		m.rebalancer()
	case rapid.IntRange(0, 29).Draw(t, "held") == 0 && there:
		member.held = !member.held
	case rapid.IntRange(0, 29).Draw(t, "by hand") == 0 && there && member.hpa != nil:
		member.replicas = rapid.Int32Range(1, 30).Draw(t, "replicas")
	case rapid.IntRange(0, 29).Draw(t, "surge") == 0 && there:
		member.surge = rapid.Int32Range(0, 3).Draw(t, "more")
	case rapid.IntRange(0, 29).Draw(t, "mute") == 0 && there:
		member.mute, member.arrives = !member.mute, rapid.Bool().Draw(t, "arrives")
	case rapid.IntRange(0, 39).Draw(t, "rival") == 0 && there && m.owned():
		member.rival = rapid.Int32Range(0, 4).Draw(t, "least")
	default:
		m.step(t)
	}
}

// regionsOf are the regions of clusters, sorted.
func (m *model) regionsOf(clusters Counts) []string {
	var out []string
	for name := range clusters {
		if region := m.members[name].region; !slices.Contains(out, region) {
			out = append(out, region)
		}
	}
	slices.Sort(out)
	return out
}

// allowed is the scheduler's choice of regions: those that are used, then others, as many as it may.
func (m *model) allowed(name string, used Counts) bool {
	if m.regions.MaxGroups == 0 {
		return true
	}
	regions := m.regionsOf(used)
	for _, other := range slices.Sorted(maps.Keys(m.members)) {
		if region := m.members[other].region; !slices.Contains(regions, region) {
			regions = append(regions, region)
		}
	}
	return slices.Contains(regions[:min(m.regions.MaxGroups, len(regions))], m.members[name].region)
}

// checkRegions: no result that is written here uses more regions than are allowed, or fewer than are demanded, where the one before did
// not.
func (m *model) checkRegions(to Counts) {
	before, after := len(m.regionsOf(m.binding.clusters)), len(m.regionsOf(to))
	switch {
	case m.regions.MaxGroups > 0 && after > max(m.regions.MaxGroups, before):
		m.fault("%d regions are used, of which the placement allows %d: %s after %s", after, m.regions.MaxGroups, to, m.binding.clusters)
	case after < min(m.regions.MinGroups, before):
		m.fault("%d regions are left, of which the placement demands %d: %s after %s", after, m.regions.MinGroups, to, m.binding.clusters)
	}
}
