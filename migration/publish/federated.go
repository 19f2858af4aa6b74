package publish

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/internal/newer"
	"github.com/argosy-dev/argosy/migration/policy"
)

// federated writes overrides, then policies of objects that are new, then templates. What the take-over left
// static is released to the members as before: publishing never brings an object of a member under federation,
// since nobody has read a plan for it.
func (p *Publisher) federated(ctx context.Context, application Application, of release, result *Result) error {
	owner, set, bundle := policy.Name(application.Kind, application.Name), of.set, of.bundle
	onto, err := p.held(ctx, set, bundle, result.Answer.Clusters)
	if err != nil {
		return err
	}
	all, err := bundle.partOf(set, onto).author(application.Namespace, owner, result.Answer.Clusters, onto)
	if err != nil {
		return err
	}
	migration, err := Find(ctx, p.Control, application)
	if err != nil {
		return err
	}
	resources, static, err := p.sort(ctx, all, migration, set)
	if err != nil {
		return err
	}
	beside := release{set: set, bundle: bundle, clusters: result.Answer.Clusters, only: static}
	if len(static) == 0 && !leftStatic(migration, bundle.identities(result.Answer.Clusters)) {
		beside.clusters = nil // a release that concerns the control plane alone needs no member
	}
	if err := p.reaches(ctx, beside); err != nil {
		return err
	}
	each := func(what string, write func(context.Context, *policy.Resource, *Result) error) error {
		for i := range resources {
			if err := write(ctx, &resources[i], result); err != nil {
				return fmt.Errorf("%s %s: %w", what, policy.User(resources[i].ResourceReference), err)
			}
		}
		return nil
	}
	if err := each("writing the overrides of", p.override); err != nil {
		return err
	}
	if err := each("writing the policy of", p.policy); err != nil {
		return err
	}
	// Static objects come before the templates: pods that start now find their Secrets as they shall be.
	if err := p.static(ctx, beside, result); err != nil {
		return err
	}
	if err := each("writing the template of", p.template); err != nil {
		return err
	}
	if err := each("reading the policy of", p.heldBack); err != nil {
		return err
	}
	return p.pruneControl(ctx, fromControl{set: set, owner: owner, bundle: bundle, clusters: result.Answer.Clusters}, result)
}

// leftStatic says whether something the take-over left static is in the folder no longer.
func leftStatic(migration *v1alpha1.Migration, folder map[sameObject]bool) bool {
	return slices.ContainsFunc(migration.Status.Resources, func(recorded v1alpha1.ResourceStatus) bool {
		kind := schema.FromAPIVersionAndKind(recorded.APIVersion, recorded.Kind).GroupKind()
		return recorded.Policy == "" && !folder[sameObject{GroupKind: kind, name: recorded.Name}]
	})
}

// heldBack notes the clusters that an object does not reach though it was written: it is shared with an application that was cut off there,
// or somebody suspended its policy.
func (p *Publisher) heldBack(ctx context.Context, resource *policy.Resource, result *Result) error {
	existing := &policyv1alpha1.PropagationPolicy{}
	if err := p.Control.Get(ctx, client.ObjectKeyFromObject(resource.Policy), existing); err != nil {
		if p.DryRun {
			return client.IgnoreNotFound(err) // it would have been made just now
		}
		return err
	}
	if affinity := existing.Spec.Placement.ClusterAffinity; affinity != nil {
		for _, cluster := range affinity.ClusterNames {
			if !slices.Contains(resource.Clusters, cluster) && slices.Contains(result.Answer.Clusters, cluster) {
				result.Left = append(result.Left, Left{Where: cluster, Object: policy.User(resource.ResourceReference),
					Note: "PropagationPolicy " + existing.Name + " names the cluster: take it out there"})
			}
		}
	}
	for _, cluster := range resource.Clusters {
		if !policy.Suspended(existing.Spec.Suspension, cluster) {
			continue
		}
		note := "PropagationPolicy " + existing.Name + " is suspended there"
		if users := existing.Annotations[v1alpha1.AnnotationReferrers]; users != "" {
			note += ": it is shared by " + strings.ReplaceAll(users, ",", ", ") + ", and not each of them is federated"
		}
		result.Held = append(result.Held, Written{Where: cluster, Object: policy.User(resource.ResourceReference), Note: note})
	}
	return nil
}

