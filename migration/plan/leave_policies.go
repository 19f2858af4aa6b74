package plan

func (j *journey) deletePolicies() outcome {
	for _, resource := range j.own() {
		if existing := j.Control.Policies[resource.Policy]; existing != nil && existing.DeletionTimestamp.IsZero() {
			j.act(Action{Verb: Delete, Ref: policyRef(resource.Policy), Seen: seen(existing)})
		}
		if existing := j.Control.Overrides[resource.Policy]; existing != nil && existing.DeletionTimestamp.IsZero() {
			j.act(Action{Verb: Delete, Ref: overrideRef(resource.Policy), Seen: seen(existing)})
		}
	}
	if len(j.decision.Actions) > 0 {
		return j.written("deletion of policies")
	}
	return proceed
}
