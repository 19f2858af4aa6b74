package hook

import (
	"context"
	"net/http"

	"github.com/argosy-dev/argosy/interpreter/family"
)

// Clusters tell it, as package reach reads them.
//
// +kubebuilder:rbac:groups=cluster.karmada.io,resources=clusters,verbs=get;list;watch

// Members knows which of them can be asked.
type Members interface {
	// Unreachable says why a member cannot be asked; empty: it can, or nobody knows of it.
	Unreachable(ctx context.Context, cluster string) (why string, err error)
}

// reach marks the members that cannot be asked. Where that cannot be known, Karmada asks again.
func (e *exchange) reach(ctx context.Context, members []family.Member) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	for i := range members {
		if members[i].Status == nil {
			continue
		}
		why, err := e.Members.Unreachable(ctx, members[i].Cluster)
		if err != nil {
			return refuse(http.StatusServiceUnavailable, "aggregating the members' statuses: %v", err)
		}
		members[i].Unreachable = why
	}
	return nil
}
