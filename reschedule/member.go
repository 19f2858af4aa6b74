package reschedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	componentv1alpha1 "github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/internal/text"
	"github.com/argosy-dev/argosy/reschedule/decide"
)

// longestWhy is what is kept of a scheduler's message.
const longestWhy = 200

// errNobodyWaits: no pod of the workload is refused by its scheduler, so that nothing more was read.
var errNobodyWaits = errors.New("no pod of it waits for a node")

// workload reads the member's object of the binding and, unless all its replicas are ready, its pods; nil where the member has none. With
// ifWaits it ends at errNobodyWaits as soon as that is known: by what waits in the namespace, which is listed for all workloads there.
func (c *Controller) workload(ctx context.Context, seen *gathered, cluster string, ifWaits bool) (*decide.Workload, error) {
	api, err := c.members.Client(ctx, cluster)
	if err != nil {
		return nil, err
	}
	at := place{cluster, seen.binding.Spec.Resource.Namespace}
	var refused []corev1.Pod
	if ifWaits {
		if refused, err = c.refusedPods(ctx, api, at); err != nil {
			return nil, err
		}
		if len(refused) == 0 {
			return nil, errNobodyWaits
		}
	}
	object, out, err := stands(ctx, api, seen.binding.Spec.Resource)
	if err != nil || out == nil || out.Whole {
		return out, err
	}
	selector, err := selectorOf(object)
	if err != nil || selector == nil {
		return out, err
	}
	if ifWaits && !slices.ContainsFunc(refused, func(p corev1.Pod) bool { return selector.Matches(labels.Set(p.Labels)) }) {
		return nil, errNobodyWaits
	}
	pods, err := podsOf(ctx, api, object, selector)
	if err != nil {
		return nil, err
	}
	out.Pods, err = c.podFacts(ctx, api, at, pods, seen.world.Now.Add(-seen.world.Settings.Unschedulable))
	return out, err
}

// stands is the member's object that makes the pods, and how it stands, without them; nil where there is none.
func stands(
	ctx context.Context, api client.Reader, ref workv1alpha2.ObjectReference,
) (*unstructured.Unstructured, *decide.Workload, error) {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind))
	if err := api.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, object); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil, nil
		}
		return nil, nil, fmt.Errorf("reading %s %s: %w", ref.Kind, ref.Name, err)
	}
	replicas := replicasOf(object)
	if object.GroupVersionKind().Group == componentv1alpha1.GroupVersion.Group {
		// A Component's pods are those of the workload made of it, which has the counts of its rollout too.
		var err error
		if object, err = rendered(ctx, api, object); err != nil || object == nil {
			return nil, nil, err
		}
	}
	out := &decide.Workload{Replicas: replicas, Amid: amid(object), Ordinal: object.GetKind() == "StatefulSet"}
	if made := replicasOf(object); made != replicas {
		out.Amid = fmt.Sprintf("its %s has %d of %d replicas", object.GetKind(), made, replicas)
	}
	out.Whole = out.Amid == "" && whole(object)
	return object, out, nil
}

// whole reports whether a workload says that it has as many pods as it shall have, all of them ready: then none waits.
func whole(object *unstructured.Unstructured) bool {
	shall := int64(replicasOf(object))
	has, _, _ := unstructured.NestedInt64(object.Object, "status", "replicas")
	ready, known, _ := unstructured.NestedInt64(object.Object, "status", "readyReplicas")
	return known && has == shall && ready == shall
}

// rendered is the workload that was made of a Component; nil while there is none.
func rendered(ctx context.Context, api client.Reader, component *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	for _, kind := range []string{"Deployment", "StatefulSet"} {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind(kind + "List"))
		if err := api.List(ctx, list, client.InNamespace(component.GetNamespace()),
			client.MatchingLabels{componentv1alpha1.LabelComponent: component.GetName()}); err != nil {
			return nil, fmt.Errorf("listing the %ss of Component %s: %w", kind, component.GetName(), err)
		}
		for i := range list.Items {
			if metav1.IsControlledBy(&list.Items[i], component) {
				list.Items[i].SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind(kind))
				return &list.Items[i], nil
			}
		}
	}
	return nil, nil
}

// podsOf a workload: those its selector finds and its chain of controllers leads to.
func podsOf(ctx context.Context, api client.Reader, object *unstructured.Unstructured, selector labels.Selector) ([]corev1.Pod, error) {
	options := []client.ListOption{client.InNamespace(object.GetNamespace()), client.MatchingLabelsSelector{Selector: selector}}
	owners := map[types.UID]bool{object.GetUID(): true}
	if object.GetKind() == "Deployment" {
		var sets appsv1.ReplicaSetList
		if err := api.List(ctx, &sets, options...); err != nil {
			return nil, fmt.Errorf("listing ReplicaSets: %w", err)
		}
		for i := range sets.Items {
			if metav1.IsControlledBy(&sets.Items[i], object) {
				owners[sets.Items[i].UID] = true
			}
		}
	}
	var list corev1.PodList
	if err := api.List(ctx, &list, options...); err != nil {
		return nil, fmt.Errorf("listing pods: %w", err)
	}
	var out []corev1.Pod
	for i := range list.Items {
		p := &list.Items[i]
		owner := metav1.GetControllerOfNoCopy(p)
		if owner != nil && owners[owner.UID] && p.Status.Phase != corev1.PodFailed && p.Status.Phase != corev1.PodSucceeded {
			out = append(out, *p)
		}
	}
	return out, nil
}

