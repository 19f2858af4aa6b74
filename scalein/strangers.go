package scalein

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

// gatherStrangers asks for named pods that are not among the workload's: whose they are, or in which other member they run. It
// only makes a refusal say more, so what cannot be read is left out.
func (r *Reconciler) gatherStrangers(ctx context.Context, seen *gathered) {
	seen.strangers, seen.astray = map[v1alpha1.PodReference]string{}, map[v1alpha1.PodReference]string{}
	lost := slices.DeleteFunc(slices.Clone(seen.order.Spec.Pods), seen.runs)
	if len(lost) == 0 {
		return
	}
	clusters := seen.binding.clusters
	found := make([]map[string]*corev1.Pod, len(clusters))
	workqueue.ParallelizeUntil(ctx, sideBySide, len(clusters), func(i int) { found[i] = r.podsNamed(ctx, seen, clusters[i].name, lost) })
	for _, ref := range lost {
		for i, cluster := range clusters {
			pod := found[i][ref.Name]
			switch {
			case pod == nil:
			case ref.Cluster == "" || ref.Cluster == cluster.name:
				owner := podFacts(pod).ownerName
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

// podsNamed are those of a cluster. One that does not answer is not asked for the next.
func (r *Reconciler) podsNamed(ctx context.Context, seen *gathered, cluster string, refs []v1alpha1.PodReference) map[string]*corev1.Pod {
	api, err := r.members.Client(ctx, cluster)
	if err != nil {
		return nil
	}
	out := map[string]*corev1.Pod{}
	for _, ref := range refs {
		p := &corev1.Pod{}
		if err := api.Get(ctx, client.ObjectKey{Namespace: seen.order.Namespace, Name: ref.Name}, p); err == nil {
			out[ref.Name] = p
		} else if !apierrors.IsNotFound(err) {
			return out
		}
	}
	return out
}
