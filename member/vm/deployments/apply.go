package deployments

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// apply the changes of servers. Each is decided from the server as it was seen: another write in between is looked at first.
func (r *Reconciler) apply(ctx context.Context, w *work) error {
	for _, server := range w.in.Servers {
		change, ok := w.plan.Changes[server.Name]
		if !ok {
			continue
		}
		changed := server.DeepCopy()
		changed.Spec.Release, changed.Spec.TrafficWeight = change.Release.DeepCopy(), change.Weight
		if equality.Semantic.DeepEqual(changed.Spec, server.Spec) {
			continue
		}
		if err := r.writer.Patch(ctx, changed, client.MergeFromWithOptions(server, client.MergeFromWithOptimisticLock{})); err != nil {
			return fmt.Errorf("granting a release to Server %s: %w", server.Name, err)
		}
	}
	return nil
}

func (r *Reconciler) writeStatus(ctx context.Context, w *work) error {
	if equality.Semantic.DeepEqual(w.deployment.Status, w.plan.Status) {
		return nil
	}
	before := w.deployment.Status.Conditions
	changed := w.deployment.DeepCopy()
	changed.Status = w.plan.Status
	patch := client.MergeFromWithOptions(w.deployment, client.MergeFromWithOptimisticLock{})
	if err := r.writer.Status().Patch(ctx, changed, patch); err != nil {
		return fmt.Errorf("writing status of VMDeployment: %w", err)
	}
	r.tell(w.deployment, before, w.plan.Status.Conditions)
	return nil
}

// told are the conditions whose change is an event, and the status of those that can be a trouble.
var told = map[string]metav1.ConditionStatus{
	v1alpha1.ConditionComplete: "", v1alpha1.ConditionAvailable: metav1.ConditionFalse, v1alpha1.ConditionStalled: metav1.ConditionTrue,
	v1alpha1.ConditionAwaitingApproval: "",
}

func (r *Reconciler) tell(deployment *v1alpha1.VMDeployment, before, after []metav1.Condition) {
	for _, now := range after {
		trouble, ours := told[now.Type]
		was := apimeta.FindStatusCondition(before, now.Type)
		if !ours || was == nil && now.Status == metav1.ConditionFalse || was != nil && was.Status == now.Status && was.Reason == now.Reason {
			continue
		}
		kind := corev1.EventTypeNormal
		if now.Status == trouble {
			kind = corev1.EventTypeWarning
		}
		r.recorder.Event(deployment, kind, now.Reason, now.Message)
	}
}
