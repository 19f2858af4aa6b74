package plan

import (
	"fmt"
	"slices"
	"strings"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// Strays are the clusters a federated application came from and was scheduled away from since, because they are being unjoined,
// say. Karmada preserves what it deschedules: pods may run on there that nobody counts.
func Strays(world World) []string {
	world = world.ruled()
	j := begin(world)
	binding := world.Control.Bindings[j.workload()]
	if world.Entry == nil || world.Status.Phase != v1alpha1.PhaseFederated || binding == nil {
		return nil
	}
	return slices.DeleteFunc(j.names(), func(name string) bool {
		return slices.ContainsFunc(binding.Spec.Clusters, func(target workv1alpha2.TargetCluster) bool { return target.Name == name })
	})
}

// leftBehind counts the pods that run on where the federation no longer manages them.
func (j *journey) leftBehind() string {
	var found []string
	for _, name := range Strays(j.World) {
		user := policy.User(j.workload())
		switch cluster := j.Clusters[name]; {
		case cluster.Unreachable != "":
			found = append(found, fmt.Sprintf("%s was scheduled away from cluster %s, and whether its pods run on there is unknown: "+
				"cluster %s does not answer (%s)", user, name, name, cluster.Unreachable))
		case len(cluster.Pods) > 0:
			remedy := "put the cluster back into its policy"
			if cluster.Leaving {
				remedy = "let the application leave before the cluster is gone"
			}
			found = append(found, fmt.Sprintf("%d pods of %s run on in cluster %s, which it was scheduled away from: "+
				"nobody manages or counts them; scale it down there by hand, or %s", len(cluster.Pods), user, name, remedy))
		}
	}
	return strings.Join(found, "; ")
}
