package fedhpa

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util"
	"github.com/karmada-io/karmada/pkg/util/names"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/decide"
	"github.com/argosy-dev/argosy/internal/mark"
)

// members reads the clusters that matter: those of the scheduling result, those with an autoscaler of ours, and those that may be woken.
func (g *gatherer) members(ctx context.Context, v *view) error {
	var clusters clusterv1alpha1.ClusterList
	if err := g.client.List(ctx, &clusters); err != nil {
		return fmt.Errorf("listing Clusters: %w", err)
	}
	byName := map[string]*clusterv1alpha1.Cluster{}
	for i := range clusters.Items {
		byName[clusters.Items[i].Name] = &clusters.Items[i]
	}
	works, err := g.autoscalers(ctx, v.key())
	if err != nil {
		return err
	}
	v.works = works
	wanted := map[string]bool{}
	for name := range works {
		wanted[name] = true
	}
	if v.binding != nil {
		for _, c := range v.binding.Spec.Clusters {
			wanted[c.Name] = true
		}
	}
	for _, c := range v.fed.Status.Clusters {
		wanted[c.Name] = true
	}
	if d := v.fed.Spec.Distribution; d != nil {
		for _, c := range d.Clusters {
			if byName[c.Name] == nil {
				v.world.UnknownClusters = append(v.world.UnknownClusters, c.Name)
			} else if c.Role == api.ClusterRoleStandby {
				wanted[c.Name] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		m, err := g.member(ctx, v, name, byName[name], works[name])
		if err != nil {
			return err
		}
		v.world.Members = append(v.world.Members, m)
	}
	g.room.fill(ctx, v, byName)
	return nil
}

// autoscalers are the Works of this FedHPA's members, by cluster.
func (g *gatherer) autoscalers(ctx context.Context, fed types.NamespacedName) (map[string]*workv1alpha1.Work, error) {
	var list workv1alpha1.WorkList
	if err := g.works.List(ctx, &list, client.MatchingFields{workOwnerIndex: fed.String()}); err != nil {
		return nil, fmt.Errorf("listing Works of FedHPA %s: %w", fed, err)
	}
	out := map[string]*workv1alpha1.Work{}
	for i := range list.Items {
		if cluster, err := names.GetClusterName(list.Items[i].Namespace); err == nil {
			out[cluster] = &list.Items[i]
		}
	}
	return out, nil
}

func (g *gatherer) member(ctx context.Context, v *view, name string, cluster *clusterv1alpha1.Cluster, work *workv1alpha1.Work) (decide.Member, error) {
	m := decide.Member{Name: name}
	if cluster != nil {
		m.Ready = cluster.DeletionTimestamp.IsZero() && util.IsClusterReady(&cluster.Status)
		m.Eligible = v.binding != nil && cluster.DeletionTimestamp.IsZero() && eligible(cluster, v.binding, v.fed)
	}
	if work != nil {
		m.HPA = autoscalerIn(work, v.fed)
	}
	if v.binding == nil {
		return m, nil
	}
	m.Held = held(v.binding.Spec.Suspension, name)
	if !v.binding.Spec.TargetContains(name) {
		return m, nil
	}
	m.Workload = workloadOf(v.binding, name)
	if work == nil {
		if err := g.joining(ctx, v, &m); err != nil {
			return m, err
		}
	}
	return m, nil
}

// held reports whether dispatching to a cluster is suspended (Karmada's shouldSuspendDispatching, pkg/controllers/binding/common.go).
func held(s *workv1alpha2.Suspension, cluster string) bool {
	return s != nil && (ptr.Deref(s.Dispatching, false) || s.DispatchingOnClusters != nil && slices.Contains(s.DispatchingOnClusters.ClusterNames, cluster))
}

// joining looks, live, at what decides whether a cluster may get its autoscaler: whether the workload's Work bears the retain
// label, and whether somebody else's Work has the autoscaler's name.
func (g *gatherer) joining(ctx context.Context, v *view, m *decide.Member) error {
	ref := v.fed.Spec.ScaleTargetRef
	space := names.GenerateExecutionSpaceName(m.Name)
	var work workv1alpha1.Work
	err := g.live.Get(ctx, types.NamespacedName{Namespace: space, Name: names.GenerateWorkName(ref.Kind, ref.Name, v.fed.Namespace)}, &work)
	switch {
	case apierrors.IsNotFound(err):
		m.Workload = nil
	case err != nil:
		return fmt.Errorf("reading the target's Work in %s: %w", space, err)
	case len(work.Spec.Workload.Manifests) == 1:
		var manifest unstructured.Unstructured
		if manifest.UnmarshalJSON(work.Spec.Workload.Manifests[0].Raw) == nil {
			m.Workload.Retained = manifest.GetLabels()[mark.RetainReplicas] == "true"
		}
	}
	// Another object: what is decoded into one that is not empty keeps the conditions of the first.
	autoscaler := &workv1alpha1.Work{}
	err = g.live.Get(ctx, workKey(m.Name, v.key()), autoscaler)
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return fmt.Errorf("reading the autoscaler's Work in %s: %w", space, err)
	default:
		m.HPA = autoscalerIn(autoscaler, v.fed)
		v.works[m.Name] = autoscaler
	}
	return nil
}

// workloadOf is the target in one member, as the binding's aggregated status shows it.
func workloadOf(binding *workv1alpha2.ResourceBinding, cluster string) *decide.Workload {
	out := &decide.Workload{}
	for _, item := range binding.Status.AggregatedStatus {
		if item.ClusterName != cluster {
			continue
		}
		out.Applied, out.Message = item.Applied, item.AppliedMessage
		var status struct {
			Replicas           int32  `json:"replicas"`
			ReadyReplicas      int32  `json:"readyReplicas"`
			UpdatedReplicas    *int32 `json:"updatedReplicas"`
			Generation         int64  `json:"generation"`
			ObservedGeneration int64  `json:"observedGeneration"`
		}
		if item.Status != nil && json.Unmarshal(item.Status.Raw, &status) == nil {
			out.Replicas, out.Ready, out.Updated = status.Replicas, status.ReadyReplicas, status.UpdatedReplicas
			// The member's own controller has seen the member's present spec.
			out.Observed = status.ObservedGeneration >= status.Generation
		}
	}
	return out
}

// eligible reports whether the placement would let the workload run in the cluster: affinity, taints, and the kind being served there.
func eligible(cluster *clusterv1alpha1.Cluster, binding *workv1alpha2.ResourceBinding, fed *api.FedHPA) bool {
	p := binding.Spec.Placement
	if p == nil {
		return false
	}
	if p.ClusterAffinity != nil && !util.ClusterMatches(cluster, *p.ClusterAffinity) {
		return false
	}
	for _, term := range p.ClusterAffinities {
		if term.AffinityName == binding.Status.SchedulerObservedAffinityName && !util.ClusterMatches(cluster, term.ClusterAffinity) {
			return false
		}
	}
	_, tainted := corev1helpers.FindMatchingUntoleratedTaint(klog.Background(), cluster.Spec.Taints, p.ClusterTolerations, func(t *corev1.Taint) bool {
		return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
	}, false) // numeric comparisons: Karmada's own filter knows none (tainttoleration/taint_toleration.go)
	ref := fed.Spec.ScaleTargetRef
	return !tainted && slices.ContainsFunc(cluster.Status.APIEnablements, func(e clusterv1alpha1.APIEnablement) bool {
		return e.GroupVersion == ref.APIVersion && slices.ContainsFunc(e.Resources, func(r clusterv1alpha1.APIResource) bool { return r.Kind == ref.Kind })
	})
}
