package plan

import (
	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// gone waits until Karmada has removed bindings and Works.
func (j *journey) gone() outcome {
	for _, resource := range j.own() {
		if j.Control.Templates[resource.ResourceReference] != nil || j.Control.Bindings[resource.ResourceReference] != nil {
			return j.wait(v1alpha1.ReasonAwaitingKarmada, "Karmada is removing the binding of "+policy.User(resource.ResourceReference), soon)
		}
		for _, name := range sortedKeys(j.Clusters) {
			if _, exists := j.Clusters[name].Works[resource.ResourceReference]; exists {
				return j.wait(v1alpha1.ReasonAwaitingKarmada,
					"Karmada is removing the Work of "+policy.User(resource.ResourceReference)+" for cluster "+name, soon)
			}
		}
	}
	return proceed
}
