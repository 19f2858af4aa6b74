package scalein

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

// gatherStrangers asks for named pods that are not among the workload's: whose they are, or in which other member they run. It
// only makes a refusal say more, so what cannot be read is left out.
func (r *Reconciler) gatherStrangers(ctx context.Context, seen *gathered) {
	seen.strangers, seen.astray = map[v1alpha1.PodReference]string{}, map[v1alpha1.PodReference]string{}
	for _, ref := range seen.order.Spec.Pods {
		if seen.runs(ref) {
			continue
		}
		for _, cluster := range seen.binding.clusters {
			found := r.podOf(ctx, seen, cluster.name, ref.Name)
			switch {
			case found == nil:
			case ref.Cluster == "" || ref.Cluster == cluster.name:
				owner := podFacts(found).ownerName
				if owner == "" {
					owner = "no workload"
				}
				seen.strangers[v1alpha1.PodReference{Cluster: cluster.name, Name: ref.Name}] = owner
			default:
				seen.astray[ref] = cluster.name
			}
		}
	}
}

// runs is whether the pod is one of the workload's where it is named, or that cannot be told.
func (f facts) runs(ref v1alpha1.PodReference) bool {
	for cluster, m := range f.members {
		if _, ok := m.pods[ref.Name]; (ok || m.unreachable != "") && (ref.Cluster == "" || ref.Cluster == cluster) {
			return true
		}
	}
	return false
}

func (r *Reconciler) podOf(ctx context.Context, seen *gathered, cluster, name string) *corev1.Pod {
	api, err := r.members.Client(ctx, cluster)
	if err != nil {
		return nil
	}
	p := &corev1.Pod{}
	if err := api.Get(ctx, client.ObjectKey{Namespace: seen.order.Namespace, Name: name}, p); err != nil {
		return nil
	}
	return p
}
