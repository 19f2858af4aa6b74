package scalein

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
	migration "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/internal/binding"
	"github.com/argosy-dev/argosy/internal/mark"
)

// gathered are the facts and the objects behind them, whose resourceVersions guard the writes.
type gathered struct {
	facts
	templateObject *unstructured.Unstructured
	bindingObject  *workv1alpha2.ResourceBinding
}

// gather reads everything live: a decision on stale counts would remove other pods than those named.
func (r *Reconciler) gather(ctx context.Context, order *v1alpha1.PodScaleIn) (gathered, error) {
	seen := gathered{facts: facts{order: order, now: r.clock.Now(), works: map[string]work{}, members: map[string]member{}}}
	if err := r.gatherTemplate(ctx, &seen); err != nil || seen.template == nil {
		return seen, err
	}
	if err := r.gatherBinding(ctx, &seen); err != nil || seen.binding == nil {
		return seen, err
	}
	if err := r.gatherRivals(ctx, &seen); err != nil {
		return seen, err
	}
	matter := slices.Sorted(maps.Keys(seen.clustersThatMatter()))
	// Before there is a plan no Work is waited for, and every cluster may matter.
	for _, cluster := range order.Status.Clusters {
		if err := r.gatherWork(ctx, &seen, cluster.Name); err != nil {
			return seen, err
		}
	}
	seen.members = eachMember(ctx, matter, func(cluster string) member { return r.gatherMember(ctx, seen, cluster) })
	if order.Status.RequestID == "" {
		r.gatherStrangers(ctx, &seen)
	}
	return seen, nil
}

// clustersThatMatter are those of the plan; before there is one, those named, and all if a pod is named without.
func (f facts) clustersThatMatter() map[string]bool {
	out := map[string]bool{}
	for _, cluster := range f.order.Status.Clusters {
		out[cluster.Name] = true
	}
	if len(out) > 0 {
		return out
	}
	named := func(cluster string) {
		if _, holds := f.binding.of(cluster); holds {
			out[cluster] = true
		}
	}
	every := func() {
		for _, cluster := range f.binding.clusters {
			out[cluster.name] = true
		}
	}
	for _, ref := range f.order.Spec.Pods {
		if named(ref.Cluster); ref.Cluster == "" {
			every()
		}
	}
	if selection := f.order.Spec.Select; selection != nil {
		for _, cluster := range selection.Clusters {
			named(cluster)
		}
		if len(selection.Clusters) == 0 {
			every()
		}
	}
	return out
}

