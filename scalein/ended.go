package scalein

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

// kept is how long an ended order is kept yet: nil for ever, 0 for no longer. ended is false for one that still has something to
// do.
func (r *Reconciler) kept(order *v1alpha1.PodScaleIn) (left *time.Duration, ended bool) {
	if order.Status.CompletionTime == nil || controllerutil.ContainsFinalizer(order, v1alpha1.PodScaleInFinalizer) {
		return nil, false
	}
	if order.Spec.TTLSecondsAfterFinished == nil || order.DeletionTimestamp != nil {
		return nil, true
	}
	until := order.Status.CompletionTime.Add(time.Duration(*order.Spec.TTLSecondsAfterFinished) * time.Second)
	rest := max(until.Sub(r.clock.Now()), 0)
	return &rest, true
}

// clear deletes an ended order whose time is up, and waits for that of one whose time is not.
func (r *Reconciler) clear(ctx context.Context, order *v1alpha1.PodScaleIn, left *time.Duration) (reconcile.Result, error) {
	switch {
	case left == nil:
		return reconcile.Result{}, nil
	case *left > 0:
		return reconcile.Result{RequeueAfter: *left}, nil
	}
	if err := r.writer.Delete(ctx, order, client.Preconditions{UID: &order.UID}); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("deleting the ended PodScaleIn: %w", err)
	}
	return reconcile.Result{}, nil
}
