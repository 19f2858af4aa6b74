package scalein

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

// notAhead brings stamps that lie ahead of the clock back to it, and reports whether there were any: a leader whose clock was ahead wrote
// them, and what is counted from one of them would wait for as much longer as that clock was wrong.
func notAhead(s *v1alpha1.PodScaleInStatus, now time.Time) bool {
	stamps := []*metav1.Time{s.StartTime, s.CompletionTime}
	for i := range s.Conditions {
		stamps = append(stamps, &s.Conditions[i].LastTransitionTime)
	}
	changed := false
	for _, stamp := range stamps {
		if stamp != nil && stamp.After(now) {
			*stamp, changed = metav1.NewTime(now), true
		}
	}
	return changed
}

// rightStamps writes what notAhead put right: brought back at every look, a stamp would never grow old.
func (r *Reconciler) rightStamps(ctx context.Context, order *v1alpha1.PodScaleIn) error {
	base := order.DeepCopy()
	if !notAhead(&order.Status, r.clock.Now()) {
		return nil
	}
	if err := r.writer.Status().Patch(ctx, order, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("putting stamps of a clock that was ahead right: %w", err)
	}
	return nil
}

// firstSeen is when the order was first looked at, by a clock of ours; now for one that nobody has looked at. The API server's clock, which
// stamps its creation, may be another.
func (f facts) firstSeen() time.Time {
	if c := meta.FindStatusCondition(f.order.Status.Conditions, v1alpha1.PodScaleInAccepted); c != nil {
		return f.notBeforeCreation(c.LastTransitionTime.Time)
	}
	return f.now
}

// startTime is when the order was accepted.
func (f facts) startTime() time.Time {
	if f.order.Status.StartTime == nil {
		return f.firstSeen()
	}
	return f.notBeforeCreation(f.order.Status.StartTime.Time)
}

// drift is what two clocks may be apart without being wrong.
const drift = time.Minute

// notBeforeCreation puts a stamp right that a leader wrote whose clock was behind: nothing was done for an order before there was one.
func (f facts) notBeforeCreation(stamp time.Time) time.Time {
	if created := f.order.CreationTimestamp.Time; created.Sub(stamp) > drift && !created.After(f.now) {
		return created
	}
	return stamp
}

const defaultTimeoutSeconds = 600

func (f facts) timeout() time.Duration {
	return time.Duration(ptr.Deref(f.order.Spec.TimeoutSeconds, defaultTimeoutSeconds)) * time.Second
}

func (f facts) expired(since time.Time) bool { return f.now.Sub(since) > f.timeout() }
