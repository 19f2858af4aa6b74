package plan

import (
	"slices"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// whole refuses to let a cluster drop out of what Karmada holds. Without it in the placement Karmada would delete
// its Work, and write the stored manifest over whatever its owners released there meanwhile; where the object is
// missing the deletion would wait, and strike when somebody puts it back.
func (j *journey) whole() outcome {
	for _, resource := range j.federated() {
		// On the way in, what is gone everywhere just stays suspended.
		if j.Entry != nil && len(resource.Clusters) == 0 {
			continue
		}
		for _, name := range sortedKeys(j.Clusters) {
			work := j.Clusters[name].Works[resource.ResourceReference]
			user := policy.User(resource.ResourceReference)
			switch {
			case slices.Contains(resource.Clusters, name) || !j.reaches(resource, name):
			case work.Deleting:
				return j.block(v1alpha1.ReasonClusterDropped,
					"Karmada is deleting the Work of %s for cluster %s, and will write its stored manifest there: wait until it is gone", user, name)
			case j.live(name, resource.ResourceReference) == nil && j.Clusters[name].Unreachable == "" && slices.Contains(j.candidates(), name):
				return j.block(v1alpha1.ReasonClusterDropped,
					"%s is missing in cluster %s, which Karmada would write it to: put it back there; to be rid of it there, let the application leave "+
						"('argosyctl migration rollback', then 'leave') before you remove it", user, name)
			default:
				return j.block(v1alpha1.ReasonClusterDropped,
					"Karmada has %s for cluster %s as well, and dropping that cluster would write a stale manifest there: put it back into the "+
						"whitelist's entry, or let the application leave ('argosyctl migration rollback', then 'leave') and list it anew", user, name)
			}
		}
	}
	return proceed
}

// reaches says whether Karmada has, or is about to make, a Work of an object for a cluster.
func (j *journey) reaches(resource v1alpha1.ResourceStatus, cluster string) bool {
	if _, exists := j.Clusters[cluster].Works[resource.ResourceReference]; exists {
		return true
	}
	if binding := j.Control.Bindings[resource.ResourceReference]; binding != nil {
		for _, target := range binding.Spec.Clusters {
			if target.Name == cluster {
				return true
			}
		}
	}
	existing := j.Control.Policies[resource.Policy]
	return existing != nil && existing.Spec.Placement.ClusterAffinity != nil &&
		slices.Contains(existing.Spec.Placement.ClusterAffinity.ClusterNames, cluster)
}
