package release

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	kjson "sigs.k8s.io/json"

	migrationv1alpha1 "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/internal/binding"
	"github.com/argosy-dev/argosy/internal/gate/prometheus"
	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/release/decide"
	"github.com/argosy-dev/argosy/release/hold"
)

// gather reads the world of one Release past every cache.
func (c *Controller) gather(ctx context.Context, release *v1alpha1.Release) (decide.World, *application, error) {
	world := decide.World{Now: c.Clock.Now(), Release: release}
	app, err := c.read(ctx, release)
	if err != nil {
		return world, nil, err
	}
	if app.target != nil {
		world.UnfitReason, world.Unfit = hinders(release, app.target)
	}
	if world.Unfit == "" {
		if world.UnfitReason, world.Unfit, err = c.taken(ctx, release, app.target); err != nil {
			return world, nil, err
		}
	}
	if app.target == nil {
		return world, app, nil
	}
	if world.UnfitReason == v1alpha1.ReasonKindNotStaged {
		world.Template = &decide.Template{}
		return world, app, nil
	}
	if world.Unfit == "" && len(app.missing) > 0 {
		world.UnfitReason, world.Unfit = v1alpha1.ReasonWithMissing,
			"spec.with: "+strings.Join(app.missing, ", ")+" does not exist: make it, or make the Release anew without it"
	}
	world.Template = &decide.Template{Images: images(app.target), Marked: app.marked(release.Name),
		Bound: slices.ContainsFunc(app.objects(), hold.Bound)}
	if world.Template.Revision, world.Template.Contents, err = app.identity(); err != nil {
		return world, nil, err
	}
	if world.Template.Before, err = c.before(ctx, release, app.target); err != nil {
		return world, nil, err
	}
	if world.Overrides, err = c.passes(ctx, release, app); err != nil {
		return world, nil, err
	}
	if world.Template.Bytes, err = app.weigh(release, world.Template.Revision); err != nil {
		return world, nil, err
	}
	if world.Migrating, err = c.migrating(ctx, app.target); err != nil {
		return world, nil, err
	}
	if world.Clusters, err = c.clusters(ctx, app); err != nil {
		return world, nil, err
	}
	world.Gates = c.asked(ctx, release, world.Template.Revision)
	return world, app, nil
}

// asked are the Prometheus queries of the stage that is open.
func (c *Controller) asked(ctx context.Context, release *v1alpha1.Release, revision string) *decide.Gates {
	at := slices.IndexFunc(release.Spec.Stages, func(s v1alpha1.Stage) bool { return s.Name == release.Status.Stage })
	if at < 0 || release.Status.Revision != revision || len(release.Spec.Stages[at].Gates.Prometheus) == 0 {
		return nil
	}
	out := &decide.Gates{Stage: release.Status.Stage}
	ref := release.Spec.TargetRef
	about := prometheus.Application{Namespace: release.Namespace, Kind: ref.Kind, Name: ref.Name}
	for i := range release.Spec.Stages[at].Gates.Prometheus {
		field := fmt.Sprintf("gates.prometheus[%d]", i)
		switch unwell, err := c.Gates.Ask(ctx, &release.Spec.Stages[at].Gates.Prometheus[i], about); {
		case err != nil:
			out.Unanswered = fmt.Sprintf("%s: %v", field, err)
		case unwell != "":
			out.Unwell = fmt.Sprintf("%s: %s", field, unwell)
		}
	}
	return out
}

func (c *Controller) template(ctx context.Context, release *v1alpha1.Release) (*unstructured.Unstructured, error) {
	ref := release.Spec.TargetRef
	template := &unstructured.Unstructured{}
	template.SetGroupVersionKind(schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind))
	err := c.Reader.Get(ctx, client.ObjectKey{Namespace: release.Namespace, Name: ref.Name}, template)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", ref.Kind, ref.Name, err)
	}
	if !template.GetDeletionTimestamp().IsZero() {
		return nil, nil
	}
	return template, nil
}

// hinders says why changes of a template cannot be held, or not in these stages.
func hinders(release *v1alpha1.Release, template *unstructured.Unstructured) (reason, message string) {
	if reason, message = unfit(template); message != "" {
		return reason, message
	}
	return owned(release, template)
}

// unfit says why changes of a template cannot be held.
func unfit(template *unstructured.Unstructured) (reason, message string) {
	family, ok := hold.FamilyOf(template.GroupVersionKind().GroupKind())
	if !ok || family.With {
		return v1alpha1.ReasonKindNotStaged, fmt.Sprintf("%s of %s is not released in stages", template.GetKind(), template.GetAPIVersion())
	}
	if family.Partition == nil {
		return "", ""
	}
	value, ok, err := unstructured.NestedFieldNoCopy(template.Object, family.Partition...)
	if err != nil || !ok || value == int64(0) || value == "0%" {
		return "", ""
	}
	return v1alpha1.ReasonPartitionSet, fmt.Sprintf("%s of the template is %v: take it off, the Release sets it in each cluster",
		strings.Join(family.Partition, "."), value)
}

