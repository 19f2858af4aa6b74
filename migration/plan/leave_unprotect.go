package plan

import (
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// unprotect replaces the mark that admission guards by the one that lets go.
func (j *journey) unprotect() outcome {
	annotations := map[string]*string{
		v1alpha1.AnnotationCutOff: nil, v1alpha1.AnnotationGuarded: nil, v1alpha1.AnnotationClosed: nil,
		v1alpha1.AnnotationLeaving: ptr.To(j.Owner),
	}
	labels := map[string]*string{workv1alpha2.DeletionProtectionLabelKey: nil}
	for _, resource := range j.own() {
		if template := j.Control.Templates[resource.ResourceReference]; template != nil &&
			template.GetAnnotations()[v1alpha1.AnnotationLeaving] == "" && template.GetLabels()[v1alpha1.LabelManagedBy] != "" {
			j.act(Action{Verb: Mark, Ref: resource.ResourceReference, Annotations: annotations, Labels: labels})
		}
		if existing := j.Control.Policies[resource.Policy]; existing != nil && existing.Annotations[v1alpha1.AnnotationLeaving] == "" {
			j.act(Action{Verb: Mark, Ref: policyRef(resource.Policy), Annotations: annotations, Labels: labels})
		}
		if existing := j.Control.Overrides[resource.Policy]; existing != nil && existing.Labels[workv1alpha2.DeletionProtectionLabelKey] != "" {
			j.act(Action{Verb: Mark, Ref: overrideRef(resource.Policy), Labels: labels})
		}
	}
	if len(j.decision.Actions) > 0 {
		return j.written("the marks that let go")
	}
	return proceed
}
