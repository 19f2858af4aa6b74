package plan

import (
	"maps"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// leaving starts the way out.
func (j *journey) leaving() outcome {
	if j.purging() {
		return proceed
	}
	if !j.plannedFor(v1alpha1.PlanLeave) {
		j.forget()
	}
	j.enter(v1alpha1.PhaseLeaving, v1alpha1.ReasonLeaving, "leaving the federation for good")
	return j.guardAgain()
}

// guardAgain takes back what a removal had let go of when it found a member changed: until another plan is approved, which may take
// hours, nobody shall delete a template.
func (j *journey) guardAgain() outcome {
	annotations := map[string]*string{v1alpha1.AnnotationLeaving: nil, v1alpha1.AnnotationCutOff: ptr.To(j.Owner)}
	labels := map[string]*string{workv1alpha2.DeletionProtectionLabelKey: ptr.To(workv1alpha2.DeletionProtectionAlways)}
	for _, resource := range j.own() {
		template := j.Control.Templates[resource.ResourceReference]
		if template != nil &&
			(template.GetAnnotations()[v1alpha1.AnnotationLeaving] != "" || template.GetLabels()[v1alpha1.LabelManagedBy] == "") {
			closed, owned := maps.Clone(annotations), maps.Clone(labels)
			closed[v1alpha1.AnnotationClosed], owned[v1alpha1.LabelManagedBy] = ptr.To(j.Owner), ptr.To(j.Owner)
			j.act(Action{Verb: Mark, Ref: resource.ResourceReference, Annotations: closed, Labels: owned})
		}
		if existing := j.Control.Policies[resource.Policy]; existing != nil && existing.Annotations[v1alpha1.AnnotationLeaving] != "" {
			j.act(Action{Verb: Mark, Ref: policyRef(resource.Policy), Annotations: annotations, Labels: labels})
		}
	}
	if len(j.decision.Actions) > 0 {
		return j.written("the marks that guard templates and policies")
	}
	return proceed
}
