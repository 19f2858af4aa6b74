package plan

import (
	"fmt"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// stillProved looks once more at a dry run of what Karmada writes when it lets go: between approval and deletion the controller may have
// been down.
func (j *journey) stillProved() outcome {
	for _, resource := range j.own() {
		if j.Control.Templates[resource.ResourceReference] == nil {
			continue
		}
		for _, name := range j.dispatched(resource) {
			if result := j.proved(resource.ResourceReference, name, "templates are not deleted"); result == stop {
				return stop
			}
		}
	}
	if why := j.outdated(); why != "" {
		if j.untouched() {
			j.next.Management, j.next.RemovalStartTime = v1alpha1.ManagementStatic, nil
			j.event(true, v1alpha1.ReasonPlanHarmful, why+": the plan is drawn up anew")
			return j.wait(v1alpha1.ReasonLeaving, why+": the plan is drawn up anew", soon)
		}
		return j.block(v1alpha1.ReasonPlanHarmful, "%s since the plan was approved, and templates are being removed: undo that there", why)
	}
	return proceed
}

// outdated says what a member has that its Work would not write back.
func (j *journey) outdated() string {
	for _, resource := range j.own() {
		if j.Control.Templates[resource.ResourceReference] == nil {
			continue
		}
		for _, name := range j.dispatched(resource) {
			at := policy.User(resource.ResourceReference) + " in cluster " + name
			run, ran := j.Clusters[name].DryRuns[resource.ResourceReference]
			switch {
			case !ran:
				continue // unpreserved says why
			case run.Error != "":
				return at + " refuses the write: " + run.Error
			}
			if changes := Compare(run.Live, run.Result); len(changes) > 0 && changes[0].Kind == v1alpha1.ChangeHarmful {
				return fmt.Sprintf("%s changed at %s", at, changes[0].Path)
			}
		}
	}
	return ""
}

// untouched says whether no template was removed yet.
func (j *journey) untouched() bool {
	for _, resource := range j.own() {
		if j.Control.Templates[resource.ResourceReference] == nil {
			return false
		}
	}
	return true
}
