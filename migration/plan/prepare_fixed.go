package plan

import (
	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// fixed refuses an object that its owners deleted and made anew while the application was cut off, with another selector, say: the
// API server of the control plane lets no template follow. Once the application has left, there is none. And one that came in when
// clusters had the same of it, and that no override can keep apart now: leaving it out would leave its template behind.
func (j *journey) fixed() outcome {
	for i := range j.resources {
		resource := &j.resources[i]
		template := j.Control.Templates[resource.ResourceReference]
		if template != nil && resource.Differs && len(resource.Users) < 2 && j.madeBy(resource.ResourceReference) == j.Owner {
			return j.block(v1alpha1.ReasonWriteRefused, "%s is in the control plane and cannot follow the members: %s. Make it the same in every "+
				"cluster",
				policy.User(resource.ResourceReference), resource.Local)
		}
		if resource.Local != "" || template == nil {
			continue
		}
		field := policy.Fixed(template, resource.Template)
		if field == "" {
			continue
		}
		remedy := "put it back there as it was"
		if j.Entry != nil && resource.Kind != "Secret" {
			remedy += ", or let the application leave ('argosyctl migration rollback', then 'leave') and list it anew"
		}
		return j.block(v1alpha1.ReasonWriteRefused,
			"%s has another %s in the members than in the control plane, where it can never be changed: %s",
			policy.User(resource.ResourceReference), field, remedy)
	}
	return proceed
}
