package whitelist

import (
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// Light is a cache's transform that keeps of a Migration what whitelists and turns are reckoned from: of ten thousand, plans, evidence and
// histories would take hundreds of megabytes. Whoever decides about an application reads it whole, past the cache. Others are kept as then
// does.
func Light(then toolscache.TransformFunc) toolscache.TransformFunc {
	return func(object any) (any, error) {
		if migration, ok := object.(*v1alpha1.Migration); ok {
			migration.Status.History = nil
			if migration.Status.Plan != nil {
				migration.Status.Plan.Resources = nil
			}
			for i := range migration.Status.Clusters {
				migration.Status.Clusters[i].Before, migration.Status.Clusters[i].After = nil, nil
			}
		}
		if then == nil {
			return object, nil
		}
		return then(object)
	}
}
