package pools

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/pool"
)

// gather the Servers that have to do with the pool.
func (r *Reconciler) gather(ctx context.Context, key Key) (pool.Input, error) {
	out := pool.Input{Key: pool.Key{Driver: key.Driver, Pool: key.Pool}, MaxUnhealthy: map[string]intstr.IntOrString{}, Now: r.Clock.Now()}
	list := &v1alpha1.ServerList{}
	if err := r.cache.List(ctx, list, client.InNamespace(key.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return out, fmt.Errorf("listing the Servers of a pool: %w", err)
	}
	named := map[string]bool{}
	for i := range list.Items {
		if server := &list.Items[i]; slices.Contains(pool.Keys(server), out.Key) {
			out.Servers = append(out.Servers, server.DeepCopy())
			named[server.Labels[v1alpha1.LabelSet]] = true
		}
	}
	all := &v1alpha1.VMReplicaSetList{}
	if err := r.cache.List(ctx, all, client.InNamespace(key.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return out, fmt.Errorf("listing the sets of a pool: %w", err)
	}
	for i := range all.Items {
		if set := &all.Items[i]; named[set.Name] && set.Spec.Failover.MaxUnhealthy != nil {
			out.MaxUnhealthy[set.Name] = *set.Spec.Failover.MaxUnhealthy
		}
	}
	return out, nil
}
