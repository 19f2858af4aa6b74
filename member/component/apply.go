package component

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/decide"
	"github.com/argosy-dev/argosy/member/component/render"
)

// handOver owns spec.replicas between us, who give it up, and the autoscaler's first write: a field nobody owns would
// fall back to its default.
const handOver = v1alpha1.FieldManager + "-replicas"

// apply carries out the steps. What the API server refuses for good is told; anything else ends the run, to be tried again.
func (r *Reconciler) apply(ctx context.Context, in *decide.Input, steps decide.Steps, out *decide.Outcome) error {
	log := log.FromContext(ctx)
	for i := range steps.Apply {
		step := &steps.Apply[i]
		key := decide.KeyOf(step.Object)
		written, err := r.applyOne(ctx, in, step)
		if refused(err) {
			out.Refused = append(out.Refused, decide.Blocked{
				Key: key, Reason: v1alpha1.ReasonApplyRefused,
				Message: fmt.Sprintf("The cluster does not take %s: %v. What ran before goes on. "+
					"Change what it speaks of in the Component, or ask your platform team.", key, err),
			})
			if key == in.Workload() {
				return nil
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("applying %s: %w", key, err)
		}
		out.Live[key] = written
		log.Info("Applied an object", "kind", key.Kind, "object", klog.KRef(in.Component.Namespace, key.Name), "reason", cause(step))
		r.measures.writes.WithLabelValues(key.Kind, cause(step)).Inc()
		if decide.NothingToAdopt(in, step) {
			r.recorder.Eventf(in.Component, "Warning", v1alpha1.ReasonNothingToAdopt, "%s, which spec.adopt names, was not there and was made. "+
				"If another one was meant, which runs on beside it, delete this Component and make one that names it", key)
		}
		if step.Adopt != nil {
			r.recorder.Eventf(in.Component, "Normal", v1alpha1.ReasonAdopted, "%s, which ran already, was taken over as it is", key)
		}
	}
	for _, scale := range steps.Scale {
		if err := r.scale(ctx, in, scale, out); err != nil {
			return err
		}
	}
	for _, object := range steps.Delete {
		if err := r.prune(ctx, in.Component, object); err != nil {
			return err
		}
		delete(out.Live, decide.Key{Kind: object.GetKind(), Name: object.GetName()})
	}
	for _, object := range steps.Release {
		if err := r.release(ctx, in.Component, object); err != nil {
			return err
		}
	}
	if len(steps.Release) > 0 {
		r.recorder.Eventf(in.Component, "Normal", v1alpha1.ReasonReleased,
			"%d objects were let go: they outlive this Component", len(steps.Release))
	}
	return nil
}

// scale changes the number of copies alone: the pods stay as they are. The number becomes the Component's again with its next application.
func (r *Reconciler) scale(ctx context.Context, in *decide.Input, scale decide.Scale, out *decide.Outcome) error {
	base := scale.Live.DeepCopy()
	changed := scale.Live.DeepCopy()
	if err := unstructured.SetNestedField(changed.Object, int64(scale.Replicas), "spec", "replicas"); err != nil {
		return fmt.Errorf("scaling %s: %w", in.Workload(), err)
	}
	err := r.writer.Patch(ctx, changed, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{}),
		client.FieldOwner(v1alpha1.FieldManager))
	if err != nil {
		return fmt.Errorf("scaling %s: %w", in.Workload(), err)
	}
	out.Live[in.Workload()] = changed
	log.FromContext(ctx).Info("Scaled the copies of before", "object", klog.KObj(changed), "replicas", scale.Replicas, "reason", "Canary")
	return nil
}

// cause is why an object is written.
func cause(step *decide.Apply) string {
	switch {
	case step.Adopt != nil:
		return "Adopted"
	case step.Live == nil:
		return "Missing"
	case step.Live.GetAnnotations()[v1alpha1.AnnotationRenderedHash] != step.Object.Hash:
		return "Changed"
	}
	return "ChangedByHand"
}

func (r *Reconciler) applyOne(ctx context.Context, in *decide.Input, step *decide.Apply) (*unstructured.Unstructured, error) {
	if step.HandOver {
		if err := r.handOver(ctx, step.Live); err != nil {
			return nil, err
		}
	}
	if step.Adopt != nil && step.Adopt.ManagedFields != nil {
		if err := r.takeFields(ctx, step); err != nil {
			return nil, err
		}
	}
	return r.write(ctx, in.Component, step.Object, step.Live)
}

