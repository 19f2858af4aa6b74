package controller

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	"github.com/karmada-io/karmada/pkg/util/names"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/migration/plan"
)

// works of the references in every cluster: also where the application is not, since one that was left behind there is still carried out.
func (c *Controller) works(ctx context.Context, world *plan.World, refs []plan.Ref) error {
	named := map[string]bool{}
	for _, ref := range refs {
		named[names.GenerateWorkName(ref.Kind, ref.Name, world.Namespace)] = true
	}
	found, err := c.worksNamed(ctx, world, slices.Sorted(maps.Keys(named)))
	if err != nil {
		return err
	}
	for cluster, works := range found {
		for _, ref := range refs {
			if work := works[names.GenerateWorkName(ref.Kind, ref.Name, world.Namespace)]; work != nil {
				world.Clusters[cluster].Works[ref] = workOf(work)
			}
		}
	}
	return nil
}

const (
	// byName is of how many clusters Works are read one by one. A list makes the API server look at every Work there is, of all applications;
	// of more clusters than these that is cheaper than a request for each (docs/decisions/0444).
	byName = 16
	// atOnce so many Works of one application are read.
	atOnce = 16
)

// worksNamed are the Works of these names in the clusters of a world, by cluster and name. Their labels would not find all: a Work that an
// earlier binding of the same name left behind bears that one's.
func (c *Controller) worksNamed(
	ctx context.Context, world *plan.World, workNames []string,
) (map[string]map[string]*workv1alpha1.Work, error) {
	out := map[string]map[string]*workv1alpha1.Work{}
	for cluster := range world.Clusters {
		out[cluster] = map[string]*workv1alpha1.Work{}
	}
	var mu sync.Mutex
	put := func(cluster string, work *workv1alpha1.Work) {
		mu.Lock()
		defer mu.Unlock()
		if works := out[cluster]; works != nil {
			works[work.Name] = work
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, name := range workNames {
		if len(world.Clusters) > byName {
			group.Go(func() error { return c.eachWork(ctx, name, put) })
			continue
		}
		for cluster := range world.Clusters {
			group.Go(func() error {
				work, err := c.work(ctx, cluster, name)
				if work != nil {
					put(cluster, work)
				}
				return err
			})
		}
	}
	return out, group.Wait()
}

// eachWork of a name, whichever cluster it is for.
func (c *Controller) eachWork(ctx context.Context, name string, do func(cluster string, work *workv1alpha1.Work)) error {
	var list workv1alpha1.WorkList
	if err := c.Reader.List(ctx, &list, client.MatchingFields{metav1.ObjectNameField: name}); err != nil {
		return fmt.Errorf("listing works %s: %w", name, err)
	}
	for i := range list.Items {
		if cluster, err := names.GetClusterName(list.Items[i].Namespace); err == nil {
			do(cluster, &list.Items[i])
		}
	}
	return nil
}

// work of a cluster; nil when there is none.
func (c *Controller) work(ctx context.Context, cluster, name string) (*workv1alpha1.Work, error) {
	work, key := &workv1alpha1.Work{}, client.ObjectKey{Namespace: names.GenerateExecutionSpaceName(cluster), Name: name}
	err := c.Reader.Get(ctx, key, work)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading work %s: %w", key, err)
	}
	return work, nil
}

func workOf(work *workv1alpha1.Work) plan.Work {
	out := plan.Work{
		Suspended: ptr.Deref(work.Spec.SuspendDispatching, false),
		Preserve:  ptr.Deref(work.Spec.PreserveResourcesOnDeletion, false),
		Deleting:  !work.DeletionTimestamp.IsZero(),
	}
	if condition := meta.FindStatusCondition(work.Status.Conditions, workv1alpha1.WorkDispatching); condition != nil {
		out.Dispatching, out.DispatchingSince = condition.Status, condition.LastTransitionTime.Time
	}
	if condition := meta.FindStatusCondition(work.Status.Conditions, workv1alpha1.WorkApplied); condition != nil &&
		condition.Status == metav1.ConditionFalse {
		out.Refused = cmp.Or(condition.Message, condition.Reason)
	}
	if manifests := work.Spec.Workload.Manifests; len(manifests) == 1 {
		manifest := &unstructured.Unstructured{}
		if err := manifest.UnmarshalJSON(manifests[0].Raw); err == nil {
			out.Manifest = manifest
		}
	}
	return out
}
