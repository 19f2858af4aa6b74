package plan

import (
	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// journey is one pass over the steps: the world as it was read, which nobody writes, and the record that comes of it.
type journey struct {
	World
	record
	// resources of the application, authored from what the members hold by the step discover.
	resources []policy.Resource
}

// begin a pass where the last one ended.
func begin(world World) *journey {
	return &journey{World: world, record: record{now: world.Now, next: *world.Status.DeepCopy()}}
}

// open says whether a resource may be dispatched to a cluster: this application is open there, and so is
// every other that shares the resource and runs there. Somebody who uses it and has no Migration is static.
func (j *journey) open(users []string, cluster string) bool {
	status := j.clusterStatus(cluster)
	switch {
	case status == nil && len(users) < 2:
		// The workload has left that cluster: what stayed behind there is nobody's, and is not written again.
		return false
	case status != nil && status.State == v1alpha1.ClusterSuspended:
		return false
	}
	self := policy.User(j.workload())
	for _, user := range users {
		if user == self {
			continue
		}
		neighbour, known := j.Neighbours[user]
		if !known {
			return false
		}
		if open, runs := neighbour.Clusters[cluster]; runs && !open {
			return false
		}
	}
	return true
}
