package fedhpa

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"github.com/karmada-io/karmada/pkg/util"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	migration "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/decide"
	"github.com/argosy-dev/argosy/internal/conditions"
	"github.com/argosy-dev/argosy/internal/text"
)

// conflictRetry is how soon the world is looked at again after a write met something newer: its event is on the way.
const conflictRetry = 300 * time.Millisecond

// Controller makes one FedHPA true: gather, decide, apply.
type Controller struct {
	client   client.Client
	gatherer gatherer
	applier  applier
	recorder record.EventRecorder
	metrics  *measures
	clock    clock.Clock
	lasting  conditions.Lasting
}

// Reconcile looks at one FedHPA once.
func (c *Controller) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	fed := &api.FedHPA{}
	if err := c.client.Get(ctx, req.NamespacedName, fed); apierrors.IsNotFound(err) {
		c.forget(req.NamespacedName)
		return ctrl.Result{}, c.sweep(ctx, req.NamespacedName)
	} else if err != nil {
		return ctrl.Result{}, fmt.Errorf("reading FedHPA %s: %w", req, err)
	}
	view, err := c.gatherer.gather(ctx, fed)
	if err != nil {
		return ctrl.Result{}, c.failed(ctx, fed, metav1.ConditionUnknown, api.FedHPAReasonReadFailed, err)
	}
	view.world.Now = c.clock.Now()
	plan := decide.Decide(view.world)
	written := c.write(ctx, view, &plan)
	if written.stopped != nil {
		if newer(written.stopped) {
			klog.FromContext(ctx).V(1).Info("Something newer is there: looking again", "reason", written.stopped.Error())
			return ctrl.Result{RequeueAfter: conflictRetry}, nil
		}
		return ctrl.Result{}, c.failed(ctx, fed, metav1.ConditionFalse, api.FedHPAReasonWriteFailed, written.stopped)
	}
	again, err := c.say(ctx, view, &plan)
	if err != nil {
		if newer(err) {
			return ctrl.Result{RequeueAfter: conflictRetry}, nil
		}
		return ctrl.Result{}, c.failed(ctx, fed, metav1.ConditionFalse, api.FedHPAReasonWriteFailed, err)
	}
	if written.refused != nil {
		return ctrl.Result{}, written.refused
	}
	if fed.DeletionTimestamp != nil && !view.world.Finalizer || released(&plan) {
		c.forget(req.NamespacedName)
		return ctrl.Result{}, nil
	}
	// Spread over the fleet: a thousand FedHPAs do not ask about room in the same second.
	after := wait.Jitter(plan.Wake, 0.2)
	if again > 0 && (after == 0 || again < after) {
		after = again
	}
	return ctrl.Result{RequeueAfter: after}, nil
}

// sweep takes back the autoscalers of a FedHPA whose finalizer somebody took off: nobody would ever again. An autoscaler that goes changes
// no replica. That the FedHPA is gone is asked of karmada-apiserver, since a cache may not know yet of one made anew.
func (c *Controller) sweep(ctx context.Context, key types.NamespacedName) error {
	left, err := c.gatherer.autoscalers(ctx, key)
	if err != nil || len(left) == 0 {
		return err
	}
	if err := c.gatherer.live.Get(ctx, key, &api.FedHPA{}); !apierrors.IsNotFound(err) {
		return err
	}
	for cluster, work := range left {
		if !work.DeletionTimestamp.IsZero() {
			continue
		}
		if work.Annotations[migration.AnnotationCutOff] != "" {
			// The workload is cut off, or left: what is in the member is its owner's.
			if err := abandon(ctx, c.client, work); err != nil {
				return err
			}
			continue
		}
		err := c.client.Delete(ctx, work.DeepCopy(), client.Preconditions{UID: &work.UID, ResourceVersion: &work.ResourceVersion})
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting Work %s/%s of a FedHPA that is gone: %w", work.Namespace, work.Name, err)
		}
		klog.FromContext(ctx).Info("Took back the autoscaler of a FedHPA that is gone", "cluster", cluster)
	}
	return nil
}

// newer reports whether a write met something that was written since the world was looked at.
func newer(err error) bool { return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) }

// outcome of a plan's writes.
type outcome struct {
	// stopped is what nothing could be written after; refused is what kept only its own group, and is in the plan's words already.
	stopped, refused error
}

