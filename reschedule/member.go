package reschedule

import (
	"context"
	"fmt"
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

// workload reads the member's object of the binding and its pods; nil where the member has none.
func (c *Controller) workload(ctx context.Context, b *workv1alpha2.ResourceBinding, cluster string) (*decide.Workload, error) {
	api, err := c.members.Client(ctx, cluster)
	if err != nil {
		return nil, err
	}
	ref, object := b.Spec.Resource, &unstructured.Unstructured{}
	object.SetGroupVersionKind(schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind))
	if err := api.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, object); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("reading %s %s: %w", ref.Kind, ref.Name, err)
	}
	replicas := replicasOf(object)
	if object.GroupVersionKind().Group == componentv1alpha1.GroupVersion.Group {
		// A Component's pods are those of the workload made of it, which has the counts of its rollout too.
		if object, err = rendered(ctx, api, object); err != nil || object == nil {
			return nil, err
		}
	}
	out := &decide.Workload{Replicas: replicas, Amid: amid(object), Ordinal: object.GetKind() == "StatefulSet"}
	if made := replicasOf(object); made != replicas {
		out.Amid = fmt.Sprintf("its %s has %d of %d replicas", object.GetKind(), made, replicas)
	}
	pods, err := podsOf(ctx, api, object)
	if err != nil {
		return nil, err
	}
	for i := range pods {
		fact, err := podFacts(ctx, api, &pods[i])
		if err != nil {
			return nil, err
		}
		out.Pods = append(out.Pods, fact)
	}
	return out, nil
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
func podsOf(ctx context.Context, api client.Reader, object *unstructured.Unstructured) ([]corev1.Pod, error) {
	selector, err := selectorOf(object)
	if err != nil || selector == nil {
		return nil, err
	}
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

// podFacts are what a decision needs of a pod; more is read only of one that its scheduler refuses.
func podFacts(ctx context.Context, api client.Reader, p *corev1.Pod) (decide.Pod, error) {
	out := decide.Pod{Name: p.Name, Scheduled: p.Spec.NodeName != "", Terminating: p.DeletionTimestamp != nil}
	if i := strings.LastIndexByte(p.Name, '-'); i >= 0 {
		out.Ordinal, _ = strconv.Atoi(p.Name[i+1:]) // others than StatefulSets name their pods otherwise
	}
	for _, condition := range p.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse &&
			condition.Reason == corev1.PodReasonUnschedulable && !out.Scheduled && !out.Terminating {
			out.Refused, out.Why = condition.LastTransitionTime.Time, text.Cut(condition.Message, longestWhy)
		}
	}
	if out.Refused.IsZero() {
		return out, nil
	}
	for _, volume := range p.Spec.Volumes {
		if volume.PersistentVolumeClaim == nil {
			continue
		}
		claim := &corev1.PersistentVolumeClaim{}
		err := api.Get(ctx, client.ObjectKey{Namespace: p.Namespace, Name: volume.PersistentVolumeClaim.ClaimName}, claim)
		if client.IgnoreNotFound(err) != nil {
			return out, fmt.Errorf("reading claim %s: %w", volume.PersistentVolumeClaim.ClaimName, err)
		}
		if err == nil && claim.Spec.VolumeName != "" {
			out.Volume = claim.Name
		}
	}
	var err error
	out.Answered, err = answered(ctx, api, p)
	return out, err
}

// answered is when an autoscaler of nodes last said of the pod that it makes a node: the cluster-autoscaler by TriggeredScaleUp, Karpenter
// by Nominated.
func answered(ctx context.Context, api client.Reader, p *corev1.Pod) (time.Time, error) {
	var list corev1.EventList
	if err := api.List(ctx, &list, client.InNamespace(p.Namespace), client.MatchingFields{"involvedObject.uid": string(p.UID)}); err != nil {
		return time.Time{}, fmt.Errorf("listing events of pod %s: %w", p.Name, err)
	}
	var last time.Time
	for _, e := range list.Items {
		if e.Reason != "TriggeredScaleUp" && e.Reason != "Nominated" {
			continue
		}
		for _, at := range []time.Time{e.LastTimestamp.Time, e.EventTime.Time, e.CreationTimestamp.Time} {
			if at.After(last) {
				last = at
			}
		}
	}
	return last, nil
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
