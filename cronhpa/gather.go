package cronhpa

import (
	"context"
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/internal/mark"
)

// observation is all that a decision needs.
type observation struct {
	cron   *v1alpha1.CronHPA
	now    time.Time
	target target
}

// gather reads the target. Errors are those of an API server that could not answer; what it did answer is in the
// observation.
func (r *Reconciler) gather(ctx context.Context, cron *v1alpha1.CronHPA, d decision, now time.Time) (observation, error) {
	seen := observation{cron: cron, now: now}
	if !d.needsTarget(cron) {
		return seen, nil
	}
	var err error
	seen.target, err = r.gatherTarget(ctx, cron, d.plan.Apply != nil)
	return seen, err
}

// gatherTarget looks at the target. Of a workload that is about to be written only the owner is asked for: writing its
// scale tells the rest, and at nine o'clock thousands may be due at once.
func (r *Reconciler) gatherTarget(ctx context.Context, cron *v1alpha1.CronHPA, due bool) (target, error) {
	found := target{seen: true}
	ref := cron.Spec.ScaleTargetRef
	older, err := r.olderSibling(ctx, cron)
	if err != nil {
		return found, err
	}
	if older != nil {
		found.problem = &problem{v1alpha1.CronHPAReasonTargetShared, sharedMessage(ref, older)}
		return found, nil
	}
	if formOf(ref) == workload {
		return r.gatherWorkload(ctx, cron, due)
	}
	return r.gatherAutoscaler(ctx, cron)
}

// gatherWorkload says why the workload cannot be scaled, or to no avail.
func (r *Reconciler) gatherWorkload(ctx context.Context, cron *v1alpha1.CronHPA, due bool) (target, error) {
	found := target{seen: true}
	ref := cron.Spec.ScaleTargetRef
	if found.problem = wrongGroup(ref); found.problem != nil {
		return found, nil
	}
	owner, err := autoscalers.Find(ctx, r.client, cron.Namespace, ref, autoscalers.Indexed(ref))
	if err != nil {
		return found, err
	}
	if owner != nil {
		found.problem = &problem{v1alpha1.CronHPAReasonTargetOwned, ownedMessage(ref, *owner)}
		return found, nil
	}
	scaled, err := r.keda.Of(ctx, cron.Namespace, ref)
	if err != nil {
		return found, err
	}
	if scaled != "" {
		found.problem = &problem{v1alpha1.CronHPAReasonTargetOwned, fmt.Sprintf(
			"the replicas of %s %s belong to KEDA's ScaledObject %s, of which KEDA makes a HorizontalPodAutoscaler in each member: what a rule "+
				"sets is set back there. Write the times into a trigger of type cron of that ScaledObject, or delete it", ref.Kind, ref.Name, scaled)}
		return found, nil
	}
	known, err := r.targets.look(ctx, cron)
	switch {
	case meta.IsNoMatchError(err):
		found.unwatched = true
		found.problem, err = r.explain(ctx, cron, err)
		return found, err
	case err != nil:
		return found, err
	}
	found.unwatched = !known.watched
	if known.cutOff {
		found.problem = cutOff(ref)
		return found, nil
	}
	if known.retained {
		found.unheeded = &problem{v1alpha1.CronHPAReasonMembersKeepReplicas, fmt.Sprintf(
			"label %s of %s %s leaves the replicas to its members: what a rule sets reaches none that runs it. Remove the label, or aim at an "+
				"autoscaler",
			mark.RetainReplicas, ref.Kind, ref.Name)}
	}
	if due || known.exists && meta.IsStatusConditionTrue(cron.Status.Conditions, v1alpha1.CronHPATargetScalable) {
		return found, nil
	}
	err = r.client.SubResource("scale").Get(ctx, reference(cron), &unstructured.Unstructured{})
	found.problem, err = r.explain(ctx, cron, err)
	return found, err
}

// gatherAutoscaler reads the bounds an autoscaler holds.
func (r *Reconciler) gatherAutoscaler(ctx context.Context, cron *v1alpha1.CronHPA) (target, error) {
	found := target{seen: true}
	object := reference(cron)
	if err := r.client.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		found.problem, err = r.explain(ctx, cron, err)
		return found, err
	}
	if isCutOff(object) {
		found.problem = cutOff(cron.Spec.ScaleTargetRef)
		return found, nil
	}
	if formOf(cron.Spec.ScaleTargetRef) == offeredBounds {
		return found, nil
	}
	held := boundsOf(object)
	found.bounds = &held
	return found, nil
}

