// Package binding reads Karmada's ResourceBindings and Works as every part of Argosy has to: which object a binding is of, what of it the
// scheduler has seen, where nothing is dispatched, and what a member said to a write. It decides nothing and writes nothing.
package binding

import (
	"context"
	"fmt"
	"slices"
	"strings"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Of is the ResourceBinding of a template; nil when there is none, or the one of that name is another kind's. It may be being deleted.
func Of(ctx context.Context, reader client.Reader, template client.ObjectKey,
	kind schema.GroupKind) (*workv1alpha2.ResourceBinding, error) {
	found := &workv1alpha2.ResourceBinding{}
	key := client.ObjectKey{Namespace: template.Namespace, Name: names.GenerateBindingName(kind.Kind, template.Name)}
	if err := reader.Get(ctx, key, found); apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading ResourceBinding %s: %w", key, err)
	}
	if !IsOf(found, kind) {
		return nil, nil
	}
	return found, nil
}

// IsOf reports whether the binding is of an object of the kind. Karmada names bindings by name and kind alone, so that two groups with a
// kind of one name share one.
func IsOf(b *workv1alpha2.ResourceBinding, kind schema.GroupKind) bool {
	return schema.FromAPIVersionAndKind(b.Spec.Resource.APIVersion, b.Spec.Resource.Kind).GroupKind() == kind
}

// Settled reports whether the scheduler has seen the binding as it is.
func Settled(b *workv1alpha2.ResourceBinding) bool {
	return b.Status.SchedulerObservedGeneration == b.Generation
}

// MadeAfter reports whether Karmada made the binding from a template later than the one of the given resourceVersion. The API server counts
// versions up.
func MadeAfter(b *workv1alpha2.ResourceBinding, version string) bool {
	from := b.Spec.Resource.ResourceVersion
	order, err := resourceversion.CompareResourceVersion(from, version)
	if err != nil {
		return from != version
	}
	return order > 0
}

// Divided reports whether clusters share the replicas. Otherwise each of them has them all.
func Divided(b *workv1alpha2.ResourceBinding) bool {
	return b.Spec.Placement != nil && b.Spec.Placement.ReplicaSchedulingType() == policyv1alpha1.ReplicaSchedulingTypeDivided
}

// Evicting are the clusters that a graceful eviction is emptying.
func Evicting(b *workv1alpha2.ResourceBinding) []string {
	var out []string
	for _, task := range b.Spec.GracefulEvictionTasks {
		out = append(out, task.FromCluster)
	}
	return out
}

// Held reports whether dispatching to a cluster is suspended (Karmada's shouldSuspendDispatching, pkg/controllers/binding/common.go).
func Held(b *workv1alpha2.ResourceBinding, cluster string) bool {
	s := b.Spec.Suspension
	return s != nil && (ptr.Deref(s.Dispatching, false) || s.DispatchingOnClusters != nil &&
		slices.Contains(s.DispatchingOnClusters.ClusterNames, cluster))
}

// Reported is what Karmada collected of the object in one cluster; nil while there is nothing.
func Reported(status *workv1alpha2.ResourceBindingStatus, cluster string) *workv1alpha2.AggregatedStatusItem {
	i := slices.IndexFunc(status.AggregatedStatus, func(item workv1alpha2.AggregatedStatusItem) bool { return item.ClusterName == cluster })
	if i < 0 {
		return nil
	}
	return &status.AggregatedStatus[i]
}

// ClaimedBy names the kind of policy that propagates an object, with its name where Karmada notes it; empty for none. It can be asked of a
// binding and of a template.
func ClaimedBy(o metav1.Object) string {
	notes := o.GetAnnotations()
	switch {
	case o.GetLabels()[policyv1alpha1.PropagationPolicyPermanentIDLabel] != "":
		return strings.TrimSpace("PropagationPolicy " + notes[policyv1alpha1.PropagationPolicyNameAnnotation])
	case o.GetLabels()[policyv1alpha1.ClusterPropagationPolicyPermanentIDLabel] != "":
		return strings.TrimSpace("ClusterPropagationPolicy " + notes[policyv1alpha1.ClusterPropagationPolicyAnnotation])
	}
	return ""
}
