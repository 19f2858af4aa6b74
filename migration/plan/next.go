package plan

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// Next decides what to do about an application. It is a pure function of the world.
func Next(world World) Decision {
	world = world.ruled()
	j := begin(world)
	j.next.Batch, j.next.Blocked = world.Turn.Batch, ""
	if world.Entry != nil {
		j.next.Environment, j.next.Whitelist = world.Entry.Environment, world.Whitelist
	}
	// A record that was lost, or restored without its status, must not hide from a rollback what is in the control plane.
	if j.next.Phase == v1alpha1.PhaseFederated || world.Entry == nil && len(j.next.Resources) == 0 {
		j.next.Resources = append(j.next.Resources, Published(world)...)
	}
	for _, step := range j.way() {
		if step.prepares && (j.opened() || j.purging()) {
			continue
		}
		j.decision.Step = step.name
		if step.run(j) == stop {
			break
		}
	}
	j.finish()
	return j.decision
}

// Published are the objects CI/CD added to a federated application since it was taken over: they have a
// policy of ours and are not on record yet. A cut-off must find them too.
func Published(world World) []v1alpha1.ResourceStatus {
	known := map[string]bool{}
	for _, resource := range world.Status.Resources {
		known[resource.Policy] = true
	}
	var out []v1alpha1.ResourceStatus
	for _, name := range sortedKeys(world.Control.Policies) {
		existing := world.Control.Policies[name]
		if known[name] || existing.Labels[v1alpha1.LabelManagedBy] != world.Owner || len(existing.Spec.ResourceSelectors) != 1 {
			continue
		}
		selector := existing.Spec.ResourceSelectors[0]
		resource := v1alpha1.ResourceStatus{
			Policy:            name,
			ResourceReference: Ref{APIVersion: selector.APIVersion, Kind: selector.Kind, Name: selector.Name},
		}
		if affinity := existing.Spec.Placement.ClusterAffinity; affinity != nil {
			resource.Clusters = affinity.ClusterNames
		}
		if users := referrers(existing); len(users) > 1 {
			resource.Users = users
		}
		out = append(out, resource)
	}
	return out
}

// finish sums up for the columns people look at.
func (j *journey) finish() {
	done := 0
	for _, cluster := range j.next.Clusters {
		if cluster.State == v1alpha1.ClusterOpen {
			done++
		}
	}
	j.next.ClustersDone = ""
	if len(j.next.Clusters) > 0 {
		j.next.ClustersDone = fmt.Sprintf("%d/%d", done, len(j.next.Clusters))
	}
	// There is one master: while Karmada writes into a member, whatever the phase, nobody else is told to.
	if j.next.Management == v1alpha1.ManagementStatic && j.dispatches() {
		j.next.Management = v1alpha1.ManagementChanging
	}
	federated, reason := metav1.ConditionFalse, string(j.next.Phase)
	if j.next.Phase == v1alpha1.PhaseFederated {
		federated = metav1.ConditionTrue
	}
	if reason == "" {
		reason = string(v1alpha1.PhasePending)
	}
	if federated == metav1.ConditionFalse {
		meta.RemoveStatusCondition(&j.next.Conditions, v1alpha1.ConditionSynced)
	}
	j.condition(v1alpha1.ConditionFederated, federated, reason, "")
	fit(&j.next)
	j.decision.Status = j.next
}

// dispatches says whether Karmada writes any object of the application's own into a member.
func (j *journey) dispatches() bool {
	refs := []Ref{j.workload()}
	for _, resource := range j.federated() {
		if len(resource.Users) < 2 {
			refs = append(refs, resource.ResourceReference)
		}
	}
	for _, ref := range refs {
		for name := range j.Clusters {
			if work, exists := j.Clusters[name].Works[ref]; exists && !work.Deleting && !work.silent() && j.madeBy(ref) == j.Owner {
				return true
			}
		}
	}
	return false
}