// owned says why a number of replicas cannot be opened: what divides a cluster's replicas belongs to its member.
func owned(release *v1alpha1.Release, template *unstructured.Unstructured) (reason, message string) {
	numbered := slices.IndexFunc(release.Spec.Stages, func(s v1alpha1.Stage) bool { return s.Updated != nil })
	if numbered < 0 {
		return "", ""
	}
	const instead = ": stage %s cannot open a number of replicas; let stages open clusters, without updated"
	name := release.Spec.Stages[numbered].Name
	switch {
	case template.GetLabels()[mark.Retain] == mark.RetainRollout || template.GetAnnotations()[mark.Retain] == mark.RetainRollout:
		return v1alpha1.ReasonMembersOwn, fmt.Sprintf("%s=%s: the partition is a rollout tool's in each member"+instead, mark.Retain,
			mark.RetainRollout, name)
	case template.GetLabels()[mark.RetainReplicas] == "true":
		// Of replicas that an autoscaler adds, OpenKruise makes every one beyond the partition new.
		return v1alpha1.ReasonMembersOwn, fmt.Sprintf("%s=true: an autoscaler in each member has the last word about replicas"+instead,
			mark.RetainReplicas, name)
	}
	return "", ""
}

// taken says whether an older Release has the target, or an object that is to go out with it.
func (c *Controller) taken(
	ctx context.Context, release *v1alpha1.Release, target *unstructured.Unstructured,
) (reason, message string, err error) {
	var others v1alpha1.ReleaseList
	if err := c.Reader.List(ctx, &others, client.InNamespace(release.Namespace)); err != nil {
		return "", "", fmt.Errorf("listing Releases: %w", err)
	}
	for i := range others.Items {
		other := &others.Items[i]
		older := other.CreationTimestamp.Before(&release.CreationTimestamp) ||
			other.CreationTimestamp.Equal(&release.CreationTimestamp) && other.Name < release.Name
		if other.Name == release.Name || !older {
			continue
		}
		if other.Spec.TargetRef.Kind == release.Spec.TargetRef.Kind && other.Spec.TargetRef.Name == release.Spec.TargetRef.Name {
			return v1alpha1.ReasonTargetTaken, "Release " + other.Name + " has the target already: delete one of them", nil
		}
		for _, with := range release.Spec.With {
			if slices.Contains(other.Spec.With, with) {
				return v1alpha1.ReasonTargetTaken, fmt.Sprintf("%s %s goes out with Release %s already: an object belongs to one Release",
					with.Kind, with.Name, other.Name), nil
			}
		}
	}
	if hold.Staged(target) {
		marked := target.GetLabels()[v1alpha1.LabelStaged]
		gone := !slices.ContainsFunc(others.Items, func(r v1alpha1.Release) bool { return r.Name == marked && targets(&r, target) })
		if marked != release.Name && gone {
			return v1alpha1.ReasonTargetTaken, fmt.Sprintf("the target bears the marks of Release %s, which is gone, and what that held is held: "+
				"make it anew under that name; it takes up what it finds", marked), nil
		}
	}
	return "", "", nil
}

// migrating is the phase of a Migration that has the application between static management and federation.
func (c *Controller) migrating(ctx context.Context, template *unstructured.Unstructured) (string, error) {
	var list migrationv1alpha1.MigrationList
	err := c.Reader.List(ctx, &list, client.InNamespace(template.GetNamespace()))
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("listing Migrations: %w", err)
	}
	for i := range list.Items {
		one := &list.Items[i]
		if one.Spec.Name != template.GetName() ||
			schema.FromAPIVersionAndKind(one.Spec.APIVersion, one.Spec.Kind).GroupKind() != template.GroupVersionKind().GroupKind() {
			continue
		}
		if phase := one.Status.Phase; phase != migrationv1alpha1.PhaseFederated && phase != migrationv1alpha1.PhaseLeft {
			return string(phase), nil
		}
	}
	return "", nil
}

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

