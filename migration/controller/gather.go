package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/plan"
	"github.com/argosy-dev/argosy/migration/policy"
)

// gather reads the world of one application. It reads past every cache, whose turn it is and the clusters' own states excepted: a decision
// about somebody's production must not rest on what was true a moment ago.
func (c *Controller) gather(ctx context.Context, migration *v1alpha1.Migration) (plan.World, error) {
	world := c.outline(migration)
	if err := c.listed(ctx, c.Reader, migration, &world); err != nil {
		return world, err
	}
	needs := plan.Needs(world)
	if needs.Nothing {
		return world, nil
	}
	// Policies are read before the records of other applications. Who closes a shared object records that first:
	// either its record is seen below, or its write comes after this read and makes ours fail.
	if err := c.policies(ctx, &world); err != nil {
		return world, err
	}
	if err := c.beside(ctx, migration, &world); err != nil {
		return world, err
	}
	if err := c.home(ctx, &world); err != nil {
		return world, err
	}
	if err := c.clusters(ctx, &world); err != nil {
		return world, err
	}
	if needs.Members {
		c.members(ctx, &world, func(name string) bool { return concerns(&world, name) })
	}
	refs := references(world)
	for _, ref := range refs {
		if err := c.template(ctx, world.Namespace, ref, &world.Control); err != nil {
			return world, err
		}
	}
	if err := c.dispatched(ctx, &world, needs, refs); err != nil {
		return world, err
	}
	if strays := plan.Strays(world); len(strays) > 0 {
		c.members(ctx, &world, func(name string) bool { return slices.Contains(strays, name) })
	}
	if needs.DryRuns {
		c.dryRuns(ctx, &world, needs.Release)
	}
	if needs.Members {
		c.gate(ctx, &world)
	}
	return world, nil
}

// dispatched reads the Works that the next step needs: of the application's objects, and of what scales it.
func (c *Controller) dispatched(ctx context.Context, world *plan.World, needs plan.Reading, refs []plan.Ref) error {
	if needs.Works {
		if err := c.works(ctx, world, refs); err != nil {
			return err
		}
	}
	if needs.Scalers {
		return c.scalers(ctx, world)
	}
	return nil
}

// outline of a world: the record, and nothing of what there is.
func (c *Controller) outline(migration *v1alpha1.Migration) plan.World {
	world := plan.World{
		Now: c.Clock.Now(), Owner: migration.Name, Namespace: migration.Namespace,
		Spec: migration.Spec, Status: *migration.Status.DeepCopy(),
		Clusters: map[string]plan.Cluster{},
	}
	world.Status.ObservedGeneration = migration.Generation
	return world
}

// clusters joined to the federation, those that are being unjoined included. They are large, and what they say is Karmada's opinion of some
// seconds ago: the cache has it as well.
func (c *Controller) clusters(ctx context.Context, world *plan.World) error {
	var list clusterv1alpha1.ClusterList
	if err := c.Client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing clusters: %w", err)
	}
	for i := range list.Items {
		cluster := &list.Items[i]
		found := plan.Cluster{
			Joined:  cluster.DeletionTimestamp.IsZero(),
			Leaving: !cluster.DeletionTimestamp.IsZero(),
			Ready:   meta.IsStatusConditionTrue(cluster.Status.Conditions, clusterv1alpha1.ClusterConditionReady),
			Pull:    cluster.Spec.SyncMode == clusterv1alpha1.Pull,
			Kinds:   map[string]bool{}, Works: map[plan.Ref]plan.Work{},
		}
		if ready := meta.FindStatusCondition(cluster.Status.Conditions, clusterv1alpha1.ClusterConditionReady); ready != nil {
			found.ReadySince = ready.LastTransitionTime.Time
		}
		for _, enabled := range cluster.Status.APIEnablements {
			for _, resource := range enabled.Resources {
				found.Kinds[enabled.GroupVersion+"/"+resource.Kind] = true
			}
		}
		world.Clusters[cluster.Name] = found
	}
	return nil
}

