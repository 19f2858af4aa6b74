package plan

import (
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// mark the application's objects, those it shares too: admission refuses to delete what bears the mark, since Karmada would
// write the stale manifest back into the members, and the interpreter leaves replicas alone.
func (j *journey) mark() outcome {
	for _, resource := range j.federated() {
		set := map[string]*string{v1alpha1.AnnotationCutOff: ptr.To(j.Owner)}
		if template := j.Control.Templates[resource.ResourceReference]; template != nil && !j.marked(resource, template) {
			annotations := maps.Clone(set)
			if len(resource.Users) < 2 {
				annotations[v1alpha1.AnnotationClosed] = ptr.To(j.Owner)
			}
			j.act(Action{Verb: Mark, Ref: resource.ResourceReference, Annotations: annotations})
		}
		if existing := j.Control.Policies[resource.Policy]; existing != nil && existing.Annotations[v1alpha1.AnnotationCutOff] == "" {
			j.act(Action{Verb: Mark, Ref: policyRef(resource.Policy), Annotations: set})
		}
	}
	j.keepGivenUp()
	if len(j.decision.Actions) > 0 {
		return j.wait(v1alpha1.ReasonCuttingOff, "marking templates and policies", soon)
	}
	return proceed
}

// marked templates bear the mark of the cut-off, and those no other application has open the one that closes their Works.
func (j *journey) marked(resource v1alpha1.ResourceStatus, template *unstructured.Unstructured) bool {
	annotations := template.GetAnnotations()
	return annotations[v1alpha1.AnnotationCutOff] != "" && (len(resource.Users) > 1 || annotations[v1alpha1.AnnotationClosed] != "")
}
