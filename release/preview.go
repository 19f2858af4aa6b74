package release

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	"github.com/karmada-io/karmada/pkg/util/overridemanager"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"
	kjson "sigs.k8s.io/json"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/release/hold"
)

// Preview is what a cluster has of an object of the application, and what it will have when the template's revision is open there.
type Preview struct {
	Cluster string
	// With is an object that goes out with the target, such as ConfigMap web; empty for the target itself.
	With string
	// Revision its Work bears; empty where nothing was held yet.
	Revision string
	// Now is nil where the cluster has no Work. Both are without live fields, partition and marks of Karmada's and ours.
	Now, Then *unstructured.Unstructured
}

// Previews of every cluster of the target's binding, by name, with the cluster's overrides of today. It reads and writes nothing.
func Previews(ctx context.Context, control client.Client, release *v1alpha1.Release) ([]Preview, error) {
	c := &Controller{Reader: control}
	app, err := c.read(ctx, release)
	if err != nil {
		return nil, err
	}
	if app.target == nil {
		return nil, fmt.Errorf("spec.targetRef: %s %s/%s does not exist", release.Spec.TargetRef.Kind, release.Namespace,
			release.Spec.TargetRef.Name)
	}
	if _, why := unfit(app.target); why != "" {
		return nil, fmt.Errorf("spec.targetRef: %s", why)
	}
	bound, _, err := c.bound(ctx, app.target)
	if err != nil {
		return nil, err
	}
	if bound == nil {
		return nil, fmt.Errorf("%s %s/%s has no ResourceBinding: no PropagationPolicy selects it", app.target.GetKind(),
			app.target.GetNamespace(), app.target.GetName())
	}
	var out []Preview
	for _, object := range app.objects() {
		_, works, err := c.bound(ctx, object)
		if err != nil {
			return nil, err
		}
		for _, target := range bound.Spec.Clusters {
			one, err := preview(control, object, target.Name, works[target.Name])
			if err != nil {
				return nil, err
			}
			if object != app.target {
				one.With = object.GetKind() + " " + object.GetName()
			}
			out = append(out, one)
		}
	}
	slices.SortFunc(out, func(a, b Preview) int {
		return cmp.Or(strings.Compare(a.Cluster, b.Cluster), strings.Compare(a.With, b.With))
	})
	return out, nil
}

// preview of an object in a cluster; work is nil where it has none.
func preview(control client.Client, object *unstructured.Unstructured, cluster string, work *workv1alpha1.Work) (Preview, error) {
	one := Preview{Cluster: cluster, Then: hold.Record(object)}
	if _, _, err := overridemanager.New(control, &record.FakeRecorder{}).ApplyOverridePolicies(one.Then, cluster); err != nil {
		return one, fmt.Errorf("applying the override policies of cluster %s: %w", cluster, err)
	}
	one.Then = hold.Released(one.Then)
	if work == nil || len(work.Spec.Workload.Manifests) == 0 {
		return one, nil
	}
	manifest := &unstructured.Unstructured{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(work.Spec.Workload.Manifests[0].Raw, &manifest.Object); err != nil {
		return one, fmt.Errorf("decoding Work %s/%s: %w", work.Namespace, work.Name, err)
	}
	one.Revision, one.Now = manifest.GetAnnotations()[v1alpha1.AnnotationRevision], hold.Released(manifest)
	return one, nil
}
