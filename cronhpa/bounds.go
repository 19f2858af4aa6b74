package cronhpa

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// holdAfter lies between a write of an HPA's bounds and the next one over bounds that somebody else has set since: a tool that
// pushes its own again and again costs one write a minute.
const holdAfter = time.Minute

// setBounds writes an autoscaler's bounds. What it held of its own is recorded first, together with what is about to be
// written: whoever finds the HPA after a crash can tell the one from the other.
func (r *Reconciler) setBounds(ctx context.Context, seen observation, rule v1alpha1.CronHPARule) (outcome, error) {
	cron, held := seen.cron, seen.target.bounds
	own := ownBounds(cron.Status.OriginalBounds, *held)
	want := boundsOfRule(rule, own)
	ended := outcome{min: want.MinReplicas, max: &want.MaxReplicas}
	if *want.MinReplicas > want.MaxReplicas {
		ended.problem = &problem{v1alpha1.CronHPAReasonInvalidBounds, fmt.Sprintf(
			"rule %s would set minReplicas %d above maxReplicas %d (the one it leaves unset is the HPA's own): set both in the rule",
			rule.Name, *want.MinReplicas, want.MaxReplicas)}
		return ended, nil
	}
	own.Pending = &want
	if err := r.recordOriginal(ctx, cron, own); err != nil {
		return ended, err
	}
	if held.are(want) {
		return ended, nil
	}
	err := r.patchBounds(ctx, cron, *held, want)
	if refused := refusal(err); refused != nil {
		ended.problem = refused
		return ended, nil
	}
	return ended, err
}

// hold keeps an HPA at the bounds of the rule in force between its firings, as a FedHPA keeps them: an edited rule, an HPA
// created again and one that somebody else has written follow. With no rule in force the HPA's own come back.
func (r *Reconciler) hold(ctx context.Context, seen observation) (outcome, error) {
	held, recorded := seen.target.bounds, seen.cron.Status.OriginalBounds
	rule := ruleInForce(seen.cron)
	switch {
	case held == nil || rule == nil && recorded == nil:
		return outcome{}, nil
	case rule == nil:
		_, err := r.giveBack(ctx, seen.cron, *held)
		if refused := refusal(err); refused != nil {
			return outcome{problem: refused}, nil
		}
		return outcome{released: true}, err
	}
	want := boundsOfRule(*rule, ownBounds(recorded, *held))
	settled := recorded != nil && recorded.UID == held.uid && equality.Semantic.DeepEqual(recorded.Applied, &want)
	switch {
	case settled && held.are(want):
		return outcome{}, nil
	case settled && holdsAt(recorded, seen.now).After(seen.now):
		return outcome{holdAgain: holdsAt(recorded, seen.now)}, nil
	}
	ended, err := r.setBounds(ctx, seen, *rule)
	ended.held = settled
	return ended, err
}

// holdsAt is when bounds that somebody else set are put back: holdAfter the last time. That of a leader whose clock was ahead is no time
// to wait from.
func holdsAt(recorded *v1alpha1.OriginalBounds, now time.Time) time.Time {
	if recorded.AppliedTime == nil || recorded.AppliedTime.After(now) {
		return now
	}
	return recorded.AppliedTime.Add(holdAfter)
}

// ruleInForce is the rule of the spec that was applied last; nil when there is none, or it was taken out of the spec.
func ruleInForce(cron *v1alpha1.CronHPA) *v1alpha1.CronHPARule {
	index := slices.IndexFunc(cron.Spec.Rules, func(r v1alpha1.CronHPARule) bool { return r.Name == cron.Status.RuleInForce })
	if index < 0 {
		return nil
	}
	return &cron.Spec.Rules[index]
}

// boundsOfRule are what the rule sets; what it leaves open is the autoscaler's own.
func boundsOfRule(rule v1alpha1.CronHPARule, own v1alpha1.OriginalBounds) v1alpha1.AppliedBounds {
	return v1alpha1.AppliedBounds{
		MinReplicas: ptr.To(ptr.Deref(rule.TargetMinReplicas, ptr.Deref(own.MinReplicas, 1))),
		MaxReplicas: ptr.Deref(rule.TargetMaxReplicas, own.MaxReplicas),
	}
}

// ownBounds are the autoscaler's own: those recorded, unless it was created again. A bound that differs from what this CronHPA
// wrote, or was about to write, was set by somebody else since and is its own now.
func ownBounds(recorded *v1alpha1.OriginalBounds, held heldBounds) v1alpha1.OriginalBounds {
	if recorded == nil || recorded.UID != held.uid {
		return v1alpha1.OriginalBounds{UID: held.uid, MinReplicas: held.min, MaxReplicas: held.max}
	}
	own := *recorded.DeepCopy()
	ours := func(is func(*v1alpha1.AppliedBounds) bool) bool {
		return recorded.Applied != nil && is(recorded.Applied) || recorded.Pending != nil && is(recorded.Pending)
	}
	if !ours(func(b *v1alpha1.AppliedBounds) bool { return ptr.Equal(b.MinReplicas, held.min) }) {
		own.MinReplicas = held.min
	}
	if !ours(func(b *v1alpha1.AppliedBounds) bool { return b.MaxReplicas == held.max }) {
		own.MaxReplicas = held.max
	}
	return own
}

// are is whether the autoscaler holds the bounds.
func (h heldBounds) are(b v1alpha1.AppliedBounds) bool {
	return ptr.Equal(h.min, b.MinReplicas) && h.max == b.MaxReplicas
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

// patchBounds writes an autoscaler's bounds over those that were read: one that was created again, or written meanwhile, is
// read anew.
func (r *Reconciler) patchBounds(ctx context.Context, cron *v1alpha1.CronHPA, over heldBounds, want v1alpha1.AppliedBounds) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": over.uid, "resourceVersion": over.version},
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

// restore puts an autoscaler's own bounds back before its CronHPA goes.
func (r *Reconciler) restore(ctx context.Context, cron *v1alpha1.CronHPA) (restored bool, err error) {
	if cron.Status.OriginalBounds == nil {
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
	return r.giveBack(ctx, cron, boundsOf(object))
}

// giveBack writes the autoscaler's own bounds. One that was created again, or holds its own already, is left as it is.
func (r *Reconciler) giveBack(ctx context.Context, cron *v1alpha1.CronHPA, held heldBounds) (given bool, err error) {
	recorded := cron.Status.OriginalBounds
	if held.uid != recorded.UID {
		return false, nil
	}
	own := ownBounds(recorded, held)
	bounds := v1alpha1.AppliedBounds{MinReplicas: own.MinReplicas, MaxReplicas: own.MaxReplicas}
	if held.are(bounds) {
		return false, nil
	}
	return true, r.patchBounds(ctx, cron, held, bounds)
}