// sort tells what goes to the control plane from what stays static, with the reason.
func (p *Publisher) sort(
	ctx context.Context, all []policy.Resource, migration *v1alpha1.Migration, set applySet,
) ([]policy.Resource, map[v1alpha1.ResourceReference]string, error) {
	var resources []policy.Resource
	owner := policy.Name(migration.Spec.Kind, migration.Spec.Name)
	static := map[v1alpha1.ResourceReference]string{}
	for i := range all {
		note, err := p.staysStatic(ctx, &all[i], migration, owner)
		switch {
		case err != nil:
			return nil, nil, err
		case note != "":
			static[all[i].ResourceReference] = note
		case all[i].Local != "":
			return nil, nil, fmt.Errorf("%s cannot be federated: %s", policy.User(all[i].ResourceReference), all[i].Local)
		case !set.carried.Has(all[i].APIVersion, all[i].Kind):
			return nil, nil, fmt.Errorf("%s: %s %s is no kind that a migration carries, and could not be rolled back with its "+
				"application; nothing was published. Take it out of the folder, and apply it to the members or with a policy of its own "+
				"('argosyctl policy'); or have it carried (carriedKinds of argosy-controller-manager's configuration)",
				policy.User(all[i].ResourceReference), all[i].APIVersion, all[i].Kind)
		default:
			resources = append(resources, all[i])
		}
	}
	return resources, static, nil
}

// staysStatic says why an object of a federated application is released to the members: the take-over left it
// there, or it is in a member and was never taken over. It fails when another application holds it.
func (p *Publisher) staysStatic(
	ctx context.Context, resource *policy.Resource, migration *v1alpha1.Migration, owner string,
) (string, error) {
	name := policy.User(resource.ResourceReference)
	for _, recorded := range migration.Status.Resources {
		if recorded.ResourceReference != resource.ResourceReference {
			continue
		}
		if recorded.Policy == "" {
			return "static: " + recorded.Note, nil
		}
		return "", nil
	}
	if resource.Local != "" {
		return "", nil // nothing was authored for it, and the caller says why
	}
	existing := &policyv1alpha1.PropagationPolicy{}
	err := p.Control.Get(ctx, client.ObjectKeyFromObject(resource.Policy), existing)
	switch {
	case err == nil && existing.Labels[v1alpha1.LabelManagedBy] == owner:
		return "", nil
	case err == nil:
		return "", fmt.Errorf("PropagationPolicy %s holds %s and is not of this application: "+
			"take the object out of the folder, or release it with its own application", existing.Name, name)
	case !apierrors.IsNotFound(err):
		return "", fmt.Errorf("reading the policy of %s: %w", name, err)
	}
	for _, cluster := range resource.Clusters {
		member, err := p.Member(ctx, cluster)
		if err != nil {
			return "", fmt.Errorf("reaching cluster %s, to see whether it has %s: %w", cluster, name, err)
		}
		live := &unstructured.Unstructured{}
		live.SetAPIVersion(resource.APIVersion)
		live.SetKind(resource.Kind)
		err = member.Get(ctx, client.ObjectKey{Namespace: resource.Policy.Namespace, Name: resource.Name}, live)
		if err == nil {
			return "static: it is in cluster " + cluster + " and was never taken over", nil
		}
		if !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) {
			return "", fmt.Errorf("looking for %s in cluster %s: %w", name, cluster, err)
		}
	}
	// Nothing of that name is anywhere; should something appear meanwhile, Karmada leaves it alone.
	resource.Policy.Spec.ConflictResolution = policyv1alpha1.ConflictAbort
	return "", nil
}