// reported is what a Work says, and what its member said of it.
func reported(work *workv1alpha1.Work) (*decide.Work, error) {
	out := &decide.Work{Suspended: ptr.Deref(work.Spec.SuspendDispatching, false)}
	answer := binding.AnswerOf(work)
	if out.Taken = answer.Taken; answer.Refused {
		out.Refused = answer.Failure
	} else {
		out.Unanswered = answer.Failure
	}
	if len(work.Spec.Workload.Manifests) == 0 {
		return out, nil
	}
	manifest := &unstructured.Unstructured{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(work.Spec.Workload.Manifests[0].Raw, &manifest.Object); err != nil {
		return nil, fmt.Errorf("decoding Work %s/%s: %w", work.Namespace, work.Name, err)
	}
	marks := manifest.GetAnnotations()
	out.Revision, out.Bound = marks[v1alpha1.AnnotationRevision], hold.Bound(manifest)
	if n, err := strconv.ParseInt(marks[v1alpha1.AnnotationShare], 10, 32); err == nil {
		out.Share = &n
	}
	item := reportOf(work, manifest)
	if item == nil {
		return out, nil
	}
	status, err := statusOf(work, manifest)
	if err != nil {
		return nil, err
	}
	count(out, manifest, status)
	out.Healthy = item.Health == workv1alpha1.ResourceHealthy
	out.Unjudged = !out.Healthy && item.Health != workv1alpha1.ResourceUnhealthy
	return out, nil
}

// reportOf a manifest is what the member told of it; nil for nothing.
func reportOf(work *workv1alpha1.Work, manifest *unstructured.Unstructured) *workv1alpha1.ManifestStatus {
	at := slices.IndexFunc(work.Status.ManifestStatuses, func(item workv1alpha1.ManifestStatus) bool {
		return item.Status != nil && item.Identifier.Kind == manifest.GetKind() && item.Identifier.Name == manifest.GetName()
	})
	if at < 0 {
		return nil
	}
	return &work.Status.ManifestStatuses[at]
}

// statusOf a manifest, as the member reported it; empty when it did not.
func statusOf(work *workv1alpha1.Work, manifest *unstructured.Unstructured) (map[string]any, error) {
	status := map[string]any{}
	item := reportOf(work, manifest)
	if item == nil {
		return status, nil
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(item.Status.Raw, &status); err != nil {
		return nil, fmt.Errorf("decoding the status in Work %s/%s: %w", work.Namespace, work.Name, err)
	}
	return status, nil
}

// ran says whether the member's controller has seen the object of a Work, in whatever revision.
func ran(status map[string]any) bool {
	generation, ok := status["observedGeneration"].(int64)
	return ok && generation > 0
}

// count what a member reported. It is about this manifest when it bears its generation of the template, and its revision: overrides that
// are held change without the template. And the member's controller has seen the member's own.
func count(out *decide.Work, manifest *unstructured.Unstructured, status map[string]any) {
	first := func(names ...string) int64 {
		for _, name := range names {
			if n, ok := status[name].(int64); ok {
				return n
			}
		}
		return 0
	}
	out.Ran = ran(status)
	of, err := strconv.ParseInt(manifest.GetAnnotations()[mark.TemplateGeneration], 10, 64)
	out.Observed = err == nil && first("resourceTemplateGeneration") == of && first("observedGeneration") >= first("generation")
	out.Observed = out.Observed && ofRevision(out, manifest, status)
	out.Updated = first("updatedReplicas", "updatedNumberScheduled")
	out.Ready = first("availableReplicas", "numberAvailable")
	if isDeployment(manifest) {
		out.Old = max(0, first("replicas")-out.Updated) // kubectl rollout status waits for them too
	}
	out.Desired = first("desiredNumberScheduled")
	if replicas, ok, err := unstructured.NestedInt64(manifest.Object, "spec", "replicas"); ok && err == nil {
		out.Desired = replicas
	}
	if manifest.GetLabels()[mark.RetainReplicas] == "true" {
		out.Desired = first("replicas") // the member's own autoscaler has the last word
	}
}

// ofRevision says whether a report is of the revision the Work bears. Where it does not say of which it is, the template's generation must
// do: it does where each revision is another template, and of a Deployment, whose generation rises with its annotations, marks of ours
// among them. Karmada reports of those itself.
func ofRevision(out *decide.Work, manifest *unstructured.Unstructured, status map[string]any) bool {
	if of, told := status[v1alpha1.StatusRevision].(string); told {
		return of == out.Revision
	}
	// A program before this one reported it, or nobody has since the overrides are held.
	out.Untold = hold.HoldsOverrides(manifest) && !isDeployment(manifest)
	return !out.Untold
}

func isDeployment(manifest *unstructured.Unstructured) bool {
	kind := manifest.GroupVersionKind()
	return kind.Group == appsv1.GroupName && kind.Kind == "Deployment"
}

func images(template *unstructured.Unstructured) []string {
	if image, ok, err := unstructured.NestedString(template.Object, "spec", "image"); ok && err == nil {
		return []string{image} // of a Component
	}
	containers, _, err := unstructured.NestedSlice(template.Object, "spec", "template", "spec", "containers")
	if err != nil {
		return nil
	}
	var out []string
	for _, item := range containers {
		if container, ok := item.(map[string]any); ok {
			if image, ok := container["image"].(string); ok {
				out = append(out, image)
			}
		}
	}
	return out
}