// members that are wanted are read side by side; one that fails is unreachable, never empty.
func (c *Controller) members(ctx context.Context, world *plan.World, wanted func(name string) bool) {
	var (
		mu   sync.Mutex
		wait sync.WaitGroup
	)
	for name, cluster := range world.Clusters {
		if !wanted(name) {
			continue
		}
		wait.Go(func() {
			read := cluster
			if err := c.member(ctx, world, name, &read); err != nil {
				read = cluster
				read.Unreachable = err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			world.Clusters[name] = read
		})
	}
	wait.Wait()
}

// concerns says whether the application is, was or may be in a cluster, or shares an object there.
func concerns(world *plan.World, name string) bool {
	if world.Entry == nil || len(world.Entry.Clusters) == 0 || slices.Contains(world.Entry.Clusters, name) {
		return true
	}
	for i := range world.Status.Resources {
		if slices.Contains(world.Status.ClustersOf(&world.Status.Resources[i]), name) {
			return true
		}
	}
	return shares(world, name)
}

// shares says whether a cluster outside the entry's own serves a neighbour of the namespace.
func shares(world *plan.World, name string) bool {
	for _, neighbour := range world.Neighbours {
		if _, runs := neighbour.Clusters[name]; runs {
			return true
		}
	}
	return false
}

func (c *Controller) member(ctx context.Context, world *plan.World, name string, cluster *plan.Cluster) error {
	member, err := c.Members.Client(ctx, name)
	if err != nil {
		return err
	}
	for _, gvk := range c.Kinds {
		var list unstructured.UnstructuredList
		list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		err := member.List(ctx, &list, client.InNamespace(world.Namespace))
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("listing %s: %w", gvk.Kind, err)
		}
		for i := range list.Items {
			list.Items[i].SetGroupVersionKind(gvk)
			cluster.Objects = append(cluster.Objects, &list.Items[i])
		}
	}
	return c.pods(ctx, member, world, cluster)
}

// pods of the workload, by its selector.
func (c *Controller) pods(ctx context.Context, member client.Reader, world *plan.World, cluster *plan.Cluster) error {
	want := plan.Ref{APIVersion: world.Spec.APIVersion, Kind: world.Spec.Kind, Name: world.Spec.Name}
	for _, object := range cluster.Objects {
		if policy.RefOf(object) != want {
			continue
		}
		selector, err := selectorOf(object)
		if err != nil {
			return err
		}
		var list corev1.PodList
		if err := member.List(ctx, &list, client.InNamespace(world.Namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
			return fmt.Errorf("listing pods: %w", err)
		}
		for i := range list.Items {
			// A pod on its way out, or at its end, is none of the workload's any more: when it is gone, nothing happened.
			pod := &list.Items[i]
			if pod.DeletionTimestamp.IsZero() && pod.Status.Phase != corev1.PodFailed && pod.Status.Phase != corev1.PodSucceeded {
				cluster.Pods = append(cluster.Pods, podOf(pod))
			}
		}
	}
	return nil
}

func selectorOf(workload *unstructured.Unstructured) (labels.Selector, error) {
	name := policy.User(policy.RefOf(workload))
	raw, _, err := unstructured.NestedMap(workload.Object, "spec", "selector")
	if err != nil {
		return nil, fmt.Errorf("reading spec.selector of %s: %w", name, err)
	}
	parsed := &metav1.LabelSelector{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, parsed); err != nil {
		return nil, fmt.Errorf("reading spec.selector of %s: %w", name, err)
	}
	selector, err := metav1.LabelSelectorAsSelector(parsed)
	if err != nil {
		return nil, fmt.Errorf("reading spec.selector of %s: %w", name, err)
	}
	if selector.Empty() {
		return nil, fmt.Errorf("spec.selector of %s is empty: its pods cannot be told apart", name)
	}
	return selector, nil
}

func podOf(pod *corev1.Pod) plan.Pod {
	out := plan.Pod{Name: pod.Name, UID: string(pod.UID), Revision: pod.Labels[appsv1.ControllerRevisionHashLabelKey]}
	if out.Revision == "" {
		out.Revision = pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
	}
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range statuses {
			out.Restarts += statuses[i].RestartCount
		}
	}
	for _, condition := range pod.Status.Conditions {
		out.Ready = out.Ready || condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	}
	return out
}

// references to everything the application may have in the control plane: what the record names, what was
// published since, and what the members show now.
func references(world plan.World) []plan.Ref {
	seen := map[plan.Ref]bool{}
	workload := plan.Ref{APIVersion: world.Spec.APIVersion, Kind: world.Spec.Kind, Name: world.Spec.Name}
	seen[workload] = true
	for _, resource := range world.Status.Resources {
		seen[resource.ResourceReference] = true
	}
	for _, resource := range plan.Published(world) {
		seen[resource.ResourceReference] = true
	}
	for _, cluster := range world.Clusters {
		found, err := policy.Discover(cluster.Objects, workload)
		if err != nil {
			continue // the planner finds the same and says so
		}
		for _, one := range found {
			seen[policy.RefOf(one.Object)] = true
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b plan.Ref) int {
		return strings.Compare(a.Kind+"/"+a.Name, b.Kind+"/"+b.Name)
	})
}
