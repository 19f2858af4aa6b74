package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// written ends a pass after writes to the control plane, which are read back before the next step.
func (j *journey) written(what string) outcome {
	return j.wait(v1alpha1.ReasonAwaitingKarmada, "wrote "+what, soon)
}

// overrides come before policies and these before templates: a template must never be rendered without them.
func (j *journey) overrides() outcome {
	var wrote []string
	for i := range j.resources {
		resource := &j.resources[i]
		if resource.Local != "" {
			continue
		}
		existing := j.Control.Overrides[resource.Policy.Name]
		switch {
		case resource.Override == nil && existing != nil && existing.Labels[v1alpha1.LabelManagedBy] != "":
			// Differences that are gone in the members go from the overrides too: an empty rule list keeps
			// the object, so that nobody else's takes its name.
			if len(existing.Spec.OverrideRules) == 0 {
				continue
			}
			emptied := existing.DeepCopy()
			emptied.Spec.OverrideRules = []policyv1alpha1.RuleWithCluster{}
			j.act(Action{Verb: WriteOverride, Ref: overrideRef(existing.Name), Over: emptied, Seen: seen(existing)})
		case resource.Override != nil && (existing == nil ||
			!sameRules(existing.Spec, resource.Override.Spec) || !subset(existing.Labels, resource.Override.Labels)):
			j.act(Action{Verb: WriteOverride, Ref: overrideRef(resource.Override.Name), Over: resource.Override, Seen: seen(existing)})
		default:
			continue
		}
		wrote = append(wrote, resource.Policy.Name)
	}
	if len(wrote) > 0 {
		return j.written("overrides " + strings.Join(wrote, ", "))
	}
	return proceed
}

// policies are suspended wherever the application is not open: at this point, everywhere.
func (j *journey) policies() outcome {
	var wrote []string
	for i := range j.resources {
		resource := &j.resources[i]
		if resource.Local != "" {
			continue
		}
		want := resource.Policy.DeepCopy()
		want.Spec.Suspension = policy.Suspension(resource.Clusters, func(cluster string) bool { return j.open(resource.Users, cluster) })
		if want.Spec.Suspension != nil {
			policy.Hold(&want.Spec.Placement)
		}
		j.markDeparted(want)
		existing := j.Control.Policies[want.Name]
		if existing != nil && samePolicy(existing, want) {
			continue
		}
		j.act(Action{Verb: WritePolicy, Ref: policyRef(want.Name), Policy: want, Seen: seen(existing)})
		wrote = append(wrote, want.Name)
	}
	if len(wrote) > 0 {
		return j.written("policies " + strings.Join(wrote, ", "))
	}
	return proceed
}

// markDeparted keeps the mark on the policies of an application that is on its way out.
func (j *journey) markDeparted(want *policyv1alpha1.PropagationPolicy) {
	if j.Entry == nil {
		if want.Annotations == nil {
			want.Annotations = map[string]string{}
		}
		want.Annotations[v1alpha1.AnnotationCutOff] = j.Owner
	}
}

func samePolicy(existing, want *policyv1alpha1.PropagationPolicy) bool {
	return equality.Semantic.DeepEqual(existing.Spec, want.Spec) && subset(existing.Labels, want.Labels) &&
		subset(existing.Annotations, want.Annotations) &&
		existing.Annotations[v1alpha1.AnnotationCutOff] == want.Annotations[v1alpha1.AnnotationCutOff]
}

// sameRules compares overrides as JSON: values come back with other whitespace than they were sent with.
func sameRules(a, b policyv1alpha1.OverrideSpec) bool {
	return equality.Semantic.DeepEqual(plain(a.OverrideRules), plain(b.OverrideRules)) &&
		equality.Semantic.DeepEqual(a.ResourceSelectors, b.ResourceSelectors)
}

func plain(value any) any {
	raw, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	var out any
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil
	}
	return out
}

