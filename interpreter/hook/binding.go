package hook

import (
	"context"
	"fmt"
	"time"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// readTimeout leaves most of the webhook's own timeout for the answer: without the binding there still is one.
const readTimeout = time.Second

// Divider knows how a workload's replicas are divided over clusters.
type Divider interface {
	// Clusters is the division; nil when nothing is divided.
	Clusters(ctx context.Context, object *unstructured.Unstructured) ([]workv1alpha2.TargetCluster, error)
}

// Bindings reads the division from the ResourceBinding.
type Bindings struct {
	// Reader must not be a cache: Karmada asks just after the binding has changed, and the division that goes into a
	// manifest must not be older than the replicas Karmada asks with.
	Reader client.Reader
}

// +kubebuilder:rbac:groups=work.karmada.io,resources=resourcebindings,verbs=get

// Clusters implements Divider.
func (b Bindings) Clusters(ctx context.Context, object *unstructured.Unstructured) ([]workv1alpha2.TargetCluster, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	key := types.NamespacedName{Namespace: object.GetNamespace(), Name: names.GenerateBindingName(object.GetKind(), object.GetName())}
	var binding workv1alpha2.ResourceBinding
	if err := b.Reader.Get(ctx, key, &binding); err != nil {
		return nil, fmt.Errorf("reading ResourceBinding %s: %w", key, err)
	}
	// A binding's name holds no group: of two kinds of one name, the other may own it.
	of := binding.Spec.Resource
	group := schema.FromAPIVersionAndKind(of.APIVersion, of.Kind).GroupKind()
	if group != object.GroupVersionKind().GroupKind() || of.Name != object.GetName() {
		return nil, fmt.Errorf("reading ResourceBinding %s: it belongs to %s %s/%s", key, group, of.Namespace, of.Name)
	}
	if p := binding.Spec.Placement; p != nil && p.ReplicaSchedulingType() == policyv1alpha1.ReplicaSchedulingTypeDuplicated {
		return nil, nil
	}
	return merged(binding.Spec), nil
}

// merged adds the clusters of workloads that depend on this one, as Karmada does when it makes the manifests.
func merged(spec workv1alpha2.ResourceBindingSpec) []workv1alpha2.TargetCluster {
	out := spec.Clusters
	have := map[string]bool{}
	for _, c := range out {
		have[c.Name] = true
	}
	for _, by := range spec.RequiredBy {
		for _, c := range by.Clusters {
			if !have[c.Name] {
				have[c.Name] = true
				out = append(out, c)
			}
		}
	}
	return out
}