// override is written where it says something else than before: that reaches every cluster at once, before the template does.
func (p *Publisher) override(ctx context.Context, resource *policy.Resource, result *Result) error {
	existing := &policyv1alpha1.OverridePolicy{}
	existing.Namespace, existing.Name = resource.Policy.Namespace, resource.Policy.Name
	raw, err := newer.Get(ctx, p.Control, p.Control, existing)
	written := Written{Where: ControlPlane, Object: "overridepolicy/" + resource.Policy.Name}
	switch {
	case apierrors.IsNotFound(err) && resource.Override == nil:
		return nil
	case apierrors.IsNotFound(err):
		if err := p.Control.Create(ctx, resource.Override, client.FieldOwner(FieldManager)); err != nil {
			return err
		}
		written.New = true
		result.Written = append(result.Written, written)
		return nil
	case err != nil:
		return err
	}
	next := existing.DeepCopy()
	next.Spec.OverrideRules = []policyv1alpha1.RuleWithCluster{}
	if resource.Override != nil {
		next.Spec.OverrideRules = resource.Override.Spec.OverrideRules
	}
	next.Spec.OverrideRules = append(next.Spec.OverrideRules, foreign(existing.Spec.OverrideRules)...)
	if sameRules(existing.Spec.OverrideRules, next.Spec.OverrideRules) {
		return nil
	}
	if err := newer.Patch(ctx, p.Control, raw, next, client.FieldOwner(FieldManager)); err != nil {
		return err
	}
	written.Changes = changes(rulesOf(existing), rulesOf(next))
	result.Written = append(result.Written, written)
	return nil
}

// policy of an object that is new; one that exists is its owner's to change.
func (p *Publisher) policy(ctx context.Context, resource *policy.Resource, result *Result) error {
	err := p.Control.Create(ctx, resource.Policy, client.FieldOwner(FieldManager))
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err == nil {
		result.Written = append(result.Written, Written{Where: ControlPlane, Object: "propagationpolicy/" + resource.Policy.Name, New: true})
	}
	return err
}

func (p *Publisher) template(ctx context.Context, resource *policy.Resource, result *Result) error {
	written := Written{Where: ControlPlane, Object: policy.User(resource.ResourceReference)}
	existing := &unstructured.Unstructured{}
	existing.SetAPIVersion(resource.APIVersion)
	existing.SetKind(resource.Kind)
	err := p.Control.Get(ctx, client.ObjectKeyFromObject(resource.Template), existing)
	switch {
	case apierrors.IsNotFound(err):
		next := resource.Template.DeepCopy()
		policy.Own(next, resource.Ownership)
		if err := p.Control.Create(ctx, next, client.FieldOwner(FieldManager)); err != nil {
			return err
		}
		written.New = true
	case err != nil:
		return err
	default:
		desired := resource.Template.DeepCopy()
		desired.SetLabels(carry(existing.GetLabels(), desired.GetLabels()))
		desired.SetAnnotations(carry(existing.GetAnnotations(), desired.GetAnnotations()))
		if resource.Replicas != nil {
			// How many there are in all is decided in the control plane, by people or autoscalers.
			replicas, _ := policy.Replicas(existing)
			if err := unstructured.SetNestedField(desired.Object, int64(replicas), "spec", "replicas"); err != nil {
				return err
			}
			written.Note = fmt.Sprintf("replicas stay %d", replicas)
		}
		next := policy.Merge(existing, desired)
		policy.Disown(next)
		policy.Own(next, resource.Ownership)
		if err := p.Control.Update(ctx, next, client.FieldOwner(FieldManager)); err != nil {
			return err
		}
		written.Changes = changes(existing, next)
	}
	result.Written = append(result.Written, written)
	return nil
}

// carry our own marks of a template over to its next version.
func carry(existing, desired map[string]string) map[string]string {
	out := map[string]string{}
	for _, key := range []string{v1alpha1.LabelManagedBy, v1alpha1.AnnotationContentHash, v1alpha1.AnnotationCutOff, mark.RetainReplicas} {
		if value, ok := existing[key]; ok {
			out[key] = value
		}
	}
	maps.Copy(out, desired)
	return out
}
