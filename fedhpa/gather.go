package fedhpa

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	migration "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/decide"
	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/internal/binding"
	"github.com/argosy-dev/argosy/internal/mark"
)

// targetPatience is how long a first look at targets of a kind may take. A cache that may not list the kind never has an answer.
const targetPatience = 5 * time.Second

// view is everything one reconcile has read: the world for decide, and the objects apply writes to.
type view struct {
	world decide.World
	fed   *api.FedHPA
	// planned is the FedHPA with the status it is to have: by its division members' metrics are shared.
	planned *api.FedHPA
	target  *metav1.PartialObjectMetadata
	binding *workv1alpha2.ResourceBinding
	// works are those of members' autoscalers, by cluster.
	works map[string]*workv1alpha1.Work
}

func (v *view) key() types.NamespacedName { return client.ObjectKeyFromObject(v.fed) }

// gatherer reads the world. Everything but the scale of a changed target comes from watches.
type gatherer struct {
	// client reads from the manager's caches; live reads where a stale answer would mislead.
	client client.Reader
	live   client.Reader
	// reach reads in members what must not be late.
	reach interface {
		Client(ctx context.Context, cluster string) (client.Client, error)
	}
	// works holds the Works of members' autoscalers only, and targets the metadata of targets.
	works, targets client.Reader
	keda           *autoscalers.ScaledObjects
	scales         *scales
	unlistable     *unlistable
	room           *room
}

