package cronhpa

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// outcome is how the one firing of a reconcile ended. Errors that another try may cure by itself are not outcomes.
type outcome struct {
	// tried is false when nothing was due.
	tried bool
	// problem is nil when the target was set.
	problem *problem
	// replicas, min and max are what was set.
	replicas, min, max *int32
}

// apply sets the target to what the due rule says.
func (r *Reconciler) apply(ctx context.Context, seen observation, rule v1alpha1.CronHPARule) (outcome, error) {
	if seen.target.problem != nil {
		return outcome{tried: true, problem: seen.target.problem}, nil
	}
	switch formOf(seen.cron.Spec.ScaleTargetRef) {
	case offeredBounds:
		// The FedHPA reads them in the status, which is written with the result.
		return outcome{tried: true, min: rule.TargetMinReplicas, max: rule.TargetMaxReplicas}, nil
	case specBounds:
		return r.setBounds(ctx, seen, rule)
	default:
		return r.setReplicas(ctx, seen.cron, rule)
	}
}

// setReplicas writes the scale subresource without reading it: the number is the rule's, whatever stood there.
func (r *Reconciler) setReplicas(ctx context.Context, cron *v1alpha1.CronHPA, rule v1alpha1.CronHPARule) (outcome, error) {
	ended := outcome{tried: true, replicas: rule.TargetReplicas}
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, ptr.Deref(rule.TargetReplicas, 0))
	err := r.client.SubResource("scale").Patch(ctx, reference(cron), client.RawPatch(types.MergePatchType, patch))
	if refused := refusal(err); refused != nil {
		ended.problem = refused
		return ended, nil
	}
	ended.problem, err = r.explain(ctx, cron, err)
	return ended, err
}

// refusal is an answer of the API server that a person has to see: the numbers cannot stand, or somebody behind it, such as an
// admission webhook, is in the way. A conflict is neither: the next try is made on a newer object.
func refusal(err error) *problem {
	switch reason := apierrors.ReasonForError(err); reason {
	case metav1.StatusReasonInvalid, metav1.StatusReasonForbidden, metav1.StatusReasonBadRequest:
		return &problem{v1alpha1.CronHPAReasonFiringFailed, "karmada-apiserver refuses the target's new numbers: " + err.Error()}
	case metav1.StatusReasonUnknown, metav1.StatusReasonConflict, metav1.StatusReasonNotFound:
		return nil
	default:
		return &problem{v1alpha1.CronHPAReasonFiringFailed, "karmada-apiserver could not set the target, which is tried again: " + err.Error()}
	}
}

// setBounds writes an autoscaler's bounds. What it held of its own is recorded first, together with what is about to be
// written: whoever finds the HPA after a crash can tell the one from the other.
func (r *Reconciler) setBounds(ctx context.Context, seen observation, rule v1alpha1.CronHPARule) (outcome, error) {
	cron, held := seen.cron, seen.target.bounds
	original := originalBounds(cron.Status.OriginalBounds, *held)
	want := v1alpha1.AppliedBounds{
		MinReplicas: ptr.To(ptr.Deref(rule.TargetMinReplicas, ptr.Deref(original.MinReplicas, 1))),
		MaxReplicas: ptr.Deref(rule.TargetMaxReplicas, original.MaxReplicas),
	}
	ended := outcome{tried: true, min: want.MinReplicas, max: &want.MaxReplicas}
	if *want.MinReplicas > want.MaxReplicas {
		ended.problem = &problem{v1alpha1.CronHPAReasonInvalidBounds, fmt.Sprintf(
			"rule %s would set minReplicas %d above maxReplicas %d (the one it leaves unset is the HPA's own): set both in the rule",
			rule.Name, *want.MinReplicas, want.MaxReplicas)}
		return ended, nil
	}
	original.Pending = &want
	if err := r.recordOriginal(ctx, cron, original); err != nil {
		return ended, err
	}
	if ptr.Equal(held.min, want.MinReplicas) && held.max == want.MaxReplicas {
		return ended, nil
	}
	err := r.patchBounds(ctx, cron, held.uid, want)
	if refused := refusal(err); refused != nil {
		ended.problem = refused
		return ended, nil
	}
	return ended, err
}

// recordOriginal writes ahead: the finalizer, then the status.
func (r *Reconciler) recordOriginal(ctx context.Context, cron *v1alpha1.CronHPA, original v1alpha1.OriginalBounds) error {
	base := cron.DeepCopy()
	if controllerutil.AddFinalizer(cron, v1alpha1.CronHPARestoreFinalizer) {
		// The patch answers with the stored object; its status is the one read.
		if err := r.client.Patch(ctx, cron, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})); err != nil {
			return fmt.Errorf("adding finalizer to CronHPA: %w", err)
		}
		base = cron.DeepCopy()
	}
	if equality.Semantic.DeepEqual(cron.Status.OriginalBounds, &original) {
		return nil
	}
	cron.Status.OriginalBounds = &original
	if err := r.client.Status().Patch(ctx, cron, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("recording the autoscaler's own bounds: %w", err)
	}
	return nil
}

// patchBounds writes an autoscaler's bounds. The UID in the patch refuses one that was created again meanwhile.
func (r *Reconciler) patchBounds(ctx context.Context, cron *v1alpha1.CronHPA, uid string, want v1alpha1.AppliedBounds) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": uid},
		"spec":     map[string]any{"minReplicas": want.MinReplicas, "maxReplicas": want.MaxReplicas},
	})
	if err != nil {
		return fmt.Errorf("encoding bounds: %w", err)
	}
	if err := r.client.Patch(ctx, reference(cron), client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("setting bounds of %s %s: %w", cron.Spec.ScaleTargetRef.Kind, cron.Spec.ScaleTargetRef.Name, err)
	}
	return nil
}

// originalBounds are the autoscaler's own: those recorded, unless it was created again or a person changed it since.
func originalBounds(recorded *v1alpha1.OriginalBounds, held heldBounds) v1alpha1.OriginalBounds {
	if recorded != nil && recorded.UID == held.uid && isOurs(recorded, held) {
		return *recorded.DeepCopy()
	}
	return v1alpha1.OriginalBounds{UID: held.uid, MinReplicas: held.min, MaxReplicas: held.max}
}

// isOurs is whether the autoscaler holds what this CronHPA wrote, or was about to write.
func isOurs(recorded *v1alpha1.OriginalBounds, held heldBounds) bool {
	return slices.ContainsFunc([]*v1alpha1.AppliedBounds{recorded.Applied, recorded.Pending}, func(b *v1alpha1.AppliedBounds) bool {
		return b != nil && ptr.Equal(b.MinReplicas, held.min) && b.MaxReplicas == held.max
	})
}

// restore puts an autoscaler's own bounds back. One that is gone, was created again, or was changed by a person since, is
// left as it is.
func (r *Reconciler) restore(ctx context.Context, cron *v1alpha1.CronHPA) (restored bool, err error) {
	recorded := cron.Status.OriginalBounds
	if recorded == nil {
		return false, nil
	}
	object := reference(cron)
	err = r.client.Get(ctx, client.ObjectKeyFromObject(object), object)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the autoscaler whose bounds are to be restored: %w", err)
	}
	held := boundsOf(object)
	if held.uid != recorded.UID || !isOurs(recorded, held) {
		return false, nil
	}
	own := v1alpha1.AppliedBounds{MinReplicas: recorded.MinReplicas, MaxReplicas: recorded.MaxReplicas}
	return true, r.patchBounds(ctx, cron, held.uid, own)
}