func (r *Reconciler) gatherTemplate(ctx context.Context, seen *gathered) error {
	object := workloadOf(seen.order)
	err := r.reader.Get(ctx, client.ObjectKeyFromObject(object), object)
	// Without OpenKruise's CRDs there is no CloneSet either, nor a set without ours.
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		seen.kindUnknown = meta.IsNoMatchError(err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	seen.templateObject = object
	seen.template = templateFacts(object)
	return nil
}

func templateFacts(object *unstructured.Unstructured) *template {
	t := &template{
		replicas:    replicasOf(object),
		request:     object.GetAnnotations()[v1alpha1.ScaleInRequestAnnotation],
		lowered:     object.GetAnnotations()[v1alpha1.ScaleInLoweredAnnotation],
		loweredFrom: object.GetAnnotations()[v1alpha1.ScaleInLoweredFromAnnotation],
		adopt:       wish(object.GetAnnotations()[v1alpha1.ScaleInAdoptAnnotation]),
		retained:    object.GetLabels()[mark.RetainReplicas] == "true",
		cutOff:      object.GetAnnotations()[migration.AnnotationCutOff] != "",
	}
	if object.GroupVersionKind().GroupKind() == setKind.GroupKind() {
		t.set, t.adopt = true, wishOfSet(object)
	}
	return t
}

// wish is the annotation's value as far as it is one of the known.
func wish(value string) string {
	if value == v1alpha1.AdoptOnce || value == v1alpha1.AdoptAlways {
		return value
	}
	return ""
}

func (r *Reconciler) gatherBinding(ctx context.Context, seen *gathered) error {
	target := seen.order.Spec.TargetRef
	object, err := binding.Of(ctx, r.reader, client.ObjectKey{Namespace: seen.order.Namespace, Name: target.Name},
		seen.templateObject.GroupVersionKind().GroupKind())
	if err != nil || object == nil {
		return err
	}
	seen.bindingObject, seen.binding = object, bindingFacts(object)
	// The present version would be too much to ask: Karmada makes the binding anew only when the template's specification changes, and
	// statuses change all the time.
	seen.caughtUp = binding.MadeAfter(object, seen.template.loweredFrom)
	return nil
}

func bindingFacts(object *workv1alpha2.ResourceBinding) *division {
	b := &division{
		replicas:  object.Spec.Replicas,
		loweredOf: number(object.Annotations[v1alpha1.ScaleInLoweredOfAnnotation]),
		lowered:   object.Annotations[v1alpha1.ScaleInLoweredAnnotation],
		suspended: object.Spec.SchedulingSuspended(),
		evicting:  len(binding.Evicting(object)) > 0,
		observed:  binding.Settled(object),
		divided:   binding.Divided(object),
	}
	for _, c := range object.Spec.Clusters {
		b.clusters = append(b.clusters, clusterReplicas{name: c.Name, replicas: c.Replicas})
	}
	return b
}

// gatherRivals finds whoever else sets the replicas.
func (r *Reconciler) gatherRivals(ctx context.Context, seen *gathered) error {
	target := seen.order.Spec.TargetRef
	ref := autoscalingv2.CrossVersionObjectReference{APIVersion: target.APIVersion, Kind: target.Kind, Name: target.Name}
	owner, err := autoscalers.Find(ctx, r.cache, seen.order.Namespace, ref, autoscalers.Indexed(ref))
	if err != nil {
		return err
	}
	if owner != nil {
		seen.owner = owner.Kind + " " + owner.Name
	}
	if seen.owner == "" {
		if seen.owner, err = r.scaledObject(ctx, seen.order.Namespace, ref); err != nil {
			return err
		}
	}
	var orders v1alpha1.PodScaleInList
	if err := r.cache.List(ctx, &orders, client.InNamespace(seen.order.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing PodScaleIns: %w", err)
	}
	for i := range orders.Items {
		if other := &orders.Items[i]; other.Spec.TargetRef.Name == target.Name && isAhead(other, seen.order) {
			seen.busy = "PodScaleIn " + other.Name
		}
	}
	return nil
}

// isAhead is whether the other order is at work and goes first. Of two accepted at once it is the one that started earlier.
func isAhead(other, order *v1alpha1.PodScaleIn) bool {
	if other.UID == order.UID || other.Status.StartTime == nil || other.Status.CompletionTime != nil {
		return false
	}
	if order.Status.StartTime == nil {
		return true
	}
	if !other.Status.StartTime.Equal(order.Status.StartTime) {
		return other.Status.StartTime.Before(order.Status.StartTime)
	}
	return other.Name < order.Name
}

func (r *Reconciler) gatherWork(ctx context.Context, seen *gathered, cluster string) error {
	target := seen.order.Spec.TargetRef
	object := &workv1alpha1.Work{}
	key := client.ObjectKey{
		Namespace: names.GenerateExecutionSpaceName(cluster),
		Name:      names.GenerateWorkName(target.Kind, target.Name, seen.order.Namespace),
	}
	err := r.reader.Get(ctx, key, object)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading Work %s of cluster %s: %w", key.Name, cluster, err)
	}
	var found work
	if manifests := object.Spec.Workload.Manifests; len(manifests) == 1 {
		manifest := &unstructured.Unstructured{}
		if err := json.Unmarshal(manifests[0].Raw, &manifest.Object); err != nil {
			return fmt.Errorf("reading the manifest in Work %s of cluster %s: %w", key.Name, cluster, err)
		}
		found.request = manifest.GetAnnotations()[v1alpha1.ScaleInRequestAnnotation]
		found.replicas = replicasOf(manifest)
	}
	found.failure = binding.AnswerOf(object).Failure
	seen.works[cluster] = found
	return nil
}

// sideBySide is how many members one look reads at a time: those that are away cost a timeout each.
const sideBySide = 16

// eachMember reads the members of a look side by side. One that is not asked any more, since the manager stops, is unknown.
func eachMember(ctx context.Context, clusters []string, read func(cluster string) member) map[string]member {
	found := make([]member, len(clusters))
	for i := range found {
		found[i].unreachable = "it was not asked"
	}
	workqueue.ParallelizeUntil(ctx, sideBySide, len(clusters), func(i int) { found[i] = read(clusters[i]) })
	out := make(map[string]member, len(clusters))
	for i, cluster := range clusters {
		out[cluster] = found[i]
	}
	return out
}

// gatherMember reads one member. What cannot be read makes the whole member unknown.
func (r *Reconciler) gatherMember(ctx context.Context, seen gathered, cluster string) member {
	m, err := r.readMember(ctx, seen, cluster)
	if err != nil {
		return member{unreachable: err.Error()}
	}
	return m
}

// readWorkload is the CloneSet in one member, without its pods.
func (r *Reconciler) readWorkload(ctx context.Context, order *v1alpha1.PodScaleIn, cluster string) (member, client.Client, error) {
	api, err := r.members.Client(ctx, cluster)
	if err != nil {
		return member{}, nil, err
	}
	var m member
	object := workloadOf(order)
	switch err := api.Get(ctx, client.ObjectKeyFromObject(object), object); {
	case err == nil:
		m.uid, m.replicas = string(object.GetUID()), replicasOf(object)
		m.delivered = object.GetAnnotations()[v1alpha1.ScaleInDeliveredAnnotation]
	case !apierrors.IsNotFound(err):
		return member{}, nil, fmt.Errorf("reading CloneSet: %w", err)
	}
	return m, api, nil
}

func (r *Reconciler) readMember(ctx context.Context, seen gathered, cluster string) (member, error) {
	m, api, err := r.readWorkload(ctx, seen.order, cluster)
	if err != nil {
		return member{}, err
	}
	m.pods = map[string]pod{}
	var pods corev1.PodList
	selector, err := selectorOf(seen.templateObject)
	if err != nil {
		return member{}, err
	}
	inNamespace := client.InNamespace(seen.order.Namespace)
	if err := api.List(ctx, &pods, inNamespace, client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return member{}, fmt.Errorf("listing pods: %w", err)
	}
	for _, p := range pods.Items {
		m.pods[p.Name] = podFacts(&p)
	}
	if seen.order.Status.RequestID != "" && seen.template.lowered == seen.order.Status.RequestID {
		return m, nil // What budgets allow was asked before the replicas were lowered.
	}
	var budgets policyv1.PodDisruptionBudgetList
	if err := api.List(ctx, &budgets, inNamespace); err != nil {
		return member{}, fmt.Errorf("listing pod disruption budgets: %w", err)
	}
	for _, b := range budgets.Items {
		covers, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err != nil {
			return member{}, fmt.Errorf("reading the selector of PodDisruptionBudget %s: %w", b.Name, err)
		}
		m.budgets = append(m.budgets, budget{name: b.Name, allowed: b.Status.DisruptionsAllowed, pods: matching(pods.Items, covers)})
	}
	return m, nil
}

func podFacts(p *corev1.Pod) pod {
	out := pod{terminating: p.DeletionTimestamp != nil, node: p.Spec.NodeName, labels: p.Labels}
	if owner := metav1.GetControllerOf(p); owner != nil {
		out.owner, out.ownerName = string(owner.UID), owner.Kind+" "+owner.Name
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			out.ready = c.Status == corev1.ConditionTrue
		}
	}
	return out
}

