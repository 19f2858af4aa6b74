package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util"
	"github.com/karmada-io/karmada/pkg/util/names"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/newer"
	"github.com/argosy-dev/argosy/migration/plan"
	"github.com/argosy-dev/argosy/migration/policy"
)

// apply carries out a decision's actions in their order. The first that fails ends it: the next pass starts
// from what was reached.
func (c *Controller) apply(ctx context.Context, namespace string, actions []plan.Action) error {
	for i := range actions {
		action := &actions[i]
		if err := c.act(ctx, namespace, action); err != nil {
			return fmt.Errorf("%s %s: %w", action.Verb, policy.User(action.Ref), err)
		}
		actionsTotal.WithLabelValues(string(action.Verb)).Inc()
	}
	return nil
}

func (c *Controller) act(ctx context.Context, namespace string, action *plan.Action) error {
	switch action.Verb {
	case plan.WriteTemplate:
		return c.writeTemplate(ctx, action.Object)
	case plan.WritePolicy:
		return c.writePolicy(ctx, action)
	case plan.WriteOverride:
		return c.writeOverride(ctx, action)
	case plan.SetSuspension:
		return c.setSuspension(ctx, namespace, action)
	case plan.SetScheduling:
		return c.setScheduling(ctx, namespace, action)
	case plan.Mark:
		return c.mark(ctx, namespace, action)
	case plan.Delete:
		return c.delete(ctx, namespace, action)
	}
	return fmt.Errorf("no such verb")
}

// writeTemplate as it was merged from what was read: a template that changed since is not overwritten. Who writes a field owns it; so
// what releases wrote in the members is made theirs by a second write, which changes nothing else. Should that fail, a later release
// removes less.
func (c *Controller) writeTemplate(ctx context.Context, template *unstructured.Unstructured) error {
	owned := policy.Ownership(template)
	write := func() error { return c.Client.Update(ctx, template, client.FieldOwner(v1alpha1.FieldManager)) }
	if template.GetResourceVersion() == "" {
		write = func() error { return c.Client.Create(ctx, template, client.FieldOwner(v1alpha1.FieldManager)) }
	}
	if err := write(); err != nil || owned == nil {
		return err
	}
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if err := c.Reader.Get(ctx, client.ObjectKeyFromObject(template), template); err != nil {
			return client.IgnoreNotFound(err)
		}
		policy.Own(template, owned)
		return c.Client.Update(ctx, template, client.FieldOwner(v1alpha1.FieldManager))
	})
}

// unseen is a conflict when an object is not the one a decision rests on.
func unseen(object client.Object, action *plan.Action) error {
	if object.GetResourceVersion() == action.Seen {
		return nil
	}
	return apierrors.NewConflict(schema.GroupResource{Resource: action.Ref.Kind}, action.Ref.Name,
		errors.New("it changed since the decision was made"))
}

func (c *Controller) writePolicy(ctx context.Context, action *plan.Action) error {
	want, next := action.Policy, &policyv1alpha1.PropagationPolicy{}
	return c.write(ctx, action, written{want: want.DeepCopy(), next: next, change: func() {
		next.Spec = want.Spec
		next.Annotations = merged(next.Annotations, want.Annotations)
		if want.Annotations[v1alpha1.AnnotationCutOff] == "" {
			delete(next.Annotations, v1alpha1.AnnotationCutOff)
		}
		// A removal that was given up leaves it behind, and with it the policy would be unguarded.
		delete(next.Annotations, v1alpha1.AnnotationLeaving)
	}})
}

func (c *Controller) writeOverride(ctx context.Context, action *plan.Action) error {
	want, next := action.Over, &policyv1alpha1.OverridePolicy{}
	return c.write(ctx, action, written{want: want.DeepCopy(), next: next, change: func() { next.Spec = want.Spec }})
}

// written is an object on its way into the control plane.
type written struct {
	want client.Object
	// next is read, and what it becomes by change is sent; empty at first.
	next   client.Object
	change func()
}

// write makes what was not there when the decision was made, and changes what was only if it is still the same.
func (c *Controller) write(ctx context.Context, action *plan.Action, of written) error {
	of.next.SetNamespace(of.want.GetNamespace())
	of.next.SetName(of.want.GetName())
	raw, err := newer.Get(ctx, c.Client, c.Reader, of.next)
	if apierrors.IsNotFound(err) && action.Seen == "" {
		return c.Client.Create(ctx, of.want, client.FieldOwner(v1alpha1.FieldManager))
	}
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if err := unseen(of.next, action); err != nil {
		return err
	}
	of.next.SetLabels(merged(of.next.GetLabels(), of.want.GetLabels()))
	of.change()
	return c.patch(ctx, raw, of.next)
}

// patch sends what changed, of the version that was read, and with it what a newer Karmada has in the same lists.
func (c *Controller) patch(ctx context.Context, raw *unstructured.Unstructured, next client.Object) error {
	return newer.Patch(ctx, c.Client, raw, next, client.FieldOwner(v1alpha1.FieldManager))
}

func merged(into, from map[string]string) map[string]string {
	if into == nil {
		into = map[string]string{}
	}
	maps.Copy(into, from)
	return into
}

