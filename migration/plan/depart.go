package plan

import (
	"fmt"
	"maps"
	"slices"
	"time"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// depart cuts an application off: Karmada stops writing into the members, and nothing is deleted. It needs no
// answer from any member, so that a rollback works when one is down. It runs again while the application
// stays cut off, and puts right what somebody else changed: rollback wins over every other writer.
var depart = []step{
	{name: "suspend", run: (*journey).suspend},
	{name: "cutoff-fence", run: (*journey).departFence},
	{name: "mark", run: (*journey).mark},
	{name: "scalers", run: (*journey).scalers},
	{name: "cutoff", run: (*journey).cutOff},
}

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

// departFence proves on bindings and Works that nothing is dispatched any more. In pull mode the agent
// itself must have confirmed it: a cut-off agent goes on enforcing what it last saw.
func (j *journey) departFence() outcome {
	for _, resource := range j.federated() {
		for _, name := range sortedKeys(j.Clusters) {
			// Of a shared object only this application's clusters are closed.
			if len(resource.Users) > 1 && j.clusterStatus(name) == nil {
				continue
			}
			if why := j.dispatching(resource, name); why != "" {
				message := fmt.Sprintf("%s for cluster %s %s", policy.User(resource.ResourceReference), name, why)
				j.condition(v1alpha1.ConditionFenced, metav1.ConditionFalse, v1alpha1.ReasonAwaitingKarmada, message)
				if j.Now.Sub(ApprovalsSince(j.next)) > overdue {
					return j.block(v1alpha1.ReasonAwaitingKarmada, "%s", message)
				}
				return j.wait(v1alpha1.ReasonAwaitingKarmada, message, soon)
			}
		}
	}
	j.condition(v1alpha1.ConditionFenced, metav1.ConditionTrue, v1alpha1.ReasonFenced,
		"every Work is suspended and preserving, confirmed by its execution controller")
	return proceed
}

// dispatching says what may still write an object into a cluster.
func (j *journey) dispatching(resource v1alpha1.ResourceStatus, cluster string) string {
	work, exists := j.Clusters[cluster].Works[resource.ResourceReference]
	if binding := j.Control.Bindings[resource.ResourceReference]; binding != nil && (exists || slices.Contains(resource.Clusters, cluster)) {
		switch {
		case binding.Spec.Suspension == nil || !policy.Suspended(&binding.Spec.Suspension.Suspension, cluster):
			return "is not suspended in its binding yet"
		case !ptr.Deref(binding.Spec.PreserveResourcesOnDeletion, false):
			return "is not preserved in its binding yet"
		}
	}
	switch {
	case !exists:
		return ""
	case work.Deleting:
		return "has a Work being deleted"
	case !work.Suspended || !work.Preserve:
		return "has a Work that is not suspended and preserving yet"
	}
	return j.unconfirmed(work, cluster)
}

// How long a cut-off may take before people are told, and how long it takes Karmada to notice, with room to spare, that an
// agent is away: 40 s unless karmada-controller-manager is told otherwise.
const (
	overdue = 30 * time.Second
	noticed = 2 * time.Minute
)

// unconfirmed says who has not seen the suspension of a Work. In pull mode a cluster's agent works from what it last saw: while it is
// away from the control plane it undoes every static release.
func (j *journey) unconfirmed(work Work, cluster string) string {
	confirmed := work.Dispatching == metav1.ConditionFalse
	if !j.Clusters[cluster].Pull {
		if confirmed {
			return ""
		}
		return "has a suspended Work whose execution controller has not confirmed it yet: if this lasts, look at karmada-controller-manager"
	}
	// An agent that saw the opening, and lost the control plane before it could say so, leaves the word of an earlier suspension
	// standing. Karmada would have found it missing by now; one that is Ready all the while has seen this suspension.
	status := j.clusterStatus(cluster)
	if confirmed && status != nil && status.OpenedTime != nil && work.DispatchingSince.Before(status.OpenedTime.Time) {
		ready, readySince := j.Clusters[cluster].Ready, j.Clusters[cluster].ReadySince
		confirmed = ready && j.Now.Sub(ApprovalsSince(j.next)) > noticed && j.Now.Sub(readySince) > noticed
	}
	if confirmed {
		return ""
	}
	return fmt.Sprintf("has a suspended Work that the cluster's karmada-agent has not confirmed yet, and may go on enforcing: "+
		"release nothing statically there before it has. "+
		"If this lasts, look whether it runs and reaches karmada-apiserver ('kubectl get cluster %s')", cluster)
}

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

// scalers waits for the autoscalers of the workload that are none of its own objects: FedHPA suspends its Works when it sees the mark. One
// that somebody propagates by hand goes on until that ends.
func (j *journey) scalers() outcome {
	for _, cluster := range sortedKeys(j.Clusters) {
		for _, name := range sortedKeys(j.Clusters[cluster].Scalers) {
			work := j.Clusters[cluster].Scalers[name]
			why := "is still dispatched: if this lasts, look at argosy-controller-manager, or suspend dispatching in the policy that propagates it"
			if work.Suspended {
				why = j.unconfirmed(work, cluster)
			}
			if why == "" || work.Deleting {
				continue
			}
			message := fmt.Sprintf("%s of the workload for cluster %s %s", name, cluster, why)
			if j.Now.Sub(ApprovalsSince(j.next)) > overdue {
				return j.block(v1alpha1.ReasonAwaitingKarmada, "%s", message)
			}
			return j.wait(v1alpha1.ReasonAwaitingKarmada, message, soon)
		}
	}
	return proceed
}

func (j *journey) cutOff() outcome {
	j.enter(v1alpha1.PhaseCutOff, v1alpha1.ReasonCutOff, "cut off: static management is open again, nothing was deleted")
	message := "put it back on the whitelist to adopt it again, or 'argosyctl migration leave' to remove it from the control plane"
	if j.Spec.Rollback != nil {
		message = j.rolledBack() + ", whatever whitelists say: 'argosyctl migration readopt' adopts it again, 'argosyctl migration leave' " +
			"removes it from the control plane"
	}
	for _, ref := range slices.SortedFunc(maps.Keys(j.Control.Unread), byUser) {
		message += fmt.Sprintf("; the template of %s could not be read or marked (%s)", policy.User(ref), j.Control.Unread[ref])
	}
	if j.Control.ScalersUnread != "" {
		message += "; whether an autoscaler is still dispatched is not known (" + j.Control.ScalersUnread + ")"
	}
	if j.Status.Failure != nil && j.Entry != nil {
		j.next.Blocked = v1alpha1.ReasonFailedBefore
		message := "rolled back: " + j.Status.Failure.Message + "; 'argosyctl migration readopt' tries again"
		return j.wait(v1alpha1.ReasonFailedBefore, message, resting)
	}
	again := resting
	if j.Entry != nil || j.Spec.AfterCutOff == v1alpha1.AfterCutOffLeave {
		again = soon // it was listed again, or asked to leave, while it was being cut off
	}
	return j.wait(v1alpha1.ReasonCutOff, message, again)
}

func deref(suspension *policyv1alpha1.Suspension) policyv1alpha1.Suspension {
	if suspension == nil {
		return policyv1alpha1.Suspension{}
	}
	return *suspension
}
