package cronhpa

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
	// released: an HPA has its own bounds back, since no rule holds it any more.
	released bool
	// held: somebody else had set other bounds over the rule's, which are put back.
	held bool
	// holdAgain is when that is to be done, if not yet; zero otherwise.
	holdAgain time.Time
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
		ended, err := r.setBounds(ctx, seen, rule)
		ended.tried = true
		return ended, err
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
