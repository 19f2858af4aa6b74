package scalein

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
	"github.com/argosy-dev/argosy/internal/newer"
)

// apply is the one write of the step outside the status. A conflict means that the facts are stale: gather anew.
func (r *Reconciler) apply(ctx context.Context, seen gathered, s step) error {
	id := seen.order.Status.RequestID
	switch s.do {
	case announce:
		return r.patchTemplate(ctx, seen, func(t *unstructured.Unstructured) error {
			annotate(t, v1alpha1.ScaleInRequestAnnotation, s.request)
			return nil
		})
	case lowerBinding:
		return r.patchBinding(ctx, seen, func(b *workv1alpha2.ResourceBinding) {
			lowerClusters(b, lowered(seen.binding.clusters, s.plan))
			annotate(b, v1alpha1.ScaleInLoweredAnnotation, id)
		})
	case lowerTemplate:
		return r.patchTemplate(ctx, seen, func(t *unstructured.Unstructured) error {
			annotate(t, v1alpha1.ScaleInLoweredAnnotation, id)
			return lowerReplicas(t, s.replicas)
		})
	case release:
		return r.patchBinding(ctx, seen, func(b *workv1alpha2.ResourceBinding) {
			releaseScheduler(b)
			annotate(b, v1alpha1.ScaleInLoweredAnnotation, id+released)
		})
	case nothing, acceptPlan, markTemplate, endAdoption:
	}
	return nil
}

// lowerReplicas sets the template's replicas. The version it notes is the one the write is conditional on: none lies between.
func lowerReplicas(t *unstructured.Unstructured, replicas int32) error {
	annotate(t, v1alpha1.ScaleInLoweredFromAnnotation, t.GetResourceVersion())
	return unstructured.SetNestedField(t.Object, int64(replicas), "spec", "replicas")
}

func unmarkLowered(t *unstructured.Unstructured) {
	annotate(t, v1alpha1.ScaleInLoweredAnnotation, "")
	annotate(t, v1alpha1.ScaleInLoweredFromAnnotation, "")
}

// lowerClusters sets clusters and sum in one update and holds the scheduler until the template says the same.
func lowerClusters(b *workv1alpha2.ResourceBinding, clusters []clusterReplicas) {
	b.Spec.Clusters = make([]workv1alpha2.TargetCluster, 0, len(clusters))
	b.Spec.Replicas = 0
	for _, c := range clusters {
		b.Spec.Clusters = append(b.Spec.Clusters, workv1alpha2.TargetCluster{Name: c.name, Replicas: c.replicas})
		b.Spec.Replicas += c.replicas
	}
	if b.Spec.Suspension == nil {
		b.Spec.Suspension = &workv1alpha2.Suspension{}
	}
	b.Spec.Suspension.Scheduling = ptr.To(true)
}

func releaseScheduler(b *workv1alpha2.ResourceBinding) {
	if b.Spec.Suspension == nil {
		return
	}
	b.Spec.Suspension.Scheduling = nil
	if b.Spec.Suspension.Dispatching == nil && b.Spec.Suspension.DispatchingOnClusters == nil {
		b.Spec.Suspension = nil
	}
}

// tidy takes what an ended order left off template and binding, the hold on the scheduler first of all.
func (r *Reconciler) tidy(ctx context.Context, seen gathered) error {
	id := seen.order.Status.RequestID
	if seen.binding != nil && requestOfMark(seen.binding.lowered) == id {
		err := r.patchBinding(ctx, seen, func(b *workv1alpha2.ResourceBinding) {
			// That of a workload that is cut off is held by its migration.
			if seen.binding.lowered == id && (seen.template == nil || !seen.template.cutOff) {
				releaseScheduler(b)
			}
			annotate(b, v1alpha1.ScaleInLoweredAnnotation, "")
		})
		if err != nil {
			return err
		}
	}
	if seen.template == nil {
		return nil
	}
	return r.patchTemplate(ctx, seen, func(t *unstructured.Unstructured) error {
		if requestID(seen.template.request) == id {
			annotate(t, v1alpha1.ScaleInRequestAnnotation, "")
		}
		if seen.template.lowered == id {
			unmarkLowered(t)
		}
		return nil
	})
}

// annotate sets an annotation; an empty value removes it.
func annotate(object client.Object, key, value string) {
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	if value == "" {
		delete(annotations, key)
	}
	object.SetAnnotations(annotations)
}

// patchTemplate writes on the template as it is now, if it still says what was decided on. A release pipeline may push it at any
// time between the look at the members and this write; what such a push changes is no matter of ours.
func (r *Reconciler) patchTemplate(ctx context.Context, seen gathered, change func(*unstructured.Unstructured) error) error {
	object := seen.templateObject.DeepCopy()
	if err := r.reader.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return fmt.Errorf("reading %s %s again: %w", object.GetKind(), object.GetName(), err)
	}
	if object.GetUID() != seen.templateObject.GetUID() || *templateFacts(object) != *seen.template {
		return overtaken(resourceOf(object), object)
	}
	base := object.DeepCopy()
	if err := change(object); err != nil {
		return fmt.Errorf("changing %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	patch := client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})
	if err := r.writer.Patch(ctx, object, patch); err != nil {
		return fmt.Errorf("writing %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return nil
}

// resourceOf names the kind as the API server would in a conflict.
func resourceOf(object *unstructured.Unstructured) string {
	resource, _ := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
	return resource.GroupResource().String()
}

// patchBinding does the same with the binding, which Karmada writes after every push.
func (r *Reconciler) patchBinding(ctx context.Context, seen gathered, change func(*workv1alpha2.ResourceBinding)) error {
	object := &workv1alpha2.ResourceBinding{}
	object.Namespace, object.Name = seen.bindingObject.Namespace, seen.bindingObject.Name
	raw, err := newer.Get(ctx, r.writer, r.reader, object)
	if err != nil {
		return fmt.Errorf("reading ResourceBinding %s again: %w", seen.bindingObject.Name, err)
	}
	if object.UID != seen.bindingObject.UID || !reflect.DeepEqual(bindingFacts(object), seen.binding) {
		return overtaken("resourcebindings.work.karmada.io", object)
	}
	change(object)
	if err := newer.Patch(ctx, r.writer, raw, object); err != nil {
		return fmt.Errorf("writing ResourceBinding %s: %w", object.Name, err)
	}
	return nil
}

// overtaken is a conflict found before the API server finds it: the facts are to be gathered anew.
func overtaken(resource string, object client.Object) error {
	return apierrors.NewConflict(schema.ParseGroupResource(resource), object.GetName(), errors.New("it no longer says what was decided on"))
}
