package scalein

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

// verdict on an order that nothing has been written for yet.
type verdict struct {
	// refused and why; empty when the order may go on.
	reason, message string
	// wait: what stands in the way may pass by itself.
	wait bool
	// plan is what each member gives up.
	plan []v1alpha1.ClusterScaleIn
}

func refuse(reason, format string, args ...any) verdict {
	return verdict{reason: reason, message: fmt.Sprintf(format, args...)}
}

func await(reason, format string, args ...any) verdict {
	return verdict{reason: reason, message: fmt.Sprintf(format, args...), wait: true}
}

func (v verdict) accepted() bool { return v.reason == "" }

// check is whether the order can be carried out as written.
func check(f facts) verdict {
	if v := checkTarget(f); !v.accepted() {
		return v
	}
	names, v := locate(f)
	if !v.accepted() {
		return v
	}
	plan := make([]v1alpha1.ClusterScaleIn, 0, len(names))
	for _, cluster := range f.binding.clusters {
		pods := names[cluster.name]
		if len(pods) == 0 {
			continue
		}
		slices.Sort(pods)
		if v := checkPods(f, cluster.name, pods); !v.accepted() {
			return v
		}
		count := int32(len(pods))
		if count > cluster.replicas {
			return refuse(v1alpha1.ReasonBindingUnsettled,
				"%d pods are named in %s, which holds %d replicas: name fewer in a new order, once a rollout there is over",
				count, cluster.name, cluster.replicas)
		}
		plan = append(plan, v1alpha1.ClusterScaleIn{
			Name: cluster.name, ReplicasBefore: cluster.replicas, ReplicasAfter: cluster.replicas - count, Pods: pods,
		})
	}
	if total(f) <= 0 {
		return refuse(v1alpha1.ReasonNoReplicaLeft, "no replica of %s would be left: use kubectl scale --replicas=0 for that",
			f.order.Spec.TargetRef.Name)
	}
	slices.SortFunc(plan, func(a, b v1alpha1.ClusterScaleIn) int { return cmp.Compare(a.Name, b.Name) })
	return verdict{plan: plan}
}

// designate turns a selection into names. A member that cannot be asked may hold one more.
func designate(f facts) ([]v1alpha1.PodReference, verdict) {
	selection := f.order.Spec.Select
	if selection == nil {
		return f.order.Spec.Pods, verdict{}
	}
	if v := checkTarget(f); !v.accepted() {
		return nil, v
	}
	selector, err := selectorFor(selection)
	if err != nil {
		return nil, refuse(v1alpha1.ReasonNoPodSelected, "spec.select.labelSelector: %v", err)
	}
	for _, name := range selection.Clusters {
		if _, holds := f.binding.of(name); !holds {
			return nil, refuse(v1alpha1.ReasonPodNotFound, "%s runs no replicas in cluster %s; it runs in %s", f.order.Spec.TargetRef.Name, name,
				f.binding.names())
		}
	}
	var out []v1alpha1.PodReference
	for _, cluster := range f.binding.clusters {
		if len(selection.Clusters) > 0 && !slices.Contains(selection.Clusters, cluster.name) {
			continue
		}
		m := f.members[cluster.name]
		if m.unreachable != "" {
			return nil,
				await(v1alpha1.ReasonMemberUnreachable, "cluster %s cannot be asked for its pods: %s (spec.select.clusters can leave it out)",
					cluster.name, m.unreachable)
		}
		for _, name := range m.meeting(selection.NodeName, selector) {
			out = append(out, v1alpha1.PodReference{Cluster: cluster.name, Name: name})
		}
	}
	most := int(ptr.Deref(selection.MaxPods, defaultMaxPods))
	switch {
	case len(out) == 0:
		return nil, refuse(v1alpha1.ReasonNoPodSelected, "no pod of %s meets spec.select", f.order.Spec.TargetRef.Name)
	case len(out) > most:
		return nil,
			refuse(v1alpha1.ReasonTooManySelected, "%d pods of %s meet spec.select, and maxPods is %d: select fewer, or raise it in a new order",
				len(out), f.order.Spec.TargetRef.Name, most)
	}
	return out, verdict{}
}

