package plan

import (
	"fmt"
	"slices"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// suspend closes every policy of the application, and its clusters on the policies it shares.
func (j *journey) suspend() outcome {
	if j.next.Phase == v1alpha1.PhaseFederated {
		j.spread()
	}
	begins := j.next.Phase != v1alpha1.PhaseCuttingOff && j.next.Phase != v1alpha1.PhaseCutOff
	if begins {
		reason, message := v1alpha1.ReasonCuttingOff, "taken off the whitelist"
		if j.Spec.Rollback != nil {
			message = j.rolledBack()
		}
		if j.Status.Failure != nil && j.Entry != nil {
			reason, message = j.Status.Failure.Reason, j.Status.Failure.Message
		}
		j.shut(reason, message)
	}
	for _, resource := range j.federated() {
		if len(resource.Users) > 1 {
			continue
		}
		existing := j.Control.Policies[resource.Policy]
		if existing == nil {
			j.remake(resource)
			continue
		}
		if !existing.DeletionTimestamp.IsZero() {
			return j.wait(v1alpha1.ReasonAwaitingKarmada, "PropagationPolicy "+resource.Policy+" is being deleted and will be made again", soon)
		}
		if closed(existing) {
			continue
		}
		stopped := &policyv1alpha1.Suspension{Dispatching: ptr.To(true)}
		j.act(Action{Verb: SetSuspension, Ref: policyRef(resource.Policy), Suspension: stopped, Seen: seen(existing)})
	}
	j.suspendShared()
	j.freeze()
	// The first pass looks at no Work: it proves nothing, and the next one does.
	if begins || len(j.decision.Actions) > 0 {
		return j.wait(v1alpha1.ReasonCuttingOff, "suspending every policy and freezing scheduling", soon)
	}
	return proceed
}

// suspendShared closes this application's clusters on policies of shared objects, whoever made them.
func (j *journey) suspendShared() {
	self := policy.User(j.workload())
	for _, name := range sortedKeys(j.Control.Policies) {
		existing := j.Control.Policies[name]
		users := referrers(existing)
		if len(users) < 2 || !slices.Contains(users, self) || existing.Spec.Placement.ClusterAffinity == nil {
			continue
		}
		want := policy.Suspension(existing.Spec.Placement.ClusterAffinity.ClusterNames, func(cluster string) bool {
			// Only ever closes: another application's way in opens what it needs itself.
			return j.open(users, cluster) && !policy.Suspended(existing.Spec.Suspension, cluster)
		})
		held := want == nil || policy.Held(&existing.Spec.Placement)
		if !held || !equality.Semantic.DeepEqual(existing.Spec.Suspension, want) || !ptr.Deref(existing.Spec.PreserveResourcesOnDeletion, false) {
			j.act(Action{Verb: SetSuspension, Ref: policyRef(name), Suspension: want, Seen: seen(existing)})
		}
	}
}

// remake a policy that was deleted by hand, suspended: without it the next policy that matches would claim
// the template and write the stale manifest into the members.
func (j *journey) remake(resource v1alpha1.ResourceStatus) {
	if j.Control.Templates[resource.ResourceReference] == nil {
		return
	}
	made := policy.Remake(policy.RemakeInput{
		Namespace: j.Namespace, Owner: j.Owner, Resource: resource, Binding: j.Control.Bindings[resource.ResourceReference],
	})
	j.event(true, v1alpha1.ReasonPolicyLost, "PropagationPolicy "+resource.Policy+" was deleted by hand: made again, suspended")
	j.act(Action{Verb: WritePolicy, Ref: policyRef(resource.Policy), Policy: made})
}

// freeze scheduling in the same pass: else scaling the template would move replicas of an application nobody
// dispatches, and a cluster that falls out of the division gets its stale manifest.
func (j *journey) freeze() {
	for _, resource := range j.federated() {
		binding := j.Control.Bindings[resource.ResourceReference]
		if len(resource.Users) > 1 || binding == nil {
			continue
		}
		if !held(binding) {
			j.act(Action{Verb: SetScheduling, Ref: resource.ResourceReference, Frozen: true})
			continue
		}
		if clusters, dropped := j.putBack(resource, binding); dropped {
			j.act(Action{Verb: SetScheduling, Ref: resource.ResourceReference, Frozen: true, Clusters: clusters, Seen: seen(binding)})
		}
	}
}

// putBack the clusters that a binding no longer names while their Works are still there, an eviction that had begun before the
// freeze, say: Karmada is about to delete those Works, and would write their stored manifests into the members.
func (j *journey) putBack(resource v1alpha1.ResourceStatus, binding *workv1alpha2.ResourceBinding) ([]workv1alpha2.TargetCluster, bool) {
	clusters, dropped := slices.Clone(binding.Spec.Clusters), false
	for _, name := range sortedKeys(j.Clusters) {
		work, exists := j.Clusters[name].Works[resource.ResourceReference]
		named := slices.ContainsFunc(clusters, func(target workv1alpha2.TargetCluster) bool { return target.Name == name })
		if !exists || named || work.Deleting || work.Manifest == nil || !j.Clusters[name].Joined || !binding.DeletionTimestamp.IsZero() {
			continue
		}
		target := workv1alpha2.TargetCluster{Name: name}
		if resource.ResourceReference == j.workload() {
			target.Replicas, _ = policy.Replicas(work.Manifest)
		}
		clusters, dropped = append(clusters, target), true
		j.event(true, v1alpha1.ReasonClusterDropped,
			fmt.Sprintf("cluster %s was taken out of the binding of %s: put back before its Work goes",
				name, policy.User(resource.ResourceReference)))
	}
	return byName(clusters), dropped
}

func deref(suspension *policyv1alpha1.Suspension) policyv1alpha1.Suspension {
	if suspension == nil {
		return policyv1alpha1.Suspension{}
	}
	return *suspension
}
