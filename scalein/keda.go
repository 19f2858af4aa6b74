package scalein

import (
	"context"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/internal/served"
)

// scaledObject is the ScaledObject of KEDA's that owns the replicas of the target, for people; empty for none.
func (r *Reconciler) scaledObject(ctx context.Context, namespace string, target autoscalingv2.CrossVersionObjectReference) (string, error) {
	name, err := r.keda.Of(ctx, namespace, target)
	if err != nil || name == "" {
		return "", err
	}
	return "KEDA's ScaledObject " + name, nil
}

// scaledObjectsStart watches ScaledObjects once karmada-apiserver serves them: KEDA's CRDs may be installed there after us. Orders look
// often enough, and are not woken.
type scaledObjectsStart struct {
	mgr   manager.Manager
	known *autoscalers.ScaledObjects
}

// Start waits for the CRD; while there is none, there are no ScaledObjects.
func (s scaledObjectsStart) Start(ctx context.Context) error {
	err := served.Wait(ctx, s.mgr, autoscalers.ScaledObject, "no PodScaleIn looks for one")
	if err == nil {
		_, err = s.mgr.GetCache().GetInformer(ctx, autoscalers.NewScaledObject())
	}
	if ctx.Err() != nil {
		return nil // A manager that stops takes nothing on.
	}
	if err == nil {
		s.known.Served.Store(true)
	}
	return err
}