// templates are full updates from what the members hold now. The content hash says from which state a
// template was written; what API servers fill in beside it does not count.
func (j *journey) templates() outcome {
	var wrote []string
	for i := range j.resources {
		resource := &j.resources[i]
		if resource.Local != "" {
			continue
		}
		want := resource.Template.DeepCopy()
		annotations := want.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[v1alpha1.AnnotationContentHash] = contentHash(resource.Template)
		if j.Entry == nil {
			annotations[v1alpha1.AnnotationGuarded] = j.Owner
			if len(resource.Users) < 2 {
				annotations[v1alpha1.AnnotationClosed] = j.Owner
			}
		}
		want.SetAnnotations(annotations)
		existing := j.Control.Templates[resource.ResourceReference]
		outdated := existing == nil ||
			existing.GetAnnotations()[v1alpha1.AnnotationContentHash] != annotations[v1alpha1.AnnotationContentHash] ||
			existing.GetAnnotations()[v1alpha1.AnnotationCutOff] != "" ||
			existing.GetAnnotations()[v1alpha1.AnnotationClosed] != annotations[v1alpha1.AnnotationClosed] ||
			existing.GetAnnotations()[v1alpha1.AnnotationGuarded] != annotations[v1alpha1.AnnotationGuarded]
		altered := ""
		if !outdated {
			at, same := policy.Contains(existing.Object, want.Object)
			if same {
				continue
			}
			altered = at
		}
		merged := policy.Merge(existing, want)
		policy.Own(merged, resource.Ownership)
		j.act(Action{Verb: WriteTemplate, Ref: resource.ResourceReference, Object: merged})
		if altered != "" {
			return j.block(v1alpha1.ReasonTemplateNotKept, "%s in the control plane differs from the members at %s: "+
				"it was edited there and is being rewritten, or karmada-apiserver is older than the member and drops the field "+
				"(then upgrade it)",
				policy.User(resource.ResourceReference), policy.Human(altered))
		}
		wrote = append(wrote, policy.User(resource.ResourceReference))
	}
	if len(wrote) > 0 {
		return j.written("templates " + strings.Join(wrote, ", "))
	}
	return proceed
}

// base keeps templates as they are whose overrides then say what each cluster has. That of a shared object that is open for
// others: rewriting it together with its overrides is two writes, and between them a cluster would get another's content.
// And, on the way out, that of an object which was made anew in the members with what no update can bring about: it goes
// with its overrides. (Overrides would show a Secret in plain text.)
func (j *journey) base(objects map[string][]policy.Found) map[Ref]*unstructured.Unstructured {
	out := map[Ref]*unstructured.Unstructured{}
	for _, found := range objects {
		for _, one := range found {
			ref := policy.RefOf(one.Object)
			template := j.Control.Templates[ref]
			switch {
			case template == nil:
			case len(one.Users) > 1, j.Entry == nil && ref.Kind != "Secret" && policy.Fixed(template, policy.Template(one.Object)) != "":
				out[ref] = template
			}
		}
	}
	return out
}

