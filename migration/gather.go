package migration

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/plan"
	"github.com/argosy-dev/argosy/migration/policy"
)

// kinds of objects an application may consist of. A member that lacks one simply has none of it.
var kinds = []schema.GroupVersionKind{
	{Group: "apps", Version: "v1", Kind: "Deployment"},
	{Group: "apps", Version: "v1", Kind: "StatefulSet"},
	{Group: "apps", Version: "v1", Kind: "DaemonSet"},
	{Group: "apps.kruise.io", Version: "v1alpha1", Kind: "CloneSet"},
	{Group: "apps.kruise.io", Version: "v1beta1", Kind: "StatefulSet"},
	{Group: "apps.kruise.io", Version: "v1alpha1", Kind: "DaemonSet"},
	{Version: "v1", Kind: "ConfigMap"},
	{Version: "v1", Kind: "Secret"},
	{Version: "v1", Kind: "ServiceAccount"},
	{Version: "v1", Kind: "PersistentVolumeClaim"},
	{Version: "v1", Kind: "Service"},
	{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"},
	{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"},
	{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
}

// gather reads the world of one application. It reads past every cache: a decision about somebody's
// production must not rest on what was true a moment ago.
func (c *Controller) gather(ctx context.Context, migration *v1alpha1.Migration) (plan.World, error) {
	world := plan.World{
		Now: c.Clock.Now(), Owner: migration.Name, Namespace: migration.Namespace,
		Spec: migration.Spec, Status: *migration.Status.DeepCopy(),
		Clusters: map[string]plan.Cluster{},
	}
	world.Status.ObservedGeneration = migration.Generation
	if err := c.listed(ctx, migration, &world); err != nil {
		return world, err
	}
	if err := c.clusters(ctx, &world); err != nil {
		return world, err
	}
	needs := plan.Needs(world)
	if needs.Members {
		c.members(ctx, &world)
	}
	if err := c.policies(ctx, &world); err != nil {
		return world, err
	}
	refs := references(world)
	for _, ref := range refs {
		if err := c.template(ctx, world.Namespace, ref, &world.Control); err != nil {
			return world, err
		}
	}
	if err := c.works(ctx, &world, refs); err != nil {
		return world, err
	}
	if needs.DryRuns {
		c.dryRuns(ctx, &world)
	}
	if needs.Members {
		c.gate(ctx, &world)
	}
	return world, nil
}

// clusters joined to the federation, and those the application names.
func (c *Controller) clusters(ctx context.Context, world *plan.World) error {
	var list clusterv1alpha1.ClusterList
	if err := c.Reader.List(ctx, &list); err != nil {
		return fmt.Errorf("listing clusters: %w", err)
	}
	for i := range list.Items {
		cluster := &list.Items[i]
		found := plan.Cluster{
			Joined: cluster.DeletionTimestamp.IsZero(),
			Ready:  meta.IsStatusConditionTrue(cluster.Status.Conditions, clusterv1alpha1.ClusterConditionReady),
			Kinds:  map[string]bool{}, Works: map[plan.Ref]plan.Work{},
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

// members are read side by side; one that fails is unreachable, never empty.
func (c *Controller) members(ctx context.Context, world *plan.World) {
	var (
		mu   sync.Mutex
		wait sync.WaitGroup
	)
	for name, cluster := range world.Clusters {
		if !cluster.Joined || world.Entry != nil && len(world.Entry.Clusters) > 0 && !inside(world.Entry.Clusters, name) && !shares(world, name) {
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
	for _, gvk := range kinds {
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
		match, _, err := unstructured.NestedStringMap(object.Object, "spec", "selector", "matchLabels")
		if err != nil || len(match) == 0 {
			return fmt.Errorf("spec.selector.matchLabels of %s is empty: its pods cannot be told apart", policy.User(want))
		}
		var list corev1.PodList
		if err := member.List(ctx, &list, client.InNamespace(world.Namespace), client.MatchingLabelsSelector{Selector: labels.SelectorFromSet(match)}); err != nil {
			return fmt.Errorf("listing pods: %w", err)
		}
		for i := range list.Items {
			cluster.Pods = append(cluster.Pods, podOf(&list.Items[i]))
		}
	}
	return nil
}

func podOf(pod *corev1.Pod) plan.Pod {
	out := plan.Pod{Name: pod.Name, UID: string(pod.UID)}
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
	refs := make([]plan.Ref, 0, len(seen))
	for ref := range seen {
		refs = append(refs, ref)
	}
	sort.Slice(refs, func(i, j int) bool {
		return refs[i].Kind+"/"+refs[i].Name < refs[j].Kind+"/"+refs[j].Name
	})
	return refs
}

// policies of the namespace, and those of the whole control plane.
func (c *Controller) policies(ctx context.Context, world *plan.World) error {
	control := plan.Control{
		Kinds: map[string]bool{}, Templates: map[plan.Ref]*unstructured.Unstructured{},
		Policies:        map[string]*policyv1alpha1.PropagationPolicy{},
		Overrides:       map[string]*policyv1alpha1.OverridePolicy{},
		ClusterPolicies: map[string]*policyv1alpha1.ClusterPropagationPolicy{},
		Bindings:        map[plan.Ref]*workv1alpha2.ResourceBinding{},
	}
	var policies policyv1alpha1.PropagationPolicyList
	if err := c.Reader.List(ctx, &policies, client.InNamespace(world.Namespace)); err != nil {
		return fmt.Errorf("listing propagation policies: %w", err)
	}
	for i := range policies.Items {
		control.Policies[policies.Items[i].Name] = &policies.Items[i]
	}
	var overrides policyv1alpha1.OverridePolicyList
	if err := c.Reader.List(ctx, &overrides, client.InNamespace(world.Namespace)); err != nil {
		return fmt.Errorf("listing override policies: %w", err)
	}
	for i := range overrides.Items {
		control.Overrides[overrides.Items[i].Name] = &overrides.Items[i]
	}
	var clusterPolicies policyv1alpha1.ClusterPropagationPolicyList
	if err := c.Reader.List(ctx, &clusterPolicies); err != nil {
		return fmt.Errorf("listing cluster propagation policies: %w", err)
	}
	for i := range clusterPolicies.Items {
		control.ClusterPolicies[clusterPolicies.Items[i].Name] = &clusterPolicies.Items[i]
	}
	world.Control = control
	return nil
}

func (c *Controller) template(ctx context.Context, namespace string, ref plan.Ref, control *plan.Control) error {
	template := &unstructured.Unstructured{}
	template.SetAPIVersion(ref.APIVersion)
	template.SetKind(ref.Kind)
	err := c.Reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: ref.Name}, template)
	switch {
	case meta.IsNoMatchError(err):
		return nil
	case err == nil:
		control.Templates[ref] = template
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("reading template %s: %w", policy.User(ref), err)
	}
	control.Kinds[ref.APIVersion+"/"+ref.Kind] = true
	binding := &workv1alpha2.ResourceBinding{}
	err = c.Reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: names.GenerateBindingName(ref.Kind, ref.Name)}, binding)
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return fmt.Errorf("reading the binding of %s: %w", policy.User(ref), err)
	case binding.Spec.Resource.APIVersion == ref.APIVersion && binding.Spec.Resource.Kind == ref.Kind:
		control.Bindings[ref] = binding
	}
	return nil
}

// works of the references in every cluster.
func (c *Controller) works(ctx context.Context, world *plan.World, refs []plan.Ref) error {
	for name := range world.Clusters {
		for _, ref := range refs {
			var work workv1alpha1.Work
			key := client.ObjectKey{Namespace: names.GenerateExecutionSpaceName(name), Name: names.GenerateWorkName(ref.Kind, ref.Name, world.Namespace)}
			if err := c.Reader.Get(ctx, key, &work); err != nil {
				if apierrors.IsNotFound(err) {
					continue
				}
				return fmt.Errorf("reading work %s: %w", key, err)
			}
			world.Clusters[name].Works[ref] = workOf(&work)
		}
	}
	return nil
}

func workOf(work *workv1alpha1.Work) plan.Work {
	out := plan.Work{
		Suspended: ptr.Deref(work.Spec.SuspendDispatching, false),
		Preserve:  ptr.Deref(work.Spec.PreserveResourcesOnDeletion, false),
		Deleting:  !work.DeletionTimestamp.IsZero(),
	}
	if condition := meta.FindStatusCondition(work.Status.Conditions, workv1alpha1.WorkDispatching); condition != nil {
		out.Dispatching = condition.Status
	}
	if manifests := work.Spec.Workload.Manifests; len(manifests) == 1 {
		manifest := &unstructured.Unstructured{}
		if err := manifest.UnmarshalJSON(manifests[0].Raw); err == nil {
			out.Manifest = manifest
		}
	}
	return out
}

// listed finds the application's entry, its turn, and its neighbours.
func (c *Controller) listed(ctx context.Context, migration *v1alpha1.Migration, world *plan.World) error {
	var whitelists v1alpha1.MigrationWhitelistList
	if err := c.Reader.List(ctx, &whitelists); err != nil {
		return fmt.Errorf("listing whitelists: %w", err)
	}
	sort.Slice(whitelists.Items, func(i, j int) bool { return whitelists.Items[i].Name < whitelists.Items[j].Name })
	var migrations v1alpha1.MigrationList
	if err := c.Reader.List(ctx, &migrations); err != nil {
		return fmt.Errorf("listing migrations: %w", err)
	}
	world.Neighbours = neighbours(migrations.Items, migration)
	for i := range whitelists.Items {
		whitelist := &whitelists.Items[i]
		at := entryOf(whitelist, migration)
		switch {
		case at < 0 || !whitelist.DeletionTimestamp.IsZero():
		case world.Entry != nil:
			world.Conflict = whitelist.Name
		default:
			world.Entry, world.Whitelist, world.Mode = &whitelist.Spec.Entries[at], whitelist.Name, whitelist.Spec.Mode
			world.Strategy = strategyOf(whitelist.Spec.Strategy)
			turns, _ := plan.Turns(listedOf(whitelist, migrations.Items), whitelist.Spec.Strategy.BatchWeights)
			world.Turn = turns[at]
		}
	}
	if world.Entry == nil {
		world.Strategy = strategyOf(v1alpha1.MigrationStrategy{})
		if last := whitelistNamed(whitelists.Items, migration.Status.Whitelist); last != nil {
			world.Strategy = strategyOf(last.Spec.Strategy)
		}
	}
	return nil
}

func whitelistNamed(whitelists []v1alpha1.MigrationWhitelist, name string) *v1alpha1.MigrationWhitelist {
	for i := range whitelists {
		if whitelists[i].Name == name {
			return &whitelists[i]
		}
	}
	return nil
}

// entryOf a Migration in a whitelist, or -1.
func entryOf(whitelist *v1alpha1.MigrationWhitelist, migration *v1alpha1.Migration) int {
	for i := range whitelist.Spec.Entries {
		entry := &whitelist.Spec.Entries[i]
		if entry.Namespace == migration.Namespace && entry.WorkloadReference == migration.Spec.WorkloadReference {
			return i
		}
	}
	return -1
}

// listedOf gives each entry of a whitelist the state of its application.
func listedOf(whitelist *v1alpha1.MigrationWhitelist, migrations []v1alpha1.Migration) []plan.Listed {
	states := map[string]plan.State{}
	for i := range migrations {
		states[migrations[i].Namespace+"/"+migrations[i].Name] = plan.StateOf(migrations[i].Spec, migrations[i].Status)
	}
	out := make([]plan.Listed, 0, len(whitelist.Spec.Entries))
	for i := range whitelist.Spec.Entries {
		entry := &whitelist.Spec.Entries[i]
		out = append(out, plan.Listed{
			Environment: entry.Environment, State: states[entry.Namespace+"/"+policy.Name(entry.Kind, entry.Name)],
		})
	}
	return out
}

// neighbours of an application: the others of its namespace, and where each is open.
func neighbours(migrations []v1alpha1.Migration, self *v1alpha1.Migration) map[string]plan.Neighbour {
	out := map[string]plan.Neighbour{}
	for i := range migrations {
		other := &migrations[i]
		if other.Namespace != self.Namespace || other.Name == self.Name {
			continue
		}
		neighbour := plan.Neighbour{Settled: other.Status.Phase == v1alpha1.PhaseFederated, Clusters: map[string]bool{}}
		for _, cluster := range other.Status.Clusters {
			neighbour.Clusters[cluster.Name] = cluster.State == v1alpha1.ClusterOpen
		}
		ref := plan.Ref{APIVersion: other.Spec.APIVersion, Kind: other.Spec.Kind, Name: other.Spec.Name}
		out[policy.User(ref)] = neighbour
	}
	return out
}

// strategyOf fills in what the schema defaults, for whitelists that are gone.
func strategyOf(strategy v1alpha1.MigrationStrategy) plan.Strategy {
	seconds := func(value *int32, fallback int32) time.Duration {
		return time.Duration(ptr.Deref(value, fallback)) * time.Second
	}
	onFailure := strategy.OnFailure
	if onFailure == "" {
		onFailure = v1alpha1.OnFailureRollback
	}
	return plan.Strategy{
		Soak: seconds(strategy.SoakSeconds, 300), StepTimeout: seconds(strategy.StepTimeoutSeconds, 600),
		Approvals: int(ptr.Deref(strategy.RequiredApprovals, 2)), Freeze: strategy.FreezeWindows, OnFailure: onFailure,
		MaxUnavailable: allowance(strategy.Health.MaxUnavailable), Prometheus: strategy.Health.Prometheus,
	}
}

func inside(list []string, name string) bool {
	for _, one := range list {
		if one == name {
			return true
		}
	}
	return false
}
