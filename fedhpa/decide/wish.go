package decide

import (
	"slices"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/split"
)

// Asked is a division as the user asks for it, in which no cluster takes part yet.
func Asked(limits split.Range, uid string, spec api.FedHPASpec) split.Input {
	in := split.Input{Min: limits.Min, Max: limits.Max, Seed: uid}
	if dist := spec.Distribution; dist != nil {
		in.WeightedMin = slices.ContainsFunc(dist.Clusters, func(c api.ClusterDistribution) bool { return c.Weight != nil })
	}
	return in
}

// Wished is a cluster as the user wishes it to take part.
func Wished(spec api.FedHPASpec, name string) split.Cluster {
	wish := wishOf(spec, name)
	c := split.Cluster{
		Name: name, Weight: 1, Standby: wish.Role == api.ClusterRoleStandby, Least: deref(wish.MinReplicas), Most: deref(wish.MaxReplicas),
	}
	if wish.Weight != nil {
		c.Weight = int64(*wish.Weight)
	}
	return c
}

// wishOf is the user's wish for one cluster.
func wishOf(spec api.FedHPASpec, name string) api.ClusterDistribution {
	if dist := spec.Distribution; dist != nil {
		for _, c := range dist.Clusters {
			if c.Name == name {
				return c
			}
		}
	}
	return api.ClusterDistribution{Name: name}
}

// distribution is the user's wish for one cluster.
func (d *decision) distribution(name string) api.ClusterDistribution { return wishOf(d.w.Spec, name) }
