package application

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appsv1alpha1 "github.com/argosy-dev/argosy/api/apps/v1alpha1"
	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	migrationv1alpha1 "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	releasev1alpha1 "github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// member reads what one cluster has of the application.
func (r *Reader) member(ctx context.Context, name string, template *unstructured.Unstructured, into *Cluster) error {
	member, err := r.Member(ctx, name)
	if err != nil {
		return err
	}
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(template.GroupVersionKind())
	key := client.ObjectKeyFromObject(template)
	switch err := member.Get(ctx, key, object); {
	case apierrors.IsNotFound(err):
		return nil
	case meta.IsNoMatchError(err):
		return fmt.Errorf("the member does not serve %s", template.GroupVersionKind())
	case err != nil:
		return fmt.Errorf("reading %s %s: %w", template.GetKind(), named(key), err)
	}
	into.Object = object
	if key.Namespace == "" {
		return nil
	}
	if into.Pods, err = pods(ctx, member, object); err != nil {
		return err
	}
	into.Limits, err = limits(ctx, member, object)
	return err
}

// pods by the object's selector; none where it has no selector.
func pods(ctx context.Context, member client.Reader, object *unstructured.Unstructured) ([]corev1.Pod, error) {
	raw, ok, err := unstructured.NestedMap(object.Object, "spec", "selector")
	if err != nil || !ok || object.GetKind() == "Service" {
		return nil, nil // A list of names or a text selects other things than pods, and a Service's map has pods of others.
	}
	parsed := &metav1.LabelSelector{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, parsed); err != nil {
		return nil, fmt.Errorf("reading spec.selector of %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	selector, err := metav1.LabelSelectorAsSelector(parsed)
	if err != nil {
		return nil, fmt.Errorf("reading spec.selector of %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	if selector.Empty() || labels.Everything().String() == selector.String() {
		return nil, nil
	}
	var list corev1.PodList
	if err := member.List(ctx, &list, client.InNamespace(object.GetNamespace()),
		client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, fmt.Errorf("listing pods: %w", err)
	}
	return list.Items, nil
}

// limits of the autoscaler in the member, whoever made it.
func limits(ctx context.Context, member client.Reader, object *unstructured.Unstructured) (*Limits, error) {
	var list autoscalingv2.HorizontalPodAutoscalerList
	if err := member.List(ctx, &list, client.InNamespace(object.GetNamespace())); err != nil {
		return nil, fmt.Errorf("listing HorizontalPodAutoscalers: %w", err)
	}
	for _, one := range list.Items {
		if !targets(one.Spec.ScaleTargetRef.APIVersion, one.Spec.ScaleTargetRef.Kind, one.Spec.ScaleTargetRef.Name, object) {
			continue
		}
		out := &Limits{Name: one.Name, Min: 1, Max: one.Spec.MaxReplicas}
		if one.Spec.MinReplicas != nil {
			out.Min = *one.Spec.MinReplicas
		}
		return out, nil
	}
	return nil, nil
}

// targets says whether a reference, in any version, is to the object.
func targets(apiVersion, kind, name string, object *unstructured.Unstructured) bool {
	return name == object.GetName() && schema.FromAPIVersionAndKind(apiVersion, kind).GroupKind() == object.GroupVersionKind().GroupKind()
}

// about lists the objects of Argosy that name the template. A control plane need not serve each kind.
func (r *Reader) about(ctx context.Context, template *unstructured.Unstructured) ([]About, error) {
	if template.GetNamespace() == "" {
		return nil, nil
	}
	var out []About
	for _, list := range []client.ObjectList{
		&autoscalingv1alpha1.FedHPAList{}, &autoscalingv1alpha1.CronHPAList{}, &appsv1alpha1.PodScaleInList{}, &migrationv1alpha1.MigrationList{},
		&releasev1alpha1.ReleaseList{},
	} {
		err := r.Control.List(ctx, list, client.InNamespace(template.GetNamespace()))
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("listing %T: %w", list, err)
		}
		if err := meta.EachListItem(list, func(object runtime.Object) error {
			if one, ok := aboutOf(object, template); ok {
				out = append(out, one)
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// aboutOf is what one object says; ok is false when it names another template.
func aboutOf(object runtime.Object, template *unstructured.Unstructured) (out About, ok bool) {
	switch o := object.(type) {
	case *autoscalingv1alpha1.FedHPA:
		ref := o.Spec.ScaleTargetRef
		return About{"FedHPA", o.Name, string(o.Status.Phase), o.Status.Conditions}, targets(ref.APIVersion, ref.Kind, ref.Name, template)
	case *autoscalingv1alpha1.CronHPA:
		ref := o.Spec.ScaleTargetRef
		return About{"CronHPA", o.Name, "", o.Status.Conditions}, targets(ref.APIVersion, ref.Kind, ref.Name, template)
	case *appsv1alpha1.PodScaleIn:
		ref := o.Spec.TargetRef
		return About{"PodScaleIn", o.Name, string(o.Status.Phase), o.Status.Conditions}, targets(ref.APIVersion, ref.Kind, ref.Name, template)
	case *releasev1alpha1.Release:
		ref, phase := o.Spec.TargetRef, o.Status.StageText
		if phase == "" && meta.IsStatusConditionTrue(o.Status.Conditions, releasev1alpha1.ConditionComplete) {
			phase = releasev1alpha1.ReasonComplete
		}
		return About{"Release", o.Name, phase, o.Status.Conditions}, targets(ref.APIVersion, ref.Kind, ref.Name, template)
	case *migrationv1alpha1.Migration:
		return About{"Migration", o.Name, string(o.Status.Phase), o.Status.Conditions}, targets(o.Spec.APIVersion, o.Spec.Kind, o.Spec.Name,
			template)
	}
	return out, false
}
