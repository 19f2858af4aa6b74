package controller

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/text"
	"github.com/argosy-dev/argosy/migration/plan"
)

// record a decision's status, under the resource version its world was read at: two writers cannot both win.
func (c *Controller) record(ctx context.Context, migration *v1alpha1.Migration, decision plan.Decision) error {
	before := migration.Status.DeepCopy()
	migration.Status = decision.Status
	if !equality.Semantic.DeepEqual(*before, migration.Status) {
		if err := c.Client.Status().Update(ctx, migration); err != nil {
			return err
		}
	}
	if before.Phase != migration.Status.Phase {
		log.FromContext(ctx).Info("Entered a phase", "migration", klog.KObj(migration), "from", before.Phase, "phase", migration.Status.Phase,
			"step", decision.Step)
		phasesTotal.WithLabelValues(string(migration.Status.Phase)).Inc()
	}
	if failure := migration.Status.Failure; failure != nil && before.Failure == nil {
		failuresTotal.WithLabelValues(failure.Reason, string(failure.Action)).Inc()
	}
	c.tell(migration, decision.Events)
	return nil
}

// repeat goes on saying that a write was refused while it is tried again, and whether that is so: only then it is known whether
// it goes through. What people read would change twice with every try.
func repeat(before *v1alpha1.MigrationStatus, decision *plan.Decision) bool {
	said := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionAdvancing)
	if said == nil || said.Reason != v1alpha1.ReasonWriteRefused || len(decision.Actions) == 0 {
		return false
	}
	meta.SetStatusCondition(&decision.Status.Conditions, *said)
	decision.Status.Blocked = v1alpha1.ReasonWriteRefused
	return true
}

// longestRefusal is what is told of a refused write.
const longestRefusal = 4000

// refused records that the control plane refused a write, with its words.
func (c *Controller) refused(ctx context.Context, migration *v1alpha1.Migration, cause error) error {
	message := fmt.Sprintf(
		"the control plane refused a write, which is tried again every %s: %v: change what it names, in the control plane or in the members",
		refusedRetry, cause)
	// The API server quotes what it refuses, which may be a whole template.
	message = text.Cut(message, longestRefusal)
	changed := meta.SetStatusCondition(&migration.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionAdvancing, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWriteRefused,
		Message: message, ObservedGeneration: migration.Generation,
	})
	migration.Status.Blocked = v1alpha1.ReasonWriteRefused
	if !changed {
		return nil
	}
	c.tell(migration, []plan.Event{{Warning: true, Reason: v1alpha1.ReasonWriteRefused, Message: message}})
	if err := c.Client.Status().Update(ctx, migration); err != nil {
		return fmt.Errorf("recording a refused write: %w", err)
	}
	return nil
}

// lastingAfter so long an error is no passing one.
const lastingAfter = time.Minute

// lasting tells people of an error that has stopped every pass for a minute. The first pass that succeeds overwrites it.
func (c *Controller) lasting(ctx context.Context, migration *v1alpha1.Migration, cause error) {
	now := c.Clock.Now()
	since, _ := c.failing.LoadOrStore(client.ObjectKeyFromObject(migration), now)
	if began, ok := since.(time.Time); !ok || now.Sub(began) < lastingAfter {
		return
	}
	message := fmt.Sprintf("every look at it fails, and nothing is decided: %v", cause)
	changed := meta.SetStatusCondition(&migration.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionAdvancing, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonFailing,
		Message: text.Cut(message, 1000), ObservedGeneration: migration.Generation,
	})
	if !changed {
		return
	}
	migration.Status.Blocked = v1alpha1.ReasonFailing
	if err := c.Client.Status().Update(ctx, migration); err != nil {
		log.FromContext(ctx).Error(err, "Recording that every look fails")
		return
	}
	c.tell(migration, []plan.Event{{Warning: true, Reason: v1alpha1.ReasonFailing, Message: message}})
}