// setSuspension is one merge patch of the whole of spec.suspension: nobody's half of it stays. A policy that
// changed since it was read is not written: another application's rollback may have closed it.
func (c *Controller) setSuspension(ctx context.Context, namespace string, action *plan.Action) error {
	existing := &policyv1alpha1.PropagationPolicy{}
	existing.Namespace, existing.Name = namespace, action.Ref.Name
	raw, err := newer.Get(ctx, c.Client, c.Reader, existing)
	if err != nil {
		return err
	}
	if err := unseen(existing, action); err != nil {
		return err
	}
	next := existing.DeepCopy()
	next.Spec.Suspension = action.Suspension
	next.Spec.PreserveResourcesOnDeletion = ptr.To(true)
	switch {
	case action.Suspension != nil:
		policy.Hold(&next.Spec.Placement)
	case action.LetGo:
		policy.LetGo(&next.Spec.Placement)
	}
	// A Lazy policy would keep its suspension to itself until the template changes.
	next.Spec.ActivationPreference = ""
	return c.patch(ctx, raw, next)
}

// setScheduling freezes or frees a binding; to freeze one is right whatever it has become. The placement is noted as applied, the
// way the scheduler notes it: once free, it finds nothing changed and leaves the division alone.
func (c *Controller) setScheduling(ctx context.Context, namespace string, action *plan.Action) error {
	existing := &workv1alpha2.ResourceBinding{}
	existing.Namespace, existing.Name = namespace, names.GenerateBindingName(action.Ref.Kind, action.Ref.Name)
	raw, err := newer.Get(ctx, c.Client, c.Reader, existing)
	if err != nil {
		return err
	}
	if action.Seen != "" {
		if err := unseen(existing, action); err != nil {
			return err
		}
	}
	next := existing.DeepCopy()
	if next.Spec.Suspension == nil {
		next.Spec.Suspension = &workv1alpha2.Suspension{}
	}
	next.Spec.Suspension.Scheduling = nil
	if action.Frozen {
		next.Spec.Suspension.Scheduling = ptr.To(true)
	}
	if len(action.Clusters) > 0 {
		next.Spec.Clusters = action.Clusters
	}
	placement, _, err := unstructured.NestedMap(raw.Object, "spec", "placement")
	if err != nil {
		return fmt.Errorf("reading the placement: %w", err)
	}
	if err := markScheduling(next, placement, action); err != nil {
		return err
	}
	return c.patch(ctx, raw, next)
}

// markScheduling notes the placement that counts as applied, word for word as the binding has it, and whether the binding is held.
// Karmada's taint manager goes by the placement that was applied and not by the policy's: a binding that is frozen tolerates evictions
// there at once.
func markScheduling(binding *workv1alpha2.ResourceBinding, placement map[string]any, action *plan.Action) error {
	if binding.Annotations == nil {
		binding.Annotations = map[string]string{}
	}
	applied := binding.Annotations[util.PolicyPlacementAnnotation]
	if placement != nil && (!action.Frozen || len(action.Clusters) > 0 || applied == "") {
		raw, err := json.Marshal(placement)
		if err != nil {
			return fmt.Errorf("encoding the placement: %w", err)
		}
		applied = string(raw)
	}
	delete(binding.Annotations, v1alpha1.AnnotationHeld)
	if action.Frozen {
		binding.Annotations[v1alpha1.AnnotationHeld] = clustersOf(binding)
		held, err := policy.HoldApplied(applied)
		if err != nil {
			return fmt.Errorf("reading the placement that was applied: %w", err)
		}
		applied = held
	}
	if applied != "" {
		binding.Annotations[util.PolicyPlacementAnnotation] = applied
	}
	return nil
}

// clustersOf a binding, as its mark lists them; "none" has none yet.
func clustersOf(binding *workv1alpha2.ResourceBinding) string {
	if len(binding.Spec.Clusters) == 0 {
		return "none"
	}
	var names []string
	for _, target := range binding.Spec.Clusters {
		names = append(names, target.Name)
	}
	return strings.Join(names, ",")
}

// mark patches metadata only, of the object as it was read where the decision rests on that.
func (c *Controller) mark(ctx context.Context, namespace string, action *plan.Action) error {
	metadata := map[string]any{}
	if action.Seen != "" {
		metadata["resourceVersion"] = action.Seen
	}
	if len(action.Annotations) > 0 {
		metadata["annotations"] = action.Annotations
	}
	if len(action.Labels) > 0 {
		metadata["labels"] = action.Labels
	}
	raw, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return fmt.Errorf("encoding the marks: %w", err)
	}
	return c.Client.Patch(ctx, objectOf(namespace, action.Ref), client.RawPatch("application/merge-patch+json", raw),
		client.FieldOwner(v1alpha1.FieldManager))
}

// delete an object as it was read. The record of an application that left is written by every pass before it goes, and has no such version.
func (c *Controller) delete(ctx context.Context, namespace string, action *plan.Action) error {
	var as []client.DeleteOption
	if action.Seen != "" {
		as = append(as, client.Preconditions{ResourceVersion: &action.Seen})
	}
	return client.IgnoreNotFound(c.Client.Delete(ctx, objectOf(namespace, action.Ref), as...))
}

func objectOf(namespace string, ref plan.Ref) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(ref.APIVersion)
	object.SetKind(ref.Kind)
	object.SetNamespace(namespace)
	object.SetName(ref.Name)
	return object
}
