package plan

import (
	"fmt"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// deleteTemplates after the Works were seen preserving, and without a mark of ours.
func (j *journey) deleteTemplates() outcome {
	for _, resource := range j.own() {
		if j.Control.Templates[resource.ResourceReference] == nil {
			continue
		}
		for _, name := range j.dispatched(resource) {
			if mark := stillMarked(j.Clusters[name].Works[resource.ResourceReference]); mark != "" {
				return j.wait(v1alpha1.ReasonAwaitingKarmada,
					fmt.Sprintf("the Work of %s for cluster %s still bears %s", policy.User(resource.ResourceReference), name, mark), soon)
			}
		}
		if why := j.unpreserved(resource); why != "" {
			return j.block(v1alpha1.ReasonAwaitingKarmada, "%s", why)
		}
		j.act(Action{Verb: Delete, Ref: resource.ResourceReference, Seen: seen(j.Control.Templates[resource.ResourceReference])})
	}
	if len(j.decision.Actions) > 0 {
		return j.written("deletion of templates")
	}
	return proceed
}
