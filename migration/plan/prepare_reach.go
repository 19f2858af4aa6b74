package plan

import (
	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// reach needs an answer from every cluster the application may be in: silence is not absence.
func (j *journey) reach() outcome {
	for _, name := range j.candidates() {
		cluster := j.Clusters[name]
		switch {
		case !cluster.Joined && (j.Entry != nil || !cluster.Leaving):
			return j.block(v1alpha1.ReasonClusterUnknown,
				"cluster %s is not joined to the federation: join it with 'karmadactl join %s' or correct the whitelist's entry", name, name)
		case cluster.Unreachable != "":
			return j.block(v1alpha1.ReasonClusterUnreachable, "cluster %s does not answer (%s): nothing is decided until it does", name,
				cluster.Unreachable)
		}
	}
	return proceed
}

// candidates are the clusters the application may be in: those its entry names and those it was spread to since, those the record names on
// the way out, else every joined one.
func (j *journey) candidates() []string {
	switch {
	case j.Entry != nil && len(j.Entry.Clusters) > 0:
		named := set(j.Entry.Clusters...)
		for _, cluster := range j.next.Clusters {
			if cluster.Spread && j.reaches(v1alpha1.ResourceStatus{
				ResourceReference: j.workload(), Policy: policy.Name(j.Spec.Kind, j.Spec.Name),
			}, cluster.Name) {
				named[cluster.Name] = true
			}
		}
		return sortedKeys(named)
	case j.Entry == nil:
		return j.everywhere()
	}
	var names []string
	for _, name := range sortedKeys(j.Clusters) {
		if j.Clusters[name].Joined {
			names = append(names, name)
		}
	}
	return names
}

// everywhere are the clusters on record and those that Karmada reaches: a federated application may have
// been scheduled to others than it came from.
func (j *journey) everywhere() []string {
	seen := set(j.names()...)
	for _, resource := range j.federated() {
		for name := range j.Clusters {
			if len(resource.Users) < 2 && j.reaches(resource, name) {
				seen[name] = true
			}
		}
	}
	return sortedKeys(seen)
}
