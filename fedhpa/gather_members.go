package fedhpa

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util"
	"github.com/karmada-io/karmada/pkg/util/names"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	migration "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/decide"
	"github.com/argosy-dev/argosy/internal/binding"
	"github.com/argosy-dev/argosy/internal/mark"
)

// members reads the clusters that matter: those of the scheduling result, those with an autoscaler of ours, and those that may be woken.
func (g *gatherer) members(ctx context.Context, v *view) error {
	works, err := g.autoscalers(ctx, v.key())
	if err != nil {
		return err
	}
	v.works = works
	policy, err := g.placement(ctx, v)
	if err != nil {
		return err
	}
	wanted, err := g.inOverflow(ctx, policy)
	if err != nil {
		return err
	}
	if v.world.Binding != nil {
		v.world.Binding.Spread = policy.spread()
	}
	byName, err := g.named(ctx, v, wanted)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if byName[name] == nil {
			if byName[name], err = g.cluster(ctx, name); err != nil {
				return err
			}
		}
		m, err := g.member(ctx, v, member{name: name, cluster: byName[name], work: works[name], policy: policy})
		if err != nil {
			return err
		}
		v.world.Members = append(v.world.Members, m)
	}
	g.room.fill(ctx, v, byName)
	if v.world.LastCounts() {
		g.askMembers(ctx, v)
	}
	return nil
}

// sideBySide so many members are asked at a time.
const sideBySide = 16

// askMembers reads in each member what the workload asks for there. A member without a Secret is not ours to reach (pull mode), so that
// its reports are all there is. They are asked side by side: some may be silent for the whole of their time.
func (g *gatherer) askMembers(ctx context.Context, v *view) {
	for i := range v.world.Members {
		if m := &v.world.Members[i]; m.Workload != nil && m.Ready {
			m.Workload.Unread = "it was not asked" // until it is
		}
	}
	workqueue.ParallelizeUntil(ctx, sideBySide, len(v.world.Members), func(i int) {
		m := &v.world.Members[i]
		if m.Workload == nil || !m.Ready {
			return
		}
		asked, err := g.asked(ctx, v, m.Name)
		if m.Workload.Asked, m.Workload.Unread = asked, ""; err != nil {
			m.Workload.Unread = err.Error()
		}
	})
}

func (g *gatherer) asked(ctx context.Context, v *view, name string) (*int32, error) {
	cluster, err := g.cluster(ctx, name)
	if err != nil || cluster == nil || cluster.Spec.SecretRef == nil {
		return nil, err
	}
	member, err := g.reach.Client(ctx, name)
	if err != nil {
		return nil, err
	}
	scale, err := readScale(ctx, member, v.target)
	if err != nil {
		return nil, fmt.Errorf("reading the scale of %s %s: %w", v.target.Kind, v.target.Name, err)
	}
	n, _, err := unstructured.NestedInt64(scale.Object, "spec", "replicas")
	if err != nil {
		return nil, fmt.Errorf("spec.replicas of the scale of %s %s: %w", v.target.Kind, v.target.Name, err)
	}
	return ptr.To(int32(n)), nil
}

// named adds the clusters that the FedHPA has to do with to those wanted, and reads those its distribution names.
func (g *gatherer) named(ctx context.Context, v *view, wanted map[string]bool) (map[string]*clusterv1alpha1.Cluster, error) {
	for name := range v.works {
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
	byName := map[string]*clusterv1alpha1.Cluster{}
	if v.fed.Spec.Distribution == nil {
		return byName, nil
	}
	for _, c := range v.fed.Spec.Distribution.Clusters {
		cluster, err := g.cluster(ctx, c.Name)
		switch {
		case err != nil:
			return nil, err
		case cluster == nil:
			v.world.UnknownClusters = append(v.world.UnknownClusters, c.Name)
		default:
			byName[c.Name] = cluster
			wanted[c.Name] = wanted[c.Name] || c.Role == api.ClusterRoleStandby
		}
	}
	maps.DeleteFunc(wanted, func(_ string, is bool) bool { return !is })
	return byName, nil
}

// cluster by name, nil when there is none. A federation's Clusters are large, so that only those are copied that matter.
func (g *gatherer) cluster(ctx context.Context, name string) (*clusterv1alpha1.Cluster, error) {
	cluster := &clusterv1alpha1.Cluster{}
	err := g.client.Get(ctx, types.NamespacedName{Name: name}, cluster)
	if apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading Cluster %s: %w", name, err)
	}
	return cluster, nil
}

// inOverflow are the clusters that may be used when the others are full.
func (g *gatherer) inOverflow(ctx context.Context, policy *placement) (map[string]bool, error) {
	out := map[string]bool{}
	if len(policy.overflow()) == 0 {
		return out, nil
	}
	var clusters clusterv1alpha1.ClusterList
	if err := g.client.List(ctx, &clusters, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing Clusters: %w", err)
	}
	for i := range clusters.Items {
		if policy.tier(&clusters.Items[i]) > 0 {
			out[clusters.Items[i].Name] = true
		}
	}
	return out, nil
}

// member is one cluster and what there is to read of it; cluster and work may be nil.
type member struct {
	name    string
	cluster *clusterv1alpha1.Cluster
	work    *workv1alpha1.Work
	policy  *placement
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

func (g *gatherer) member(ctx context.Context, v *view, of member) (decide.Member, error) {
	m := decide.Member{Name: of.name}
	if of.cluster != nil {
		m.Ready = of.cluster.DeletionTimestamp.IsZero() && util.IsClusterReady(&of.cluster.Status)
		m.Eligible, m.Tier, m.Groups = of.policy.lets(ctx, of.cluster), of.policy.tier(of.cluster), of.policy.groups(of.cluster)
	}
	if of.work != nil {
		m.HPA = autoscalerIn(of.work, v.fed)
	}
	if v.binding == nil {
		return m, nil
	}
	m.Held = binding.Held(v.binding, of.name) || suspended(of.work)
	if !v.binding.Spec.TargetContains(of.name) {
		return m, nil
	}
	m.Workload = workloadOf(v.binding, of.name)
	if of.work == nil || m.HPA.Withheld {
		if err := g.joining(ctx, v, &m); err != nil {
			return m, err
		}
	}
	return m, nil
}

// suspended reports whether somebody else than this FedHPA suspended the Work of a member's autoscaler: what is written into it arrives
// nowhere.
func suspended(work *workv1alpha1.Work) bool {
	return work != nil && ptr.Deref(work.Spec.SuspendDispatching, false) && work.Annotations[migration.AnnotationCutOff] == ""
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
			m.Workload.Sent = sentReplicas(&work, &manifest)
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

// sentReplicas is the count that a Work brings to its member, nil where it cannot be told: the kind has it elsewhere than in
// spec.replicas, or an OverridePolicy has put something in place of the scheduling result.
func sentReplicas(work *workv1alpha1.Work, manifest *unstructured.Unstructured) *int32 {
	for _, applied := range []string{util.AppliedOverrides, util.AppliedClusterOverrides} {
		if strings.Contains(work.Annotations[applied], "replicas") {
			return nil
		}
	}
	n, found, err := unstructured.NestedInt64(manifest.Object, "spec", "replicas")
	if err != nil || !found {
		return nil
	}
	return ptr.To(int32(n))
}

// workloadOf is the target in one member, as the binding's aggregated status shows it.
func workloadOf(b *workv1alpha2.ResourceBinding, cluster string) *decide.Workload {
	out := &decide.Workload{}
	item := binding.Reported(&b.Status, cluster)
	if item == nil {
		return out
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
	return out
}
