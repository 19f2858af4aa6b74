package hook

import (
	"context"
	"errors"
	"net/http"

	"github.com/argosy-dev/argosy/interpreter"
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

// whole marks the members of a workload that gives each of them all its replicas. Of one member there is no difference, and where
// nobody divides nobody knows; where it cannot be read, Karmada asks again.
func (e *exchange) whole(ctx context.Context, q interpreter.Question) error {
	if len(q.Members) < 2 {
		return nil
	}
	duplicated, err := e.Divider.Duplicated(ctx, q.Object)
	if errors.Is(err, errNoBinding) {
		return nil
	}
	if err != nil {
		return refuse(http.StatusServiceUnavailable, "aggregating the members' statuses: %v", err)
	}
	for i := range q.Members {
		q.Members[i].Whole = duplicated
	}
	return nil
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