func contentHash(template *unstructured.Unstructured) string {
	raw, err := json.Marshal(template.Object)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

// bindings must give each cluster exactly what it has, and are then frozen, so that the scheduler cannot move
// anything while clusters are half open. A frozen binding that differs is preset: the scheduler never acts.
func (j *journey) bindings() outcome {
	for i := range j.resources {
		resource := &j.resources[i]
		if resource.Local != "" {
			continue
		}
		name := policy.User(resource.ResourceReference)
		binding := j.Control.Bindings[resource.ResourceReference]
		if binding == nil {
			return j.wait(v1alpha1.ReasonAwaitingKarmada, "Karmada has not made the binding of "+name+" yet", soon)
		}
		if why := bindingLags(binding, resource, j.Control.Policies[resource.Policy.Name]); why != "" {
			return j.wait(v1alpha1.ReasonAwaitingKarmada, "the binding of "+name+" "+why, soon)
		}
		clusters := targets(resource)
		if !held(binding) || !equality.Semantic.DeepEqual(byName(binding.Spec.Clusters), clusters) {
			action := Action{Verb: SetScheduling, Ref: resource.ResourceReference, Frozen: true}
			if held(binding) {
				action.Clusters, action.Seen = clusters, seen(binding)
			}
			j.act(action)
		}
	}
	if len(j.decision.Actions) > 0 {
		return j.wait(v1alpha1.ReasonAwaitingKarmada, "freezing scheduling at the present division", soon)
	}
	return proceed
}

// bindingLags says what Karmada's detector has not carried from policy and template into the binding yet.
func bindingLags(binding *workv1alpha2.ResourceBinding, resource *policy.Resource, existing *policyv1alpha1.PropagationPolicy) string {
	var sum int32
	for _, replicas := range resource.Replicas {
		sum += replicas
	}
	suspension := binding.Spec.Suspension
	switch {
	case !binding.DeletionTimestamp.IsZero():
		return "is being deleted"
	case existing == nil:
		return "has no policy"
	case binding.Spec.Placement == nil || !equality.Semantic.DeepEqual(*binding.Spec.Placement, existing.Spec.Placement):
		return "does not have the policy's placement yet"
	case !ptr.Deref(binding.Spec.PreserveResourcesOnDeletion, false):
		return "does not preserve on deletion yet"
	case resource.Replicas != nil && binding.Spec.Replicas != sum:
		return "does not have the template's replicas yet"
	case existing.Spec.Suspension != nil &&
		(suspension == nil || !equality.Semantic.DeepEqual(suspension.Suspension, *existing.Spec.Suspension)):
		return "is not suspended yet"
	}
	return ""
}

func frozen(binding *workv1alpha2.ResourceBinding) bool {
	return binding.Spec.Suspension != nil && ptr.Deref(binding.Spec.Suspension.Scheduling, false)
}

// held bindings are frozen and bear the mark by which the API server refuses to take a cluster out of them.
func held(binding *workv1alpha2.ResourceBinding) bool {
	return frozen(binding) && binding.Annotations[v1alpha1.AnnotationHeld] != ""
}

// targets are what the scheduler would write: clusters by name, with their replicas.
func targets(resource *policy.Resource) []workv1alpha2.TargetCluster {
	out := make([]workv1alpha2.TargetCluster, 0, len(resource.Clusters))
	for _, cluster := range resource.Clusters {
		out = append(out, workv1alpha2.TargetCluster{Name: cluster, Replicas: resource.Replicas[cluster]})
	}
	return out
}

func byName(clusters []workv1alpha2.TargetCluster) []workv1alpha2.TargetCluster {
	indexed := map[string]workv1alpha2.TargetCluster{}
	for _, cluster := range clusters {
		indexed[cluster.Name] = cluster
	}
	out := make([]workv1alpha2.TargetCluster, 0, len(clusters))
	for _, name := range sortedKeys(indexed) {
		out = append(out, indexed[name])
	}
	return out
}

// seen is the resourceVersion of an object as it was read; nil has none.
func seen[T any, P interface {
	*T
	metav1.Object
}](object P) string {
	if object == nil {
		return ""
	}
	return object.GetResourceVersion()
}

func policyRef(name string) Ref {
	return Ref{APIVersion: policyv1alpha1.GroupVersion.String(), Kind: policyv1alpha1.ResourceKindPropagationPolicy, Name: name}
}

func overrideRef(name string) Ref {
	return Ref{APIVersion: policyv1alpha1.GroupVersion.String(), Kind: policyv1alpha1.ResourceKindOverridePolicy, Name: name}
}

func namespaceRef(name string) Ref {
	return Ref{APIVersion: "v1", Kind: "Namespace", Name: name}
}

func subset(whole, part map[string]string) bool {
	for key, value := range part {
		if whole[key] != value {
			return false
		}
	}
	return true
}
