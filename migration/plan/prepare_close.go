package plan

import (
	"fmt"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// closeFirst suspends what is open before anything is rewritten, and waits until the Works show it. There is
// nothing to do on an ordinary way; when the record was lost, or a policy was opened by hand, a new override on
// an old template would reach members at once.
func (j *journey) closeFirst() outcome {
	var own []v1alpha1.ResourceStatus
	for _, resource := range j.federated() {
		if len(resource.Users) < 2 {
			own = append(own, resource)
		}
	}
	for _, resource := range own {
		existing := j.Control.Policies[resource.Policy]
		switch {
		case existing == nil && j.Control.Bindings[resource.ResourceReference] != nil:
			j.remake(resource)
		case existing != nil && !closed(existing):
			j.act(Action{
				Verb: SetSuspension, Ref: policyRef(resource.Policy), Suspension: &policyv1alpha1.Suspension{Dispatching: ptr.To(true)},
				Seen: seen(existing),
			})
		}
	}
	if len(j.decision.Actions) > 0 {
		return j.written("the suspension of every policy, before anything else is written")
	}
	for _, resource := range own {
		for _, name := range sortedKeys(j.Clusters) {
			work, exists := j.Clusters[name].Works[resource.ResourceReference]
			if exists && !work.silent() {
				return j.wait(v1alpha1.ReasonAwaitingKarmada,
					fmt.Sprintf("the Work of %s for cluster %s is still dispatched", policy.User(resource.ResourceReference), name), soon)
			}
		}
	}
	return proceed
}

// closed policies dispatch nowhere, and take nothing with them when they go.
func closed(existing *policyv1alpha1.PropagationPolicy) bool {
	return ptr.Deref(deref(existing.Spec.Suspension).Dispatching, false) && ptr.Deref(existing.Spec.PreserveResourcesOnDeletion, false) &&
		existing.Spec.ActivationPreference == "" && policy.Held(&existing.Spec.Placement)
}