func selectorFor(selection *v1alpha1.PodSelection) (labels.Selector, error) {
	if selection.LabelSelector == nil {
		return labels.Everything(), nil
	}
	return metav1.LabelSelectorAsSelector(selection.LabelSelector)
}

// meeting are the workload's own pods on the node, or on any, that the selector matches and that are not going already.
func (m member) meeting(node string, selector labels.Selector) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(m.pods)) {
		p := m.pods[name]
		ours := m.uid != "" && p.owner == m.uid && !p.terminating
		if ours && (node == "" || p.node == node) && selector.Matches(labels.Set(p.labels)) {
			out = append(out, name)
		}
	}
	return out
}

// defaultMaxPods is the CRD's default.
const defaultMaxPods = 50

// total is what the workload would be left with.
func total(f facts) int32 { return f.template.replicas - int32(len(f.order.Spec.Pods)) }

// checkTarget is whether the workload's replicas may be lowered from here at all.
func checkTarget(f facts) verdict {
	name := f.order.Spec.TargetRef.Name
	switch {
	case f.kindUnknown:
		return refuse(v1alpha1.ReasonTargetKindUnknown, "karmada-apiserver serves no %s in %s: install OpenKruise's CRDs there",
			f.order.Spec.TargetRef.Kind, f.order.Spec.TargetRef.APIVersion)
	case f.template == nil:
		return refuse(v1alpha1.ReasonTargetNotFound, "CloneSet %s does not exist in namespace %s of the control plane", name, f.order.Namespace)
	case f.template.cutOff:
		return refuse(v1alpha1.ReasonCutOff,
			"%s is cut off from the federation: nothing is dispatched to its members; scale in there, naming the pods in "+
				"spec.scaleStrategy.podsToDelete", name)
	case f.owner != "":
		return refuse(v1alpha1.ReasonTargetOwned,
			"the replicas of %s belong to %s: it would put the removed ones back; lower its maxReplicas or delete it first", name, f.owner)
	case f.template.retained:
		return refuse(v1alpha1.ReasonTargetOwned,
			"label resourcetemplate.karmada.io/retain-replicas leaves the replicas of %s to its members: scale in there and run argosyctl scalein "+
				"adopt", name)
	case f.binding == nil:
		return await(v1alpha1.ReasonBindingUnsettled, "CloneSet %s is not propagated yet: no ResourceBinding", name)
	case !f.binding.divided:
		return refuse(v1alpha1.ReasonTargetNotDivided,
			"the policy of %s duplicates its replicas, so that all members hold the same number: only replicaSchedulingType Divided can lower one",
			name)
	case f.busy != "" || f.template.request != "":
		return await(v1alpha1.ReasonTargetBusy, "another order is at work on %s: %s", name, cmp.Or(f.busy, f.template.request))
	case f.binding.suspended:
		return await(v1alpha1.ReasonBindingUnsettled, "scheduling of %s is suspended by somebody else", name)
	case f.binding.evicting:
		return await(v1alpha1.ReasonBindingUnsettled, "Karmada is evicting %s from a cluster", name)
	case !f.binding.observed || f.binding.replicas != f.template.replicas || f.binding.sum() != f.binding.replicas:
		return await(v1alpha1.ReasonBindingUnsettled, "the scheduler has not divided the %d replicas of %s yet (%d are)", f.template.replicas,
			name, f.binding.sum())
	}
	return verdict{}
}

