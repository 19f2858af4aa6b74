package plan

import (
	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// release gives scheduling back, and what is open everywhere to Karmada's failover. The placement is marked as applied, so that
// the scheduler, which finds sums and placement unchanged, does not schedule.
func (j *journey) release() outcome {
	if result := j.letGo(); result == stop {
		return stop
	}
	for _, resource := range j.federated() {
		binding := j.Control.Bindings[resource.ResourceReference]
		if binding != nil && frozen(binding) && len(resource.Clusters) > 0 {
			j.act(Action{Verb: SetScheduling, Ref: resource.ResourceReference, Frozen: false, Seen: seen(binding)})
		}
	}
	if len(j.decision.Actions) > 0 {
		return j.wait(v1alpha1.ReasonAwaitingKarmada, "giving scheduling back", soon)
	}
	return proceed
}

// letGo gives evictions back, and waits until bindings show it.
func (j *journey) letGo() outcome {
	for _, resource := range j.federated() {
		existing := j.Control.Policies[resource.Policy]
		if existing != nil && existing.Spec.Suspension == nil && policy.Held(&existing.Spec.Placement) {
			j.act(Action{Verb: SetSuspension, Ref: policyRef(resource.Policy), LetGo: true, Seen: seen(existing)})
		}
	}
	if len(j.decision.Actions) > 0 {
		return j.wait(v1alpha1.ReasonAwaitingKarmada, "giving evictions back", soon)
	}
	for _, resource := range j.federated() {
		existing, binding := j.Control.Policies[resource.Policy], j.Control.Bindings[resource.ResourceReference]
		if existing != nil && binding != nil && frozen(binding) && existing.Spec.Suspension == nil && policy.Held(binding.Spec.Placement) {
			return j.wait(v1alpha1.ReasonAwaitingKarmada, "Karmada has not given the binding of "+
				policy.User(resource.ResourceReference)+" its policy's placement yet", soon)
		}
	}
	return proceed
}