// write applies the object. Where something was there it must be that very object; where nothing was, nobody's fields are
// taken: if somebody was faster the answer is a conflict, and the next look sees whose it is.
func (r *Reconciler) write(
	ctx context.Context, component *v1alpha1.Component, object *render.Object, live *unstructured.Unstructured, options ...client.ApplyOption,
) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(object.Content)}
	annotations := u.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.AnnotationRenderedHash] = object.Hash
	u.SetAnnotations(annotations)
	u.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(component, v1alpha1.GroupVersion.WithKind("Component"))})
	options = append(options, client.FieldOwner(v1alpha1.FieldManager))
	if live != nil {
		u.SetUID(live.GetUID())
		options = append(options, client.ForceOwnership)
	}
	if err := r.writer.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), options...); err != nil {
		return nil, err
	}
	return u, nil
}

// handOver makes the number of replicas somebody's before it is no longer ours. A conflict means that it is already.
func (r *Reconciler) handOver(ctx context.Context, live *unstructured.Unstructured) error {
	replicas, found, err := unstructured.NestedInt64(live.Object, "spec", "replicas")
	if err != nil || !found {
		return err
	}
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(live.GroupVersionKind())
	u.SetNamespace(live.GetNamespace())
	u.SetName(live.GetName())
	u.SetUID(live.GetUID())
	if err := unstructured.SetNestedField(u.Object, replicas, "spec", "replicas"); err != nil {
		return err
	}
	err = r.writer.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(handOver))
	if apierrors.IsConflict(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("handing spec.replicas of %s over: %w", live.GetName(), err)
	}
	return nil
}

// takeFields takes the fields we write from their former owners, who keep the others: nothing can vanish with them, as it
// would if all were made ours (docs/decisions/0261). Until the object is applied nobody owns those fields, which changes none.
func (r *Reconciler) takeFields(ctx context.Context, step *decide.Apply) error {
	base := step.Live.DeepCopy()
	taken := step.Live.DeepCopy()
	taken.SetManagedFields(step.Adopt.ManagedFields)
	if len(step.Adopt.ManagedFields) == 0 {
		// An empty list means that nobody asks for a change; one empty entry empties it.
		taken.SetManagedFields([]metav1.ManagedFieldsEntry{{}})
	}
	if err := r.writer.Patch(ctx, taken, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("taking over the fields of %s: %w", decide.KeyOf(step.Object), err)
	}
	return nil
}

// prune deletes an object that the Component no longer becomes: that very object, as it was read.
func (r *Reconciler) prune(ctx context.Context, component *v1alpha1.Component, object *unstructured.Unstructured) error {
	seen := client.Preconditions{UID: ptr.To(object.GetUID()), ResourceVersion: ptr.To(object.GetResourceVersion())}
	err := r.writer.Delete(ctx, object, seen,
		client.PropagationPolicy(metav1.DeletePropagationBackground))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting %s %s, which the Component no longer becomes: %w", object.GetKind(), object.GetName(), err)
	}
	why := "neither the Component nor a template asks for it any more"
	if object.GetLabels()[v1alpha1.LabelComponent] == component.Name && strings.HasSuffix(object.GetName(), render.CanarySuffix) &&
		object.GetKind() == string(v1alpha1.WorkloadDeployment) {
		why = "the change whose copies it held is through, or was undone"
	}
	r.recorder.Eventf(component, "Normal", v1alpha1.ReasonPruned, "%s %s was deleted: %s", object.GetKind(), object.GetName(), why)
	log.FromContext(ctx).Info("Deleted an object", "kind", object.GetKind(), "object", klog.KObj(object), "reason", v1alpha1.ReasonPruned)
	return nil
}

// release takes our owner reference off, so that the object outlives the Component.
func (r *Reconciler) release(ctx context.Context, component *v1alpha1.Component, object *unstructured.Unstructured) error {
	base := object.DeepCopy()
	var kept []metav1.OwnerReference
	for _, owner := range object.GetOwnerReferences() {
		if owner.UID != component.UID {
			kept = append(kept, owner)
		}
	}
	object.SetOwnerReferences(kept)
	if err := r.writer.Patch(ctx, object, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("letting %s %s go: %w", object.GetKind(), object.GetName(), err)
	}
	log.FromContext(ctx).Info("Let an object go", "kind", object.GetKind(), "object", klog.KObj(object), "reason", v1alpha1.ReasonReleased)
	return nil
}

// refused is true of an answer that trying again does not change: invalid, forbidden by a policy or a quota.
func refused(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) || apierrors.IsRequestEntityTooLargeError(err)
}