// boundsOf reads the bounds in an autoscaler's spec.
func boundsOf(object *unstructured.Unstructured) heldBounds {
	held := heldBounds{uid: string(object.GetUID()), version: object.GetResourceVersion()}
	if minimum, ok, _ := unstructured.NestedInt64(object.Object, "spec", "minReplicas"); ok {
		value := int32(minimum)
		held.min = &value
	}
	maximum, _, _ := unstructured.NestedInt64(object.Object, "spec", "maxReplicas")
	held.max = int32(maximum)
	return held
}

// explain turns the API server's refusal to show or scale the target into a problem. Any other error is handed back.
func (r *Reconciler) explain(ctx context.Context, cron *v1alpha1.CronHPA, err error) (*problem, error) {
	ref := cron.Spec.ScaleTargetRef
	switch {
	case err == nil:
		return nil, nil
	case meta.IsNoMatchError(err):
		return &problem{v1alpha1.CronHPAReasonTargetKindUnknown, fmt.Sprintf(
			"karmada-apiserver serves no kind %s in %s: install its CRD there, or correct spec.scaleTargetRef", ref.Kind, ref.APIVersion)}, nil
	case !apierrors.IsNotFound(err):
		return nil, fmt.Errorf("reaching %s %s: %w", ref.Kind, ref.Name, err)
	}
	// A kind without the subresource answers "not found" as an absent object does.
	object := reference(cron)
	getErr := r.client.Get(ctx, client.ObjectKeyFromObject(object), object)
	switch {
	case getErr == nil:
		return &problem{v1alpha1.CronHPAReasonTargetNotScalable, fmt.Sprintf(
			"%s %s exists but its kind has no scale subresource in karmada-apiserver: add it to the CRD there", ref.Kind, ref.Name)}, nil
	// Only scale may be read of every kind: of a kind we have no right to, both causes are named.
	case apierrors.IsForbidden(getErr):
		return &problem{v1alpha1.CronHPAReasonTargetNotFound, fmt.Sprintf(
			"%s %s does not exist in namespace %s of the control plane, or its kind has no scale subresource there: create it, add the "+
				"subresource to the CRD, or correct spec.scaleTargetRef",
			ref.Kind, ref.Name, cron.Namespace)}, nil
	case apierrors.IsNotFound(getErr):
		return &problem{v1alpha1.CronHPAReasonTargetNotFound, fmt.Sprintf(
			"%s %s does not exist in namespace %s of the control plane: create it, or correct spec.scaleTargetRef", ref.Kind, ref.Name,
			cron.Namespace)}, nil
	}
	return nil, fmt.Errorf("reading %s %s: %w", ref.Kind, ref.Name, getErr)
}

// reference names the target for a client.
func reference(cron *v1alpha1.CronHPA) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	ref := cron.Spec.ScaleTargetRef
	object.SetGroupVersionKind(schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind))
	object.SetNamespace(cron.Namespace)
	object.SetName(ref.Name)
	return object
}

// olderSibling is the CronHPA that had this target first, under this name or its alias; nil when it is this one.
func (r *Reconciler) olderSibling(ctx context.Context, cron *v1alpha1.CronHPA) (*v1alpha1.CronHPA, error) {
	refs := []autoscalingv2.CrossVersionObjectReference{cron.Spec.ScaleTargetRef}
	alias, ok, err := autoscalers.Alias(ctx, r.client, cron.Namespace, cron.Spec.ScaleTargetRef)
	if err != nil {
		return nil, err
	}
	if ok {
		refs = append(refs, alias)
	}
	for _, ref := range refs {
		var siblings v1alpha1.CronHPAList
		err := r.client.List(ctx, &siblings, client.InNamespace(cron.Namespace), autoscalers.Indexed(ref), client.UnsafeDisableDeepCopy)
		if err != nil {
			return nil, fmt.Errorf("listing CronHPAs of the target: %w", err)
		}
		for i := range siblings.Items {
			if before(&siblings.Items[i], cron) {
				return &siblings.Items[i], nil
			}
		}
	}
	return nil, nil
}

// before is the order of CronHPAs that share a target. One being deleted has given it up.
func before(a, b *v1alpha1.CronHPA) bool {
	if a.UID == b.UID || a.DeletionTimestamp != nil {
		return false
	}
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}