// write carries a plan out, in its order. Where something newer is met, or the ground of everything is refused, nothing after it is done.
// Any other refusal (a quota, a policy engine) keeps back what belongs to it: the template when the binding was refused, and of autoscalers
// each one alone.
func (c *Controller) write(ctx context.Context, v *view, plan *decide.Plan) outcome {
	log := klog.FromContext(ctx)
	v.planned = v.fed.DeepCopy()
	v.planned.Status = plan.Status
	var done []decide.Action
	var books, limits []error
	for _, action := range plan.Actions {
		group := action.Group()
		if group == decide.BookKeeping && len(books) > 0 {
			continue
		}
		err := c.applier.apply(ctx, v, action)
		switch {
		case err == nil:
			logAction(log, action)
			done = append(done, action)
		case group == decide.Ownership || newer(err) || ctx.Err() != nil:
			return outcome{stopped: err}
		case group == decide.BookKeeping:
			books = append(books, err)
		default:
			limits = append(limits, err)
		}
	}
	plan.Actions = done
	if err := errors.Join(books...); err != nil {
		plan.Refuse(decide.BookKeeping, refusal(err), err.Error())
	}
	if err := errors.Join(limits...); err != nil {
		plan.Refuse(decide.Limits, refusal(err), err.Error())
	}
	return outcome{refused: errors.Join(append(books, limits...)...)}
}

// refusal is the reason to give: a FederatedResourceQuota whose enforcement is on refuses the count that members run, and only people can
// end that.
func refusal(err error) string {
	if apierrors.ReasonForError(err) == util.QuotaExceededReason {
		return api.FedHPAReasonQuotaExceeded
	}
	return api.FedHPAReasonWriteFailed
}

// say writes the status. Events and metrics follow it, so that a plan made from an old cache says nothing. It returns after how long there
// may be more to say.
func (c *Controller) say(ctx context.Context, v *view, plan *decide.Plan) (again time.Duration, err error) {
	if !released(plan) {
		if err := c.patchStatus(ctx, v.fed, plan.Status); err != nil {
			return 0, err
		}
	}
	told := plan.Told()
	c.tell(v.fed, told)
	c.metrics.observe(v.key(), plan, c.clock.Now())
	return c.tellLasting(v.fed, told), nil
}

func (c *Controller) tell(fed *api.FedHPA, events []decide.Event) {
	for _, e := range events {
		kind := "Normal"
		if e.Warning {
			kind = "Warning"
		}
		c.recorder.Event(fed, kind, e.Reason, e.Message)
	}
}

// tellLasting tells of conditions that have lasted without a word.
func (c *Controller) tellLasting(fed *api.FedHPA, told []decide.Event) (again time.Duration) {
	var reasons []string
	for _, e := range told {
		reasons = append(reasons, e.Reason)
	}
	untold, again := c.lasting.Look(client.ObjectKeyFromObject(fed), fed.Status.Conditions, reasons, c.clock.Now())
	for _, one := range untold {
		c.recorder.Event(fed, corev1.EventTypeWarning, one.Reason, one.Type+": "+one.Message)
	}
	return again
}

func logAction(log logr.Logger, a decide.Action) {
	switch a.Kind {
	case decide.WriteBinding:
		log.Info("Wrote the scheduling result", "clusters", a.Counts.String())
	case decide.ScaleTemplate:
		log.Info("Scaled the template", "replicas", a.Total)
	case decide.SendAutoscaler:
		log.Info("Sent limits to a member", "cluster", a.Cluster, "minReplicas", a.Range.Min, "maxReplicas", a.Range.Max)
	default:
		log.Info("Wrote", "action", a.Kind, "cluster", a.Cluster)
	}
}

// released reports whether the plan ends the FedHPA.
func released(plan *decide.Plan) bool {
	for _, a := range plan.Actions {
		if a.Kind == decide.RemoveFinalizer {
			return true
		}
	}
	return false
}

// patchStatus writes the status if it says anything new.
func (c *Controller) patchStatus(ctx context.Context, fed *api.FedHPA, status api.FedHPAStatus) error {
	if equality.Semantic.DeepEqual(fed.Status, status) {
		return nil
	}
	before := fed.DeepCopy()
	fed.Status = status
	if err := c.client.Status().Patch(ctx, fed, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("patching status of FedHPA %s/%s: %w", fed.Namespace, fed.Name, err)
	}
	return nil
}

// failed says in the status what could not be read or written, and returns it for another try.
func (c *Controller) failed(ctx context.Context, fed *api.FedHPA, ready metav1.ConditionStatus, reason string, failure error) error {
	if ctx.Err() != nil {
		// This process is ending: the next one looks anew.
		return failure
	}
	status := *fed.Status.DeepCopy()
	words := text.Cut(failure.Error(), 2048)
	if said := meta.FindStatusCondition(status.Conditions, api.FedHPAReady); said != nil && said.Reason == reason {
		words = text.Keep(said.Message, words)
	}
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type: api.FedHPAReady, Status: ready, Reason: reason,
		Message: words, ObservedGeneration: fed.Generation, LastTransitionTime: metav1.NewTime(c.clock.Now()),
	})
	if err := c.patchStatus(ctx, fed, status); err != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("%w; and %w", failure, err)
	}
	c.tellLasting(fed, nil)
	return failure
}

// forget drops what was remembered of a FedHPA that is gone, whoever took its finalizer.
func (c *Controller) forget(fed types.NamespacedName) {
	c.metrics.forget(fed)
	c.gatherer.room.forget(fed)
	c.gatherer.scales.forget(fed)
	c.lasting.Forget(fed)
}