// selectorOf a workload's pods; nil for machines, and whatever else has no pods.
func selectorOf(object *unstructured.Unstructured) (labels.Selector, error) {
	raw, ok, err := unstructured.NestedMap(object.Object, "spec", "selector")
	if err != nil || !ok {
		return nil, nil
	}
	parsed := &metav1.LabelSelector{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, parsed); err != nil {
		return nil, fmt.Errorf("reading spec.selector of %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	selector, err := metav1.LabelSelectorAsSelector(parsed)
	if err != nil {
		return nil, fmt.Errorf("reading spec.selector of %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	if selector.Empty() {
		return nil, nil // it would be every pod
	}
	return selector, nil
}

// podFacts are what a decision needs of pods; more is read only of those that were refused before ripe, which may move.
func (c *Controller) podFacts(ctx context.Context, api client.Reader, at place, pods []corev1.Pod, ripe time.Time) ([]decide.Pod, error) {
	var out []decide.Pod
	stays := false
	for i := range pods {
		p := &pods[i]
		fact := decide.Pod{Name: p.Name, Scheduled: p.Spec.NodeName != "", Terminating: p.DeletionTimestamp != nil}
		if i := strings.LastIndexByte(p.Name, '-'); i >= 0 {
			fact.Ordinal, _ = strconv.Atoi(p.Name[i+1:]) // others than StatefulSets name their pods otherwise
		}
		fact.Refused, fact.Why = refusal(p)
		if !fact.Refused.IsZero() && !fact.Refused.After(ripe) {
			answers, err := c.answers(ctx, api, at)
			if err != nil {
				return nil, err
			}
			fact.Answered = answers[p.UID]
			// One bound volume keeps all: the others' are not read.
			if !stays {
				if fact.Volume, err = boundClaim(ctx, api, p); err != nil {
					return nil, err
				}
				stays = fact.Volume != ""
			}
		}
		out = append(out, fact)
	}
	return out, nil
}

// refusal is since when a pod's scheduler finds no node for it, and why; zero where it does not say so.
func refusal(p *corev1.Pod) (at time.Time, why string) {
	if p.Spec.NodeName != "" || p.DeletionTimestamp != nil {
		return time.Time{}, ""
	}
	for _, condition := range p.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse &&
			condition.Reason == corev1.PodReasonUnschedulable {
			at, why = condition.LastTransitionTime.Time, text.Cut(condition.Message, longestWhy)
		}
	}
	return at, why
}

// boundClaim is a claim of a pod that has its volume; empty for none.
func boundClaim(ctx context.Context, api client.Reader, p *corev1.Pod) (bound string, err error) {
	for _, volume := range p.Spec.Volumes {
		if volume.PersistentVolumeClaim == nil {
			continue
		}
		claim := &corev1.PersistentVolumeClaim{}
		err := api.Get(ctx, client.ObjectKey{Namespace: p.Namespace, Name: volume.PersistentVolumeClaim.ClaimName}, claim)
		if client.IgnoreNotFound(err) != nil {
			return "", fmt.Errorf("reading claim %s: %w", volume.PersistentVolumeClaim.ClaimName, err)
		}
		if err == nil && claim.Spec.VolumeName != "" {
			bound = claim.Name
		}
	}
	return bound, nil
}

// amid says in what change a workload stands; empty when its pods are of one revision and it is not held.
func amid(object *unstructured.Unstructured) string {
	number := func(path ...string) int64 {
		n, _, _ := unstructured.NestedInt64(object.Object, path...)
		return n
	}
	if observed := number("status", "observedGeneration"); observed < object.GetGeneration() {
		return "its controller has not seen its last change"
	}
	for _, path := range [][]string{{"spec", "paused"}, {"spec", "updateStrategy", "paused"},
		{"spec", "updateStrategy", "rollingUpdate", "paused"}} {
		if paused, _, _ := unstructured.NestedBool(object.Object, path...); paused {
			return "its rollout is paused"
		}
	}
	for _, path := range [][]string{{"spec", "updateStrategy", "partition"}, {"spec", "updateStrategy", "rollingUpdate", "partition"}} {
		held, ok, _ := unstructured.NestedFieldNoCopy(object.Object, path...)
		if text := fmt.Sprint(held); ok && text != "0" && text != "0%" {
			return "its rollout is held at partition " + text
		}
	}
	if number("status", "updatedReplicas") != number("status", "replicas") {
		return "its pods are of two revisions"
	}
	return ""
}

// replicasOf is spec.replicas; the API's default is 1.
func replicasOf(object *unstructured.Unstructured) int32 {
	n, ok, err := unstructured.NestedInt64(object.Object, "spec", "replicas")
	if !ok || err != nil {
		return 1
	}
	return int32(n)
}
