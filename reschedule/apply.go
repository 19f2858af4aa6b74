package reschedule

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/reschedule/decide"
)

// write the new division and its memory, in one patch that rests on the version that was read. A cluster at zero stays: its workload is
// there when there is room again (docs/decisions/0035). undo takes the move off the ledger, where it was certainly not made.
func (c *Controller) write(ctx context.Context, read *workv1alpha2.ResourceBinding, decision decide.Decision, undo func()) error {
	before, total := read.DeepCopy(), int32(0)
	after := read.DeepCopy()
	after.Spec.Clusters = nil
	for _, target := range decision.Targets {
		after.Spec.Clusters = append(after.Spec.Clusters, workv1alpha2.TargetCluster{Name: target.Cluster, Replicas: target.Replicas})
		total += target.Replicas
	}
	if total != read.Spec.Replicas {
		undo()
		// It cannot be: a sum that differs starts karmada-scheduler, which may move everything.
		return fmt.Errorf("dividing %d replicas of ResourceBinding %s/%s: the decision has %d", read.Spec.Replicas, read.Namespace, read.Name,
			total)
	}
	if after.Annotations == nil {
		after.Annotations = map[string]string{}
	}
	after.Annotations[mark.RescheduleMoved] = decision.Memory.String()
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := c.writer.Patch(ctx, after, patch, client.FieldOwner(fieldManager)); err != nil {
		if refused(err) {
			undo()
		} // else it counts against others' room for as long as a move does, and the binding tells itself
		return fmt.Errorf("writing the division of ResourceBinding %s/%s: %w", read.Namespace, read.Name, err)
	}
	return nil
}

// refused says whether the API server answered, and did not write. Of its own faults, and of no answer, nobody knows.
func refused(err error) bool {
	status := apierrors.APIStatus(nil)
	return errors.As(err, &status) && status.Status().Code >= http.StatusBadRequest && status.Status().Code < http.StatusInternalServerError
}
