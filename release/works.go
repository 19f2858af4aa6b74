package release

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/binding"
	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/release/decide"
)

// clusters of the target's binding, with their Works, and those of what goes out with it.
func (c *Controller) clusters(ctx context.Context, app *application) ([]decide.Cluster, error) {
	found, works, err := c.bound(ctx, app.target)
	if err != nil || found == nil {
		return nil, err
	}
	with := make([]map[string]*workv1alpha1.Work, len(app.with))
	for i, object := range app.with {
		if _, with[i], err = c.bound(ctx, object); err != nil {
			return nil, err
		}
	}
	reached, err := c.reach(ctx)
	if err != nil {
		return nil, err
	}
	var out []decide.Cluster
	for _, target := range found.Spec.Clusters {
		one := decide.Cluster{Name: target.Name, Replicas: int64(target.Replicas)}
		if work := works[target.Name]; work != nil {
			if one.Work, err = reported(work); err != nil {
				return nil, err
			}
			if found.Spec.Replicas == 0 {
				one.Replicas = one.Work.Desired // of kinds that count nodes
			}
		}
		for i, object := range app.with {
			item := decide.With{Object: object.GetKind() + " " + object.GetName()}
			if work := with[i][target.Name]; work != nil {
				if item.Work, err = reported(work); err != nil {
					return nil, err
				}
			}
			one.With = append(one.With, item)
		}
		if of, joined := reached[target.Name]; joined {
			one.Labels, one.Unreachable = of.labels, of.unreachable
		} else {
			one.Unreachable = "it is not joined"
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b decide.Cluster) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// reached is a cluster's labels, and why Karmada does not reach it.
type reached struct {
	labels      map[string]string
	unreachable string
}

// reach the clusters that are joined, by name: one list of the cache, for how many there are does not depend on the Release. What it says
// late delays a stage, or lets it wait once more; it opens nothing that its spec does not.
func (c *Controller) reach(ctx context.Context) (map[string]reached, error) {
	var list clusterv1alpha1.ClusterList
	if err := c.Client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing Clusters: %w", err)
	}
	out := make(map[string]reached, len(list.Items))
	for i := range list.Items {
		cluster := &list.Items[i]
		of := reached{labels: cluster.Labels}
		ready := meta.FindStatusCondition(cluster.Status.Conditions, clusterv1alpha1.ClusterConditionReady)
		if ready != nil && ready.Status != metav1.ConditionTrue {
			of.unreachable = cmp.Or(ready.Message, ready.Reason)
		}
		out[cluster.Name] = of
	}
	return out, nil
}

// bound are the binding of a template and its Works by cluster; nil for none.
func (c *Controller) bound(
	ctx context.Context, template *unstructured.Unstructured,
) (*workv1alpha2.ResourceBinding, map[string]*workv1alpha1.Work, error) {
	found, err := binding.Of(ctx, c.Reader, client.ObjectKeyFromObject(template), template.GroupVersionKind().GroupKind())
	if err != nil || found == nil {
		return nil, nil, err
	}
	works, err := c.works(ctx, found)
	return found, works, err
}

// ByName is up to how many clusters Works are read one by one. A list by label makes the API server look at every Work there is, of all
// applications; of more clusters than these that is cheaper than a request for each.
const ByName = 16

// works of a binding by cluster. There is no cache of Works: with their manifests they are most of what a control plane stores.
func (c *Controller) works(ctx context.Context, binding *workv1alpha2.ResourceBinding) (map[string]*workv1alpha1.Work, error) {
	out := map[string]*workv1alpha1.Work{}
	id := binding.Labels[workv1alpha2.ResourceBindingPermanentIDLabel]
	if id == "" {
		return out, nil
	}
	if of := binding.Spec.Resource; len(binding.Spec.Clusters) <= ByName {
		for _, target := range binding.Spec.Clusters {
			work := &workv1alpha1.Work{}
			key := client.ObjectKey{Namespace: names.GenerateExecutionSpaceName(target.Name),
				Name: names.GenerateWorkName(of.Kind, of.Name, of.Namespace)}
			err := c.Reader.Get(ctx, key, work)
			if client.IgnoreNotFound(err) != nil {
				return nil, fmt.Errorf("reading Work %s: %w", key, err)
			}
			// A Work's name has its object's kind and not the group: it may be another's.
			if err == nil && work.DeletionTimestamp.IsZero() && work.Labels[workv1alpha2.ResourceBindingPermanentIDLabel] == id {
				out[target.Name] = work
			}
		}
		return out, nil
	}
	var list workv1alpha1.WorkList
	if err := c.Reader.List(ctx, &list, client.MatchingLabels{workv1alpha2.ResourceBindingPermanentIDLabel: id}); err != nil {
		return nil, fmt.Errorf("listing the Works of ResourceBinding %s: %w", binding.Name, err)
	}
	for i := range list.Items {
		work := &list.Items[i]
		if cluster, ok := strings.CutPrefix(work.Namespace, mark.ExecutionNamespacePrefix); ok && work.DeletionTimestamp.IsZero() {
			out[cluster] = work
		}
	}
	return out, nil
}