func matching(pods []corev1.Pod, selector labels.Selector) map[string]bool {
	out := map[string]bool{}
	for _, p := range pods {
		if selector.Matches(labels.Set(p.Labels)) {
			out[p.Name] = true
		}
	}
	return out
}

// number is what an annotation says; 0 for none.
func number(value string) int32 {
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil {
		return 0
	}
	return int32(n)
}

// workloadOf names the workload of the order, in the control plane and in every member.
func workloadOf(order *v1alpha1.PodScaleIn) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(order.Spec.TargetRef.APIVersion)
	object.SetKind(order.Spec.TargetRef.Kind)
	object.SetNamespace(order.Namespace)
	object.SetName(order.Spec.TargetRef.Name)
	return object
}

// replicasOf is spec.replicas; the API's default is 1.
func replicasOf(object *unstructured.Unstructured) int32 {
	replicas, ok, err := unstructured.NestedInt64(object.Object, "spec", "replicas")
	if !ok || err != nil {
		return 1
	}
	return int32(replicas)
}

func selectorOf(object *unstructured.Unstructured) (labels.Selector, error) {
	fields, _, err := unstructured.NestedMap(object.Object, "spec", "selector")
	if err != nil {
		return nil, fmt.Errorf("reading spec.selector of CloneSet %s: %w", object.GetName(), err)
	}
	var selector metav1.LabelSelector
	text, err := json.Marshal(fields)
	if err == nil {
		err = json.Unmarshal(text, &selector)
	}
	if err != nil {
		return nil, fmt.Errorf("reading spec.selector of CloneSet %s: %w", object.GetName(), err)
	}
	return metav1.LabelSelectorAsSelector(&selector)
}