// locate groups the named pods by cluster, and finds the clusters of those named without.
func locate(f facts) (map[string][]string, verdict) {
	names := map[string][]string{}
	seen := map[v1alpha1.PodReference]bool{}
	for _, ref := range f.order.Spec.Pods {
		if ref.Cluster == "" {
			found, v := find(f, ref.Name)
			if !v.accepted() {
				return nil, v
			}
			ref.Cluster = found
		}
		if _, holds := f.binding.of(ref.Cluster); !holds {
			return nil, refuse(v1alpha1.ReasonPodNotFound, "%s runs no replicas in cluster %s; it runs in %s", f.order.Spec.TargetRef.Name,
				ref.Cluster, f.binding.names())
		}
		if seen[ref] {
			return nil, refuse(v1alpha1.ReasonPodDuplicate, "pod %s of %s is named twice", ref.Name, ref.Cluster)
		}
		seen[ref] = true
		names[ref.Cluster] = append(names[ref.Cluster], ref.Name)
	}
	return names, verdict{}
}

// find looks for a pod in every member of the workload. One member that cannot be asked may be the one that has it.
func find(f facts, name string) (string, verdict) {
	var in []string
	for _, cluster := range f.binding.clusters {
		m := f.members[cluster.name]
		if m.unreachable != "" {
			return "", await(v1alpha1.ReasonMemberUnreachable, "cluster %s cannot be asked for pod %s: %s (naming the pod's cluster would help)",
				cluster.name, name, m.unreachable)
		}
		if _, ok := m.pods[name]; ok {
			in = append(in, cluster.name)
		}
	}
	switch len(in) {
	case 0:
		for _, cluster := range f.binding.clusters {
			if owner := f.strangers[v1alpha1.PodReference{Cluster: cluster.name, Name: name}]; owner != "" {
				return "", notOwned(f, cluster.name, name, owner)
			}
		}
		return "", refuse(v1alpha1.ReasonPodNotFound, "no member of %s runs a pod %s", f.order.Spec.TargetRef.Name, name)
	case 1:
		return in[0], verdict{}
	}
	return "", refuse(v1alpha1.ReasonPodAmbiguous, "pod %s runs in %v: name its cluster", name, in)
}

// checkPods is whether OpenKruise in the member would take the names. It refuses the whole update, images and all, for one
// name that is absent, terminating or owned by another.
func checkPods(f facts, cluster string, names []string) verdict {
	m := f.members[cluster]
	if m.unreachable != "" {
		return await(v1alpha1.ReasonMemberUnreachable, "cluster %s cannot be asked for its pods: %s", cluster, m.unreachable)
	}
	for _, name := range names {
		p, ok := m.pods[name]
		switch {
		case !ok:
			return missing(f, cluster, name)
		case p.terminating:
			return refuse(v1alpha1.ReasonPodTerminating, "pod %s of %s is terminating already", name, cluster)
		case m.uid == "" || p.owner != m.uid:
			return notOwned(f, cluster, name, p.ownerName)
		}
	}
	for _, b := range m.budgets {
		var ready int32
		for _, name := range names {
			if b.pods[name] && m.pods[name].ready {
				ready++
			}
		}
		if ready > b.allowed {
			return refuse(v1alpha1.ReasonDisruptionBudget, "PodDisruptionBudget %s of %s allows %d disruptions, %d healthy pods are named", b.name,
				cluster, b.allowed, ready)
		}
	}
	return verdict{}
}

// missing says of a pod that is not the workload's whose it is, or where it runs.
func missing(f facts, cluster, name string) verdict {
	ref := v1alpha1.PodReference{Cluster: cluster, Name: name}
	if owner := f.strangers[ref]; owner != "" {
		return notOwned(f, cluster, name, owner)
	}
	if elsewhere := f.astray[ref]; elsewhere != "" {
		return refuse(v1alpha1.ReasonPodNotFound, "pod %s does not exist in %s: it runs in %s", name, cluster, elsewhere)
	}
	return refuse(v1alpha1.ReasonPodNotFound, "pod %s of %s does not exist", name, cluster)
}

func notOwned(f facts, cluster, name, owner string) verdict {
	return refuse(v1alpha1.ReasonPodNotOwned, "pod %s of %s belongs to %s, not to CloneSet %s", name, cluster, cmp.Or(owner, "nobody"),
		f.order.Spec.TargetRef.Name)
}