// gather reads what the decision for one FedHPA needs.
func (g *gatherer) gather(ctx context.Context, fed *api.FedHPA) (*view, error) {
	v := &view{fed: fed, world: decide.World{
		UID: string(fed.UID), Name: fed.Name, Generation: fed.Generation, Spec: fed.Spec, Status: fed.Status,
		Finalizer: slices.Contains(fed.Finalizers, api.FedHPAReleaseFinalizer),
	}}
	if fed.DeletionTimestamp != nil {
		v.world.Deleting, v.world.DeletedAt = true, fed.DeletionTimestamp.Time
	}
	for _, read := range []func(context.Context, *view) error{g.bounds, g.readTarget, g.rivals, g.readBinding, g.members} {
		if err := read(ctx, v); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// bounds are the spec's, unless a CronHPA aims at this FedHPA and has a rule in force.
func (g *gatherer) bounds(ctx context.Context, v *view) error {
	v.world.Bounds = decide.Bounds{Min: v.fed.Spec.MinReplicas, Max: v.fed.Spec.MaxReplicas}
	var crons api.CronHPAList
	if err := g.client.List(ctx, &crons, client.InNamespace(v.fed.Namespace), client.MatchingFields{cronTargetIndex: v.fed.Name}); err != nil {
		return fmt.Errorf("listing CronHPAs of FedHPA %s/%s: %w", v.fed.Namespace, v.fed.Name, err)
	}
	// Of several the oldest counts, as for their own controller, whatever the cache lists first.
	slices.SortFunc(crons.Items, func(a, b api.CronHPA) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	for _, cron := range crons.Items {
		if b := cron.Status.Bounds; b != nil && cron.DeletionTimestamp.IsZero() {
			v.world.Bounds.Min = ptr.Deref(b.MinReplicas, v.world.Bounds.Min)
			v.world.Bounds.Max = ptr.Deref(b.MaxReplicas, v.world.Bounds.Max)
			v.world.Bounds.From = fmt.Sprintf("CronHPA %s, rule %s", cron.Name, b.RuleName)
			return nil
		}
	}
	return nil
}

func targetGVK(fed *api.FedHPA) schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(fed.Spec.ScaleTargetRef.APIVersion, fed.Spec.ScaleTargetRef.Kind)
}

// readTarget reads the workload's metadata and its replicas.
func (g *gatherer) readTarget(ctx context.Context, v *view) error {
	gvk, key := targetGVK(v.fed), types.NamespacedName{Namespace: v.fed.Namespace, Name: v.fed.Spec.ScaleTargetRef.Name}
	if g.unlistable.has(gvk) {
		v.world.Problem = forbiddenKind(gvk)
		return nil
	}
	target := &metav1.PartialObjectMetadata{}
	target.SetGroupVersionKind(gvk)
	first, cancel := context.WithTimeout(ctx, targetPatience)
	err := g.targets.Get(first, key, target)
	cancel()
	switch {
	case apierrors.IsNotFound(err):
		g.scales.forget(v.key())
		return nil
	case meta.IsNoMatchError(err):
		g.scales.forget(v.key())
		v.world.Problem = &decide.Problem{Reason: api.FedHPAReasonTargetKindUnknown,
			Message: fmt.Sprintf("karmada-apiserver does not serve %s %s: install its CRD there, or correct spec.scaleTargetRef",
				gvk.GroupVersion(), gvk.Kind)}
		return nil
	case err != nil:
		// A cache that may not list a kind only ever says that it took too long: ask for the reason.
		if g.forbidden(ctx, gvk, key.Namespace) {
			g.unlistable.add(gvk)
			v.world.Problem = forbiddenKind(gvk)
			return nil
		}
		return fmt.Errorf("reading target %s %s: %w", gvk.Kind, key, err)
	}
	v.target = target
	replicas, err := g.scales.replicas(ctx, g.live, v.key(), target)
	switch {
	case apierrors.IsNotFound(err):
		v.world.Problem = &decide.Problem{Reason: api.FedHPAReasonTargetNotScalable,
			Message: fmt.Sprintf("%s %s has no scale subresource in karmada-apiserver: only scalable kinds can be autoscaled", gvk.Kind, key.Name)}
		return nil
	case apierrors.IsForbidden(err):
		v.world.Problem = forbiddenKind(gvk)
		return nil
	case err != nil:
		return fmt.Errorf("reading scale of %s %s: %w", gvk.Kind, key, err)
	}
	v.world.Template = &decide.Template{
		Replicas:   replicas,
		Retain:     target.Labels[mark.RetainReplicas] == "true",
		RetainOurs: target.Annotations[api.FedHPARetainedByAnnotation] == v.fed.Name,
		CutOff:     target.Annotations[migration.AnnotationCutOff] != "",
	}
	return nil
}

// forbidden reports whether targets of this kind may not be listed, by asking.
func (g *gatherer) forbidden(ctx context.Context, gvk schema.GroupVersionKind, namespace string) bool {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	return apierrors.IsForbidden(g.live.List(ctx, list, client.InNamespace(namespace), client.Limit(1)))
}

func forbiddenKind(gvk schema.GroupVersionKind) *decide.Problem {
	return &decide.Problem{Reason: api.FedHPAReasonTargetForbidden, Message: fmt.Sprintf(
		"argosy-controller-manager has no right to scale %s of %s: give it a ClusterRole in karmada-apiserver with get, list, watch and "+
			"patch of the kind, and get and patch of its scale",
		gvk.Kind, gvk.GroupVersion())}
}

// readBinding reads the scheduling result.
func (g *gatherer) readBinding(ctx context.Context, v *view) error {
	gvk, ref := targetGVK(v.fed), v.fed.Spec.ScaleTargetRef
	found, err := binding.Of(ctx, g.client, types.NamespacedName{Namespace: v.fed.Namespace, Name: ref.Name}, gvk.GroupKind())
	if err != nil || found == nil || !found.DeletionTimestamp.IsZero() {
		return err
	}
	v.binding = found
	v.world.Binding = bindingOf(found)
	if v.target != nil {
		v.world.Binding.Ahead = binding.MadeAfter(found, v.target.ResourceVersion)
	}
	return nil
}

func bindingOf(b *workv1alpha2.ResourceBinding) *decide.Binding {
	out := &decide.Binding{
		Settled:  binding.Settled(b),
		Claimed:  binding.ClaimedBy(b) != "",
		Divided:  binding.Divided(b),
		Evicting: binding.Evicting(b),
		Replicas: b.Spec.Replicas,
		Clusters: decide.Counts{},
		Ledger:   decide.ParseCounts(b.Annotations[api.FedHPALedgerAnnotation]),
	}
	for _, c := range b.Spec.Clusters {
		out.Clusters[c.Name] = c.Replicas
	}
	if last := b.Annotations[api.FedHPALettingGoAnnotation]; last != "" {
		out.LettingGo, out.CaughtUp = true, binding.MadeAfter(b, last)
	}
	out.Suspended = b.Spec.SchedulingSuspended()
	if at := b.Spec.RescheduleTriggeredAt; at != nil {
		out.RescheduledAt = at.Time
	}
	if at := b.Status.LastScheduledTime; at != nil {
		out.ScheduledAt = at.Time
	}
	return out
}

// scales remembers the replicas of each FedHPA's target as long as its resourceVersion stays the same, so that an idle FedHPA costs no
// request.
type scales struct {
	mu    sync.Mutex
	known map[types.NamespacedName]knownScale
}

type knownScale struct {
	target   types.UID
	version  string
	replicas int32
}

func (s *scales) replicas(ctx context.Context, reader client.Reader, fed types.NamespacedName,
	target *metav1.PartialObjectMetadata) (int32, error) {
	s.mu.Lock()
	known := s.known[fed]
	s.mu.Unlock()
	if known.target == target.UID && known.version == target.ResourceVersion {
		return known.replicas, nil
	}
	scale, err := readScale(ctx, reader, target)
	if err != nil {
		return 0, err
	}
	replicas, _, err := unstructured.NestedInt64(scale.Object, "spec", "replicas")
	if err != nil {
		return 0, fmt.Errorf("spec.replicas of the scale: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[fed] = knownScale{target: target.UID, version: scale.GetResourceVersion(), replicas: int32(replicas)}
	return int32(replicas), nil
}

// forget drops what is no longer there.
func (s *scales) forget(fed types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, fed)
}

// readScale reads the scale subresource as an object, whatever the target's kind.
func readScale(ctx context.Context, reader client.Reader, target *metav1.PartialObjectMetadata) (*unstructured.Unstructured, error) {
	owner, scale := asUnstructured(target), &unstructured.Unstructured{}
	scale.SetGroupVersionKind(schema.GroupVersionKind{Group: "autoscaling", Version: "v1", Kind: "Scale"})
	subresources, ok := reader.(client.SubResourceClientConstructor)
	if !ok {
		return nil, fmt.Errorf("reading scale of %s: this client has no subresources", target.Name)
	}
	if err := subresources.SubResource("scale").Get(ctx, owner, scale); err != nil {
		return nil, err
	}
	return scale, nil
}

func asUnstructured(target *metav1.PartialObjectMetadata) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(target.GroupVersionKind())
	u.SetNamespace(target.Namespace)
	u.SetName(target.Name)
	return u
}
