package release

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/karmada-io/karmada/pkg/util/overridemanager"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"
	kjson "sigs.k8s.io/json"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/internal/binding"
	"github.com/argosy-dev/argosy/release/hold"
)

// Preview is what a cluster has of an application, and what it will have when the template's revision is open there.
type Preview struct {
	Cluster string
	// Revision its Work bears; empty where nothing was held yet.
	Revision string
	// Now is nil where the cluster has no Work. Both are without live fields, partition and marks of Karmada's and ours.
	Now, Then *unstructured.Unstructured
}

// Previews of every cluster of the binding, by name, with the cluster's overrides of today. It reads and writes nothing.
func Previews(ctx context.Context, control client.Client, release *v1alpha1.Release) ([]Preview, error) {
	c := &Controller{Reader: control}
	template, err := c.template(ctx, release)
	if err != nil {
		return nil, err
	}
	if template == nil {
		return nil, fmt.Errorf("spec.targetRef: %s %s/%s does not exist", release.Spec.TargetRef.Kind, release.Namespace,
			release.Spec.TargetRef.Name)
	}
	if _, why := unfit(template); why != "" {
		return nil, fmt.Errorf("spec.targetRef: %s", why)
	}
	found, err := binding.Of(ctx, control, client.ObjectKeyFromObject(template), template.GroupVersionKind().GroupKind())
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, fmt.Errorf("%s %s/%s has no ResourceBinding: no PropagationPolicy selects it", template.GetKind(), template.GetNamespace(),
			template.GetName())
	}
	works, err := c.works(ctx, found)
	if err != nil {
		return nil, err
	}
	overrider := overridemanager.New(control, &record.FakeRecorder{})
	var out []Preview
	for _, target := range found.Spec.Clusters {
		one := Preview{Cluster: target.Name, Then: hold.Record(template)}
		if _, _, err := overrider.ApplyOverridePolicies(one.Then, target.Name); err != nil {
			return nil, fmt.Errorf("applying the override policies of cluster %s: %w", target.Name, err)
		}
		one.Then = hold.Released(one.Then)
		if work := works[target.Name]; work != nil && len(work.Spec.Workload.Manifests) > 0 {
			manifest := &unstructured.Unstructured{}
			if err := kjson.UnmarshalCaseSensitivePreserveInts(work.Spec.Workload.Manifests[0].Raw, &manifest.Object); err != nil {
				return nil, fmt.Errorf("decoding Work %s/%s: %w", work.Namespace, work.Name, err)
			}
			one.Revision, one.Now = manifest.GetAnnotations()[v1alpha1.AnnotationRevision], hold.Released(manifest)
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b Preview) int { return strings.Compare(a.Cluster, b.Cluster) })
	return out, nil
}
